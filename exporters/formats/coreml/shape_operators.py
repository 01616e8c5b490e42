"""ONNX's operators in MIL's: integers computed from shapes, in packages of any size."""

from __future__ import annotations

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.coreml.toolkit import Builder, Var
from lama_edge.exporters.formats.coreml.translation import Translation, integer, name_of, operator

with needs_extra("export"):
    import onnx_ir as ir


@operator("Shape")
def _shape(t: Translation, node: ir.Node) -> Var:
    x, name = t[node.inputs[0]], name_of(node)
    start, end = integer(node, "start", 0), integer(node, "end", x.rank)
    whole = Builder.shape(x=x, name=f"{name}_whole")
    return Builder.slice_by_index(x=whole, begin=[start], end=[end], name=name)


@operator("Range")
def _range(t: Translation, node: ir.Node) -> Var:
    start, limit, step = (t[value] for value in node.inputs)
    return Builder.range_1d(start=start, end=limit, step=step, name=name_of(node))


@operator("Squeeze")
def _squeeze(t: Translation, node: ir.Node) -> Var:
    axes = t.integers(node.inputs[1]) if len(node.inputs) > 1 else None
    return Builder.squeeze(x=t[node.inputs[0]], axes=axes, name=name_of(node))


@operator("Unsqueeze")
def _unsqueeze(t: Translation, node: ir.Node) -> Var:
    axes = t.integers(node.inputs[1])
    if axes is None:
        raise ModelError(f"{node.name!r}: Core ML is given new axes at constant places only")
    return Builder.expand_dims(x=t[node.inputs[0]], axes=axes, name=name_of(node))
