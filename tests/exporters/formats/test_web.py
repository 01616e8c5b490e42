"""Files for browsers: what they are made of, what is refused, and that WebGPU takes all nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from ort_page import OrtPage, ort_page, placement

from lama_edge.errors import UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.graph.deploy_graph import _rounded
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import IoForm, Precision, Size

SIZE = Size(64, 64)
# Fewer are not enough for the multidilated family; no square, and no side's half is even.
FAMILY_SIZE = Size(72, 80)
FOR_WEB = {"for": "web"}
FAMILIES = ("fourier", "regular", "dilated")
# What a device without rounding to the even one may differ by, and where halves go the other way.
LEVEL = 1
# Measured: 1.2e-6 on the software adapter.
FLOAT_DIFF = 1e-5

Array = NDArray[Any]


def _export(output: Path, *, size: Size | None = SIZE, **changes: Any) -> None:
    options = {**FOR_WEB, **changes.pop("options", {})}
    export_model(Export("onnx", None, output, sizes=(size,), options=options, **changes))


def _inputs(io: IoForm, size: Size = SIZE) -> tuple[Array, Array]:
    values = np.random.default_rng(5)
    hole = np.zeros((size.height, size.width), bool)
    hole[size.height // 4 : size.height // 2, : size.width // 2] = True
    if io == "uint8":
        image = values.integers(0, 256, (1, size.height, size.width, 3), np.uint8)
        return image, (hole * np.uint8(255))[None, :, :, None]
    image = values.random((1, 3, size.height, size.width), np.float32)
    return image, hole[None, None].astype(np.float32)


def _native(model: Path, image: Array, mask: Array) -> Array:
    with open_runner(model, provider="cpu") as runner:
        return runner.run(image, mask)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "w8"])
@pytest.mark.parametrize("io", ["float", "uint8"])
def test_a_file_for_browsers_passes_its_parity_and_says_what_it_is_for(
    precision: Precision, io: IoForm, tmp_path: Path
) -> None:
    _export(tmp_path / "x.onnx", precision=precision, io=io)
    with open_runner(tmp_path / "x.onnx") as runner:
        manifest = runner.manifest
    assert (manifest.purpose, manifest.io.batch, manifest.size.fixed) == ("web", 1, SIZE)
    assert manifest.parity is not None
    assert manifest.parity.passed


@pytest.mark.parametrize("family", [None, *FAMILIES])
@pytest.mark.parametrize("io", ["float", "uint8"])
def test_it_computes_what_the_others_do_bit_for_bit(
    family: str | None, io: IoForm, exported: Callable[..., Path]
) -> None:
    """No fill here lies on a half, where alone it may differ, by a level."""
    size = SIZE if family is None else FAMILY_SIZE
    image, mask = _inputs(io, size)
    ours, others = (
        _native(exported(family, size, io=io, **{"for": purpose}), image, mask)
        for purpose in ("web", "any")
    )
    assert (ours == others).all()
    known = np.broadcast_to(mask == 0, image.shape)
    assert (ours[known] == image[known]).all()


@pytest.mark.parametrize("io", ["float", "uint8"])
def test_nothing_is_left_to_fold_or_to_compute_at_every_run(
    io: IoForm, exported: Callable[..., Path]
) -> None:
    graph = onnx.load(exported(None, SIZE, io=io, **FOR_WEB)).graph
    constants = {value.name for value in graph.initializer}
    folded = [node.name for node in graph.node if constants.issuperset(node.input)]
    assert folded == []
    left = {"Round", "Shape", "Loop", "Scan", "DFT", "Identity"}
    assert not left & {node.op_type for node in graph.node}


@pytest.mark.parametrize("webgpu", [False, True])
def test_levels_are_rounded_to_the_nearest_and_halves_to_one_side(
    webgpu: bool, run_layer: Callable[[Any, Array], Array]
) -> None:
    below, above = (np.nextafter(np.float32(0.5), np.float32(to)) for to in (0, 1))
    levels = np.array([0, 1e-9, below, 0.5, above, 1.5, 2.5, 127.49999, 254.5, 254.50002, 255])
    found = run_layer(
        lambda b, value: _rounded(b, value, webgpu=webgpu),
        levels.astype(np.float32)[None, None, None],
    )
    halves = [0, 1, 2, 254] if webgpu else [0, 2, 2, 254]
    assert [*map(int, found[0, 0, 0])] == [0, 0, 0, halves[0], 1, *halves[1:3], 127, 254, 255, 255]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": None}, "for_='web' wants one size, .*: add size=512"),
        ({"precision": "int8"}, "precision='int8': .* wrong on WebGPU; use precision='w8'"),
        ({"options": {"dft": "op"}}, "dft='op': .*; leave dft out"),
        ({"options": {"batch": "dynamic"}}, "batch='dynamic': .*; leave batch out"),
        ({"options": {"batch": 2}}, "batch=2: .*; leave batch out"),
    ],
)
def test_what_webgpu_cannot_do_is_refused_with_what_to_type(
    changes: dict[str, Any], message: str, unchanged_folder: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        _export(unchanged_folder / "x.onnx", **changes)


@pytest.fixture(scope="module")
def page() -> Iterator[OrtPage]:
    with ort_page() as page:
        yield page


def _all_on_webgpu(page: OrtPage) -> None:
    found = placement(page.log)
    assert (found.nodes.get("CPU"), set(found.counts)) == (None, {"WebGpu"})


def _run_and_compare(page: OrtPage, model: Path, io: IoForm, size: Size) -> None:
    image, mask = _inputs(io, size)
    found, wanted = page.run(model, image, mask), _native(model, image, mask)
    _all_on_webgpu(page)
    known = np.broadcast_to(mask == 0, image.shape)
    assert (found[known] == image[known]).all()
    off = np.abs(found[~known].astype(np.float64) - wanted[~known]).max()
    assert off <= (LEVEL if io == "uint8" else FLOAT_DIFF)


@pytest.mark.browser
@pytest.mark.parametrize(("io", "precision"), [("float", "fp32"), ("float", "w8"), ("uint8", "w8")])
def test_webgpu_takes_every_node(
    io: IoForm, precision: Precision, page: OrtPage, exported: Callable[..., Path]
) -> None:
    page.open(exported(None, SIZE, io=io, precision=precision, **FOR_WEB))
    _all_on_webgpu(page)


@pytest.mark.browser
def test_webgpu_takes_every_node_of_fp16_and_without_shader_f16_says_so(
    page: OrtPage, exported: Callable[..., Path]
) -> None:
    """The software adapter has no shader-f16: the session is laid out and then refused."""
    from playwright.sync_api import Error

    with pytest.raises(Error, match="requires f16 but the device does not support it"):
        page.open(exported(None, SIZE, precision="fp16", **FOR_WEB))
    _all_on_webgpu(page)


@pytest.mark.browser
def test_webgpu_leaves_known_pixels_as_they_are_and_fills_as_processors_do(
    page: OrtPage, exported: Callable[..., Path]
) -> None:
    _run_and_compare(page, exported(None, SIZE, io="uint8", **FOR_WEB), "uint8", SIZE)


@pytest.mark.browser
def test_of_a_file_for_everything_a_node_is_left_to_the_processor(
    page: OrtPage, exported: Callable[..., Path]
) -> None:
    """What `--for web` is there for; where this fails, ONNX Runtime Web has learned it."""
    page.open(exported("regular", SIZE))
    assert [node.split()[0] for node in placement(page.log).nodes["CPU"]] == ["Transpose"]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("family", [None, *FAMILIES])
@pytest.mark.parametrize(
    ("io", "precision"), [("float", "fp32"), ("float", "w8"), ("uint8", "fp32")]
)
def test_webgpu_runs_every_family(
    family: str | None,
    io: IoForm,
    precision: Precision,
    page: OrtPage,
    exported: Callable[..., Path],
) -> None:
    size = SIZE if family is None else FAMILY_SIZE
    model = exported(family, size, io=io, precision=precision, **FOR_WEB)
    _run_and_compare(page, model, io, size)
