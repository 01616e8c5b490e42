"""Exported ONNX files against the official implementation's results and against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lama_edge.errors import UsageError
from lama_edge.exporters.formats.onnx.file import build_onnx
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.forms import from_model, to_model
from lama_edge.imaging import pad, padded_size
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec

if TYPE_CHECKING:
    from conftest import GoldenCase

# The budget of the design; measured 8.9e-7 (matmul) and 1.5e-6 (op) on the golden cases.
LARGEST_DIFFERENCE = 1e-4
# How near a value must be to a rounding boundary to come out one level off, in levels.
ROUNDING_SLACK = 0.03

FORBIDDEN_OPS = {"DFT", "STFT", "Loop", "If", "Scan", "BatchNormalization", "Einsum"}
FORBIDDEN_TYPES = {
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.COMPLEX64,
    onnx.TensorProto.COMPLEX128,
}
Feeds = dict[str, NDArray[Any]]


def _options(
    checkpoint: Checkpoint,
    size: Size | None = None,
    form: IoForm = "float",
    *,
    composite: bool = True,
    **rest: Any,
) -> GraphOptions:
    policy = SizePolicy(size, checkpoint.config.size_multiple, checkpoint.config.min_size)
    return GraphOptions(io_spec(form, composite=composite), policy, **rest)


def _export(checkpoint: Checkpoint, options: GraphOptions) -> onnx.ModelProto:
    return build_onnx(checkpoint.config, checkpoint.tensors, options)


def _open(model: onnx.ModelProto) -> Callable[[Feeds], NDArray[Any]]:
    session_options = ort.SessionOptions()
    session_options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), session_options, providers=["CPUExecutionProvider"]
    )

    def run(feeds: Feeds) -> NDArray[Any]:
        output: NDArray[Any] = session.run(None, feeds)[0]
        return output

    return run


def _padded(case: GoldenCase) -> tuple[NDArray[Any], NDArray[Any]]:
    size = padded_size(*case.hole.shape, 8, 16)
    return pad(case.image, *size), pad(case.hole, *size)


def _run_case(model: onnx.ModelProto, options: GraphOptions, case: GoldenCase) -> NDArray[Any]:
    image, mask = to_model(options.io, *_padded(case))
    output = _open(model)({"image": image, "mask": mask})
    height, width = case.hole.shape
    return from_model(options.io, output)[:height, :width]


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize(
    ("sizes", "dft", "opset"),
    [
        ("fixed", "matmul", 17),
        ("dynamic", "matmul", 17),
        ("dynamic", "matmul", 21),
        ("dynamic", "op", 17),
        ("fixed", "op", 20),
    ],
)
def test_the_official_results_are_reproduced(
    golden_checkpoint: Checkpoint,
    golden_case: GoldenCase,
    sizes: str,
    dft: Any,
    opset: int,
    composite: bool,
) -> None:
    size = Size(*padded_size(*golden_case.hole.shape, 8, 16)) if sizes == "fixed" else None
    options = _options(golden_checkpoint, size, composite=composite, dft=dft, opset=opset)
    result = _run_case(_export(golden_checkpoint, options), options, golden_case) / 255
    expected = golden_case.inpainted if composite else golden_case.predicted
    difference = np.abs(result - expected).max()
    print(f"{sizes} {dft} opset {opset} composite {composite}: {difference:.1e}")
    assert difference <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("sizes", ["fixed", "dynamic"])
def test_uint8_is_the_rounded_result_and_keeps_every_known_pixel(
    golden_checkpoint: Checkpoint, golden_case: GoldenCase, sizes: str
) -> None:
    size = Size(*padded_size(*golden_case.hole.shape, 8, 16)) if sizes == "fixed" else None
    options = _options(golden_checkpoint, size, "uint8")
    result = _run_case(_export(golden_checkpoint, options), options, golden_case)
    exact = 255 * golden_case.inpainted.astype(np.float64)
    assert np.abs(result - exact).max() <= 0.5 + ROUNDING_SLACK
    known = ~golden_case.hole
    assert np.array_equal(result[known], golden_case.image[known])


def test_uint8_without_compositing_is_the_rounded_raw_fill(
    golden_checkpoint: Checkpoint, golden_case: GoldenCase
) -> None:
    options = _options(golden_checkpoint, None, "uint8", composite=False)
    model = _export(golden_checkpoint, options)
    assert model.graph.output[0].name == "predicted"
    result = _run_case(model, options, golden_case)
    assert np.abs(result - 255 * golden_case.predicted.astype(np.float64)).max() <= 0.53


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_any_mask_value_above_zero_is_hole(
    golden_checkpoint: Checkpoint, golden_case: GoldenCase, form: IoForm
) -> None:
    options = _options(golden_checkpoint, None, form)
    run = _open(_export(golden_checkpoint, options))
    image, mask = to_model(options.io, *_padded(golden_case))
    faint = (mask * (1e-6 if form == "float" else 1 / 255)).astype(mask.dtype)
    assert set(np.unique(faint)) != set(np.unique(mask))
    np.testing.assert_array_equal(
        run({"image": image, "mask": faint}), run({"image": image, "mask": mask})
    )


@pytest.mark.parametrize("size", [None, Size(64, 72)])
def test_a_batch_gives_what_its_pictures_give_alone(
    golden_checkpoint: Checkpoint, size: Size | None
) -> None:
    rng = np.random.default_rng(3)
    run = _open(_export(golden_checkpoint, _options(golden_checkpoint, size)))
    image = rng.random((3, 3, 64, 72), dtype=np.float32)
    mask = (rng.random((3, 1, 64, 72)) < 0.4).astype(np.float32)
    together = run({"image": image, "mask": mask})
    for index in range(3):
        part = slice(index, index + 1)
        alone = run({"image": image[part], "mask": mask[part]})
        np.testing.assert_allclose(together[part], alone, atol=1e-6)


@pytest.fixture(scope="module")
def dynamic_and_reference(
    make_checkpoint: Callable[..., Checkpoint],
) -> tuple[Callable[[Feeds], NDArray[Any]], TorchRunner]:
    checkpoint = make_checkpoint(FfcResnetConfig(ngf=8, n_blocks=2))
    options = _options(checkpoint, composite=False)
    return _open(_export(checkpoint, options)), TorchRunner(checkpoint, composite=False)


SIDES = st.integers(4, 65).map(lambda n: 8 * n)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(size=st.tuples(SIDES, SIDES).filter(lambda size: size[0] != size[1]))
def test_one_dynamic_file_is_right_at_every_size(
    dynamic_and_reference: tuple[Callable[[Feeds], NDArray[Any]], TorchRunner],
    size: tuple[int, int],
) -> None:
    run, reference = dynamic_and_reference
    rng = np.random.default_rng(size)
    image = rng.random((1, 3, *size), dtype=np.float32)
    mask = (rng.random((1, 1, *size)) < 0.3).astype(np.float32)
    result, expected = run({"image": image, "mask": mask}), reference.run(image, mask)
    assert np.abs(result - expected).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 16)])
def test_the_smallest_sizes_of_the_manifest_run(
    dynamic_and_reference: tuple[Callable[[Feeds], NDArray[Any]], TorchRunner],
    size: tuple[int, int],
) -> None:
    run, reference = dynamic_and_reference
    image = np.random.default_rng(1).random((1, 3, *size), dtype=np.float32)
    mask = np.ones((1, 1, *size), np.float32)
    result, expected = run({"image": image, "mask": mask}), reference.run(image, mask)
    assert np.abs(result - expected).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("n_downsampling", [2, 4])
@pytest.mark.parametrize("size", [None, Size(64, 96)])
def test_other_depths_export_too(
    make_checkpoint: Callable[..., Checkpoint], n_downsampling: int, size: Size | None
) -> None:
    config = FfcResnetConfig(ngf=4, n_blocks=1, n_downsampling=n_downsampling)
    checkpoint = make_checkpoint(config)
    run = _open(_export(checkpoint, _options(checkpoint, size, composite=False)))
    image = np.random.default_rng(2).random((1, 3, 64, 96), dtype=np.float32)
    mask = np.ones((1, 1, 64, 96), np.float32)
    expected = TorchRunner(checkpoint, composite=False).run(image, mask)
    assert np.abs(run({"image": image, "mask": mask}) - expected).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("form", ["float", "uint8"])
@pytest.mark.parametrize("size", [None, Size(64, 64)])
def test_the_graph_holds_only_what_every_runtime_has(
    golden_checkpoint: Checkpoint, size: Size | None, form: IoForm
) -> None:
    model = _export(golden_checkpoint, _options(golden_checkpoint, size, form))
    assert {node.op_type for node in model.graph.node} & FORBIDDEN_OPS == set()
    assert {node.domain for node in model.graph.node} == {""}
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    assert not any(attribute.HasField("g") for attribute in attributes)
    types = {tensor.data_type for tensor in model.graph.initializer}
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    types |= {value.type.tensor_type.elem_type for value in values}
    assert types & FORBIDDEN_TYPES == set()
    uint8 = onnx.TensorProto.UINT8
    uint8_values = {value.name for value in values if value.type.tensor_type.elem_type == uint8}
    # TensorRT refuses uint8 anywhere but at inputs and outputs.
    assert uint8_values == ({"image", "mask", "inpainted"} if form == "uint8" else set())


@pytest.mark.parametrize(("asked", "ir_version"), [(None, 8), (17, 8), (18, 8), (20, 9), (23, 11)])
def test_the_file_has_the_opset_asked_for_and_17_by_default(
    golden_checkpoint: Checkpoint, asked: int | None, ir_version: int
) -> None:
    rest = {} if asked is None else {"opset": asked}
    model = _export(golden_checkpoint, _options(golden_checkpoint, **rest))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", asked or 17)]
    assert model.ir_version == ir_version


def test_inputs_and_output_are_named_and_shaped_as_agreed(golden_checkpoint: Checkpoint) -> None:
    def described(model: onnx.ModelProto) -> dict[str, list[Any]]:
        return {
            value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in [*model.graph.input, *model.graph.output]
        }

    fixed = _options(golden_checkpoint, Size(64, 96), "uint8")
    assert described(_export(golden_checkpoint, fixed)) == {
        "image": ["batch", 64, 96, 3],
        "mask": ["batch", 64, 96, 1],
        "inpainted": ["batch", 64, 96, 3],
    }
    assert described(_export(golden_checkpoint, _options(golden_checkpoint))) == {
        "image": ["batch", 3, "height", "width"],
        "mask": ["batch", 1, "height", "width"],
        "inpainted": ["batch", 3, "height", "width"],
    }


def test_fixed_sizes_know_every_shape(golden_checkpoint: Checkpoint) -> None:
    """Compilers of mobile runtimes plan memory from the shapes in the file."""
    model = _export(golden_checkpoint, _options(golden_checkpoint, Size(64, 96)))
    known = {value.name: value.type.tensor_type.shape for value in model.graph.value_info}
    for node in model.graph.node:
        for name in set(node.output) - {"inpainted"}:
            assert all(d.dim_value or d.dim_param == "batch" for d in known[name].dim), name


@pytest.mark.parametrize("opset", [16, 99])
def test_an_opset_that_cannot_be_written_is_refused(
    golden_checkpoint: Checkpoint, opset: int
) -> None:
    with pytest.raises(UsageError, match=str(opset)):
        _options(golden_checkpoint, opset=opset)


@pytest.mark.parametrize("size", [Size(100, 104), Size(8, 64)])
def test_a_size_the_generator_cannot_take_is_refused(
    golden_checkpoint: Checkpoint, size: Size
) -> None:
    with pytest.raises(UsageError, match=str(size)):
        _options(golden_checkpoint, size)


def test_two_builds_are_the_same_bytes(golden_folder: Path, golden_checkpoint: Checkpoint) -> None:
    options = _options(golden_checkpoint, Size(64, 64))
    first, second = (
        _export(golden_checkpoint, options).SerializeToString(deterministic=True) for _ in range(2)
    )
    assert first == second
