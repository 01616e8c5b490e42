"""A deploy graph as a torch module whose every call is a layer of ncnn's once pnnx has seen it."""

from __future__ import annotations

import operator

from lama_edge.errors import needs_extra
from lama_edge.exporters.torch_module.translation import Translation, torch_module

with needs_extra("export"):
    import onnx_ir as ir
with needs_extra("ncnn-export"):
    import torch
    import torch.nn.functional as F
    from torch import fx


def ncnn_module(model: ir.Model) -> fx.GraphModule:
    """Make the module, in float32 whatever the graph's precision: pnnx stores what it is told.

    Its shuffles take their channels in torch's order and not in the graph's, since the layer of
    ncnn's is told apart by a parameter that pnnx leaves out; so the module is for pnnx alone.

    Arguments as for `torch_module`.
    """
    own = {
        "Cast": _same,
        "DepthToSpace": _shuffle,
        "MatMul": _product,
        "Pad": _pad,
        "Slice": _slice,
    }
    return torch_module(model, operators=own).float()


def _pad(t: Translation, node: ir.Node) -> fx.Node:
    """Reflect by the one layer that ncnn has for it."""
    x, amounts = node.inputs[:2]
    _, _, top, left, _, _, bottom, right = t.constant(amounts).tolist()
    return t.call(F.pad, t[x], [left, right, top, bottom], "reflect")


def _product(t: Translation, node: ir.Node) -> fx.Node:
    """Multiply as it stands: a linear layer of ncnn's is for vectors and matrices alone."""
    left, right = node.inputs
    return t.call(torch.matmul, t[left], t[right])


def _shuffle(t: Translation, node: ir.Node) -> fx.Node:
    return t.call(F.pixel_shuffle, t[node.inputs[0]], node.attributes["blocksize"].as_int())


def _same(t: Translation, node: ir.Node) -> fx.Node:
    """Leave out a change of type: all is in float32, and the hole is numbers already."""
    return t[node.inputs[0]]


def _slice(t: Translation, node: ir.Node) -> fx.Node:
    """Index: pnnx does not know `torch.narrow`."""
    x, *rest = node.inputs
    (start,), (end,), (axis,) = (t.constant(value).tolist() for value in rest)
    return t.call(operator.getitem, t[x], (slice(None),) * axis + (slice(start, end),))
