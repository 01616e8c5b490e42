"""The torch module of a deploy graph holds its constants and computes what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from places import DATA
from torch import fx

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.executorch.graphs import source_graph
from lama_edge.exporters.formats.onnx.file import finish
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.precision.build import build_at
from lama_edge.exporters.precision.homogeneity import array_of
from lama_edge.exporters.torch_module.translation import TRANSPOSED, spelt, torch_module
from lama_edge.forms import to_model
from lama_edge.judging.cases import seeded_cases
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.pipeline import measured_ranges
from lama_edge.spec import IoForm, Precision, Size, SizePolicy, io_spec

SIZES = {
    "fourier": (Size(64, 64), Size(72, 104)),
    "regular": (Size(64, 88),),
    "dilated": (Size(80, 72),),
    "lama-tiny": (Size(72, 104),),
}
CASES = [(family, size) for family, sizes in SIZES.items() for size in sizes]
LARGEST_DIFFERENCE = 2e-6
INT8_SIZE = Size(128, 128)
INT8_LEAST_PSNR_DB = 38


def _graph(
    family: str,
    size: Size,
    io: IoForm = "float",
    precision: Precision = "fp32",
    build: Any = build_at,
    **form: Any,
) -> Any:
    checkpoint = load_checkpoint(None if family == "lama-tiny" else DATA / family)
    config = checkpoint.config
    policy = SizePolicy(size, config.size_multiple, config.min_size)
    ranges = None if precision == "fp32" else measured_ranges(checkpoint, policy, precision, None)
    options = GraphOptions(io=io_spec(io, batch=1, **form), size=policy)
    return build(precision, config, checkpoint.tensors, options, ranges).model


def _inputs(size: Size, io: IoForm) -> tuple[NDArray[Any], NDArray[Any]]:
    (case,) = seeded_cases(SizePolicy(size, 8, 16))
    return to_model(io_spec(io, batch=1), case.image, case.hole)


def _run(module: torch.nn.Module, *arrays: NDArray[Any]) -> NDArray[Any]:
    with torch.inference_mode():
        found: NDArray[Any] = module(*map(torch.from_numpy, arrays)).numpy()
    return found


def _computed(model: Any, *arrays: NDArray[Any]) -> NDArray[Any]:
    session = ort.InferenceSession(
        finish(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [one.name for one in session.get_inputs()]
    (found,) = session.run(None, dict(zip(names, arrays, strict=True)))
    return np.asarray(found)


def _constants(model: Any) -> dict[str, NDArray[Any]]:
    """What a graph computes with: floats that are no numbers by themselves."""
    arrays = {name: array_of(value) for name, value in model.graph.initializers.items()}
    return {name: one for name, one in arrays.items() if one.dtype.kind == "f" and one.ndim}


def _assert_same(buffers: Mapping[str, torch.Tensor], constants: Mapping[str, Any]) -> None:
    wanted = {spelt(name): array for name, array in constants.items()}
    wanted |= {spelt(name + TRANSPOSED): array.T for name, array in constants.items()}
    found = {name: buffer.numpy() for name, buffer in buffers.items()}
    for name, array in found.items():
        assert array.dtype == wanted[name].dtype
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)
    read = {name.removesuffix(spelt(TRANSPOSED)) for name in found}
    assert read == set(map(spelt, constants))


@pytest.mark.parametrize("io", ["float", "uint8"])
@pytest.mark.parametrize(("family", "size"), CASES)
def test_it_computes_what_the_graph_does(family: str, size: Size, io: IoForm) -> None:
    model, arrays = _graph(family, size, io), _inputs(size, io)
    found, wanted = _run(torch_module(model), *arrays), _computed(model, *arrays)
    assert found.dtype == wanted.dtype
    limit = 1 if io == "uint8" else LARGEST_DIFFERENCE
    assert np.abs(found.astype(float) - wanted).max() <= limit
    hole = np.broadcast_to(arrays[1] > 0, wanted.shape)
    np.testing.assert_array_equal(found[~hole], arrays[0][~hole])


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("family", ["fourier", "dilated", "lama-tiny"])
def test_its_buffers_are_the_graphs_constants(family: str, precision: Precision) -> None:
    model = _graph(family, Size(72, 80), precision=precision)
    buffers = dict(torch_module(model).named_buffers())
    assert len(buffers) > 50
    _assert_same(buffers, _constants(model))
    assert not list(torch_module(model).parameters())


def test_the_raw_fill_is_what_the_graph_gives() -> None:
    model, arrays = _graph("fourier", Size(64, 64), composite=False), _inputs(Size(64, 64), "float")
    found = _run(torch_module(model), *arrays)
    np.testing.assert_allclose(found, _computed(model, *arrays), atol=LARGEST_DIFFERENCE)
    hole = np.broadcast_to(arrays[1] > 0, found.shape)
    assert (found[~hole] != arrays[0][~hole]).any()


def test_everything_above_zero_is_hole() -> None:
    size = Size(64, 64)
    module = torch_module(_graph("fourier", size))
    image, mask = _inputs(size, "float")
    wanted = _run(module, image, mask)
    tiny, large = (np.where(mask > 0, np.float32(level), 0) for level in (1e-30, 255))
    below = np.where(mask > 0, np.float32(1), np.float32(-3))
    for marks in (tiny, large, below):
        np.testing.assert_array_equal(_run(module, image, marks), wanted)


def test_no_value_is_a_boolean_or_read_through_indices() -> None:
    """Runtimes for phones leave both to slow kernels, or have none."""
    module = torch_module(_graph("lama-tiny", Size(64, 64)))
    seen = []

    class Watching(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            found = super().run_node(n)
            seen.append(found.dtype)
            return found

    with torch.inference_mode():
        Watching(module).run(*map(torch.from_numpy, _inputs(Size(64, 64), "float")))
    assert set(seen) == {torch.float32}
    pads = [node for node in module.graph.nodes if node.target is torch.nn.functional.pad]
    assert {len(node.args) for node in pads} == {2}  # of the doublings, with zeros


@pytest.fixture(scope="module")
def quantised() -> Any:
    """lama-tiny in int8 as XNNPACK likes it."""
    return _graph("lama-tiny", INT8_SIZE, precision="int8", build=source_graph)


def test_int8_keeps_the_picture(quantised: Any) -> None:
    """Measured 43.0 dB, here and in ExecuTorch."""
    arrays = _inputs(INT8_SIZE, "float")
    found = _run(torch_module(quantised), *arrays)
    wanted = _computed(_graph("lama-tiny", INT8_SIZE), *arrays)
    hole = np.broadcast_to(arrays[1] > 0, wanted.shape)
    noise = np.square(found[hole] - wanted[hole]).mean()
    assert -10 * np.log10(noise) >= INT8_LEAST_PSNR_DB
    np.testing.assert_array_equal(found[~hole], arrays[0][~hole])


def test_int8_is_written_as_backends_recognise_it(quantised: Any) -> None:
    """Every operator has a turning back of its own before it, and weights stay integers."""
    module, ops = torch_module(quantised), torch.ops.quantized_decomposed
    by_target: dict[Any, list[fx.Node]] = {}
    for node in module.graph.nodes:
        by_target.setdefault(node.target, []).append(node)
    for target in (ops.dequantize_per_tensor.default, ops.dequantize_per_channel.default):
        assert by_target[target]
        for node in by_target[target]:
            assert len(node.users) == 1
    for node in by_target[ops.quantize_per_tensor.default]:
        assert node.args[3:] == (-128, 127, torch.int8)
        assert -128 <= node.args[2] <= 127
    found = {one.numpy().tobytes() for one in module.buffers() if one.dtype == torch.int8}
    values = (array_of(one) for one in quantised.graph.initializers.values())
    # Scalars of that type are zero points.
    assert found == {one.tobytes() for one in values if one.dtype == np.int8 and one.ndim > 1}


def test_constants_that_would_have_one_name_in_python_are_refused() -> None:
    model = _graph("regular", Size(64, 64))
    first, second = list(_constants(model))[:2]
    model.graph.initializers[second].name = spelt(first)
    with pytest.raises(ModelError, match="and another constant would both be"):
        torch_module(model)


def test_a_translation_of_ones_own_takes_the_place_of_the_one_here() -> None:
    def doubled(t: Any, node: Any) -> fx.Node:
        return t.call(torch.mul, t[node.inputs[0]], 2.0)

    model, arrays = _graph("fourier", Size(64, 64), composite=False), _inputs(Size(64, 64), "float")
    assert _run(torch_module(model, {"Sigmoid": doubled}), *arrays).max() > 1


@pytest.mark.parametrize("op_type", ["DFT", "Scan"])
def test_an_operator_without_a_translation_is_named(
    op_type: str,
) -> None:
    checkpoint = load_checkpoint(DATA / "fourier")
    config = checkpoint.config
    form: dict[str, Any] = {"dft": "op"} if op_type == "DFT" else {"kernels": "bands"}
    policy = SizePolicy(Size(64, 64), config.size_multiple, config.min_size)
    options = GraphOptions(io=io_spec("float", batch=1), size=policy, **form)
    model = build_deploy_graph(config, checkpoint.tensors, options)
    with pytest.raises(ModelError, match="which has no translation to torch; known: Add, "):
        torch_module(model)
