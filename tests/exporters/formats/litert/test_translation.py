"""What becomes of the deploy graph: operators, orders of axes, paddings, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.litert.flatbuffer import GraphWriter
from lama_edge.exporters.formats.litert.model import translate
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers import convolution, reflect_pad, relu
from lama_edge.runtimes.litert.structure import Structure, read_structure
from lama_edge.spec import Size

Written = Callable[..., Path]
Write = Callable[[GraphBuilder, ir.Value], ir.Value]

SIZE = Size(72, 104)
# In two convolutions a block, each with a Fourier unit.
UNITS = {"fourier": 4, "lama-tiny": 10, "regular": 0, "dilated": 0}
# Every axis that a product of the DFT reads, and the channels of the convolutions before, between
# and after, has to come last once.
TRANSPOSES_A_UNIT = 6


def counts(structure: Structure) -> Counter[str]:
    return Counter(one.name for one in structure.operators)


def producers(structure: Structure) -> dict[int, str]:
    return {one.outputs[0]: one.name for one in structure.operators}


@pytest.mark.parametrize("family", UNITS)
def test_nothing_is_transposed_but_between_the_products_of_the_dft(
    written: Written, family: str
) -> None:
    structure = read_structure(written(family, SIZE))
    found = counts(structure)
    assert found["TRANSPOSE"] == TRANSPOSES_A_UNIT * UNITS[family]
    assert found["RESHAPE"] == 4 * UNITS[family]
    makers = producers(structure)
    read = [makers.get(one.inputs[0]) for one in structure.operators if one.name == "TRANSPOSE"]
    assert "TRANSPOSE" not in read


def test_the_operators_are_few_and_known(written: Written) -> None:
    known = {"CONV_2D", "SLICE", "CONCATENATION", "TRANSPOSE", "ADD", "RESHAPE", "DEPTH_TO_SPACE"}
    known |= {"SUB", "MUL", "GREATER", "CAST", "LOGISTIC"}
    assert set(counts(read_structure(written("fourier", SIZE)))) == known
    ends = {"DEQUANTIZE": 2, "QUANTIZE": 1}
    found = counts(read_structure(written("fourier", SIZE, "uint8")))
    assert {name: found[name] for name in found.keys() - known} == ends


def test_no_relu_stays_beside_the_convolution_that_it_belongs_to(written: Written) -> None:
    for family in UNITS:
        assert "RELU" not in counts(read_structure(written(family, SIZE)))


def test_tensors_have_four_axes_at_most_and_the_graph_s_names(written: Written) -> None:
    structure = read_structure(written("fourier", SIZE))
    assert max(len(tensor.shape) for tensor in structure.tensors) == 4
    names = {tensor.name: tensor for tensor in structure.tensors}
    assert len(names) == len(structure.tensors)
    assert names["block00.conv1.spectral.fourier.weight"].constant
    height, bins = 72 // 8, 104 // 8 // 2 + 1
    channels = names["block00.conv1.spectral.reduce_relu"].shape[3]
    assert names["block00.conv1.spectral.fourier_relu"].shape == (1, bins, height, 2 * channels)


def test_fp16_constants_are_half_as_large_and_biases_too(written: Written) -> None:
    wide, half = (written("fourier", SIZE, "float", kind) for kind in ("fp32", "fp16"))
    assert half.stat().st_size < 0.6 * wide.stat().st_size
    constants = [one for one in read_structure(half).tensors if one.constant]
    assert {one.dtype for one in constants if one.name.endswith((".weight", ".bias"))} == {
        "float16"
    }
    assert counts(read_structure(half))["DEQUANTIZE"] == sum(
        one.dtype == "float16" for one in constants
    )


def run_graph(tmp_path: Path, write: Write, x: np.ndarray) -> np.ndarray:
    """Write a layer into a file of its own and run it on float32 [1,C,H,W]."""
    from ai_edge_litert.interpreter import Interpreter

    graph = graph_of(write, x.shape)
    writer, path = GraphWriter(), tmp_path / "layer.tflite"
    inputs, outputs = translate(graph, writer)
    writer.write(path, inputs, outputs, description="a layer", manifest="{}")
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(source["index"], np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    interpreter.invoke()
    found: np.ndarray = interpreter.get_tensor(result["index"]).transpose(0, 3, 1, 2)
    return found


def graph_of(write: Write, shape: tuple[int, ...]) -> ir.Graph:
    b = GraphBuilder(17)
    value = ir.val("x", ir.DataType.FLOAT, shape)
    y = write(b, value)
    y.name, y.type = "y", ir.TensorType(ir.DataType.FLOAT)
    return b.build([value], y, name="layer", ir_version=9).graph


@pytest.mark.parametrize("amount", [1, 2, 3, 4, 7])
def test_reflect_pads_of_every_width_are_numpy_s(tmp_path: Path, amount: int) -> None:
    x = np.random.default_rng(0).random((1, 5, 11, 9), np.float32)
    found = run_graph(tmp_path, lambda b, v: reflect_pad(b, "pad", v, amount), x)
    sides = [(0, 0), (0, 0), (amount, amount), (amount, amount)]
    np.testing.assert_array_equal(found, np.pad(x, sides, mode="reflect"))


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (0, 0, 1, 1), (1, 1, 1, 1), (2, 0, 1, 3)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 1, 1), (3, 1, 2)]
)
def test_convolutions_pad_with_zeros_where_the_graph_says(
    run_layer: Callable[..., np.ndarray],
    tmp_path: Path,
    padding: tuple[int, int, int, int],
    kernel: int,
    stride: int,
    dilation: int,
) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 3, 10, 13)).astype(np.float32)
    weight = rng.standard_normal((4, 3, kernel, kernel))

    def write(b: GraphBuilder, value: ir.Value) -> ir.Value:
        bias = np.arange(4.0)
        more = {"stride": stride, "padding": padding, "dilation": dilation}
        return relu(b, "relu", convolution(b, "conv", value, weight, bias, **more))

    np.testing.assert_allclose(
        run_graph(tmp_path, write, x), run_layer(write, x), rtol=0, atol=1e-5
    )


def test_products_take_a_constant_from_either_side(
    run_layer: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((1, 3, 10, 13)).astype(np.float32)
    left, right = (rng.standard_normal(sides).astype(np.float32) for sides in ((7, 10), (13, 6)))

    def write(b: GraphBuilder, value: ir.Value) -> ir.Value:
        first = b.op("MatMul", "first", b.constant("left", left), value)
        second = b.op("MatMul", "second", first, b.constant("right", right))
        return b.op("Transpose", "turned", second, perm=[0, 2, 3, 1])

    np.testing.assert_allclose(
        run_graph(tmp_path, write, x), run_layer(write, x), rtol=0, atol=1e-4
    )


def _erf(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("Erf", "bent", value)


def _grown(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("Mul", "grown", value, value)


def _uneven(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("Pad", "uneven", value, b.integers(0, 0, 1, 1, 0, 0, 2, 1), mode="reflect")


def _zeros(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("Pad", "zeros", value, b.integers(0, 0, 1, 1, 0, 0, 1, 1), mode="constant")


def _shuffled(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("DepthToSpace", "shuffled", value, blocksize=2, mode="CRD")


def _both(b: GraphBuilder, value: ir.Value) -> ir.Value:
    return b.op("MatMul", "both", value, value)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_erf, "'bent' is a Erf, which has no translation to LiteRT; known: Add, Cast, Concat"),
        (_grown, "'grown': LiteRT is given products with a number only"),
        (_uneven, "'uneven': LiteRT is given the same reflect pads on both sides"),
        (_zeros, "'zeros': LiteRT is given reflect pads of height and width only"),
        (_shuffled, "'shuffled': LiteRT's shuffle takes channels in the order DCR"),
        (_both, "'both': LiteRT is given products with a constant matrix only"),
    ],
)
def test_what_no_deploy_graph_has_is_refused_by_name(write: Write, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        translate(graph_of(write, (1, 4, 8, 8)), GraphWriter())


def test_every_constant_stands_where_vectors_may_read_it(written: Written) -> None:
    """The schema asks for 16 bytes; readers map them into registers without a look."""
    from ai_edge_litert import schema_py_generated as schema

    data = written("fourier", SIZE).read_bytes()
    model = schema.Model.GetRootAs(data, 0)
    start = np.frombuffer(data, np.uint8).ctypes.data
    places = []
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if not buffer.DataIsNone():
            places.append(buffer.DataAsNumpy().ctypes.data - start)
    assert len(places) > 50
    assert {place % 16 for place in places} == {0}
