"""Sub-pixel shuffles in the order that Core ML documents: a pass over a deploy graph.

The graph's `DepthToSpace` takes channels block by block (ONNX's DCR). MIL's `pixel_shuffle` is
PyTorch's, channel by channel (CRD); its `depth_to_space` states no order. So what feeds a shuffle
gives its channels in the other order: a concatenation interleaves its parts, and a convolution's
weights are sorted once, here.
"""

from __future__ import annotations

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.precision.homogeneity import array_of

with needs_extra("export"):
    import onnx_ir as ir

# A concatenation that takes one channel of each part in turn; ONNX has none.
INTERLEAVED = "InterleavedConcat"


def to_pixel_shuffle(graph: ir.Graph) -> None:
    """Turn every `DepthToSpace` from DCR into CRD, in place.

    Raises:
        ModelError: when a shuffle reads neither a convolution nor a concatenation of its own.
    """
    for node in graph:
        if node.op_type != "DepthToSpace" or node.attributes["mode"].as_string() != "DCR":
            continue
        (value,) = node.inputs
        assert value is not None
        producer = value.producer()
        block = node.attributes["blocksize"].as_int()
        if producer is None or len(value.uses()) != 1:
            raise ModelError(f"{node.name!r} reads a value that others read too")
        if producer.op_type == "Conv":
            _sort_outputs(producer, block)
        elif producer.op_type == "Concat" and len(producer.inputs) == block**2:
            producer.op_type = INTERLEAVED
        else:
            raise ModelError(f"{node.name!r} reads a {producer.op_type}, not a layer's phases")
        node.attributes["mode"] = ir.AttrString("mode", "CRD")


def _sort_outputs(layer: ir.Node, block: int) -> None:
    """Sort a convolution's output channels from (block, channel) to (channel, block)."""
    for value in layer.inputs[1:]:
        if value is None:
            continue
        array = array_of(value)
        blocks = array.reshape(block**2, -1, *array.shape[1:])
        ordered = np.ascontiguousarray(blocks.swapaxes(0, 1)).reshape(array.shape)
        value.const_value = ir.tensor(ordered, name=value.name)
