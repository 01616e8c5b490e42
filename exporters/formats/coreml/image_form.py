"""Pictures in and out: a pass that gives a deploy graph of the uint8 form Core ML's images.

Core ML hands an image to the program as planar floats from 0 to 255 and takes one back the same
way, so the casts and transpositions at the ends go. What is between stays as it is: the division
by 255, the mask's threshold, and the composite on the 0-to-255 scale, where known pixels are
passed through untouched.
"""

from __future__ import annotations

from lama_edge.errors import needs_extra

with needs_extra("export"):
    import onnx_ir as ir


def to_image_form(graph: ir.Graph) -> None:
    """Replace uint8 NHWC inputs and output by float32 NCHW ones under the same names, in place.

    Args:
        graph: a deploy graph of the uint8 form.
    """
    for index, value in enumerate(graph.inputs):
        graph.inputs[index] = _planar_input(graph, value)
    (output,) = graph.outputs
    cast = output.producer()
    assert cast is not None
    interleaved = cast.inputs[0]
    assert interleaved is not None
    transpose = interleaved.producer()
    assert transpose is not None
    planar = transpose.inputs[0]
    assert planar is not None
    name = output.name
    graph.outputs[0] = planar
    graph.remove([cast, transpose], safe=True)
    planar.name, planar.dtype = name, ir.DataType.FLOAT


def _planar_input(graph: ir.Graph, value: ir.Value) -> ir.Value:
    (cast,) = (use.node for use in value.uses())
    (transpose,) = (use.node for use in cast.outputs[0].uses())
    assert value.shape is not None
    batch, height, width, channels = value.shape
    planar = ir.val(str(value.name), ir.DataType.FLOAT, ir.Shape([batch, channels, height, width]))
    for use in list(transpose.outputs[0].uses()):
        use.node.replace_input_with(use.idx, planar)
    graph.remove([transpose, cast], safe=True)
    return planar
