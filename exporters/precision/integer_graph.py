"""Rewrites a float graph so that layers read and give integers, in the form that fuses."""

from __future__ import annotations

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.precision.homogeneity import array_of
from lama_edge.exporters.precision.layer_kinds import LayerKind, layer_kind
from lama_edge.exporters.precision.quantised_values import (
    KEPT,
    MOVING,
    Scale,
    pixels_beside,
    result_of,
    shared_range,
    sources,
    unsigned_scale,
)
from lama_edge.exporters.precision.weights8 import (
    constant,
    dequantised,
    int8_weight,
    remove_unused_constants,
)
from lama_edge.judging.ranges import Ranges
from lama_edge.stages import STAGES_KEY, StagePlan

with needs_extra("export"):
    import onnx_ir as ir
    from onnx_ir.passes.common import RemoveUnusedNodesPass

# Output channels, times the stride, from which a convolution is faster as a product. Measured
# alone at big-lama's shape and 512 x 512, in ms, direct and as a product: 128 to 384 3.0 and 2.3,
# 512 to 256 3.5 and 2.9, 256 to 384 with stride 2 6.1 and 3.3; 256 to 128 3.6 and 4.1, 64 to 128
# 8.8 and 19.9. 512 to 128 alone is faster as a product (4.4 and 3.3) and in the graph slower (its
# copies do not fit the cache beside everything else: 816 ms become 861). At a fixed size the
# bottleneck's convolutions are products already, see `export.layers_channels_last`.
_PRODUCT_OUTPUTS = 192
# Where another share of a value's extremes than `KEPT` is better, by what reads it. With it
# lama-tiny's photographs of 256 and 512 pixels gain 0.7 and 0.8 dB in LiteRT, 1.2 and 1.5 in
# OpenVINO, its scenes 0.5 to 1.5; other kinds gain nothing. Not among gathered products: a golden
# checkpoint with random weights falls below 34 dB there.
_KEPT_BY_KIND: dict[LayerKind, float] = {"upsampling": 0.6}


class IntegerGraph:
    """Rewrites a graph so that layers read and give integers."""

    def __init__(
        self,
        model: ir.Model,
        ranges: Ranges,
        *,
        products: bool = True,
        rounded: bool = True,
        paired: bool = False,
    ) -> None:
        """Take a graph to rewrite.

        Args:
            model: the graph.
            ranges: of its values.
            products: whether convolutions that are faster so become products, see `_weight_zero`.
            rounded: whether convolutions give integers, for kernels that give nothing else;
                otherwise all layers read integers and give floats.
            paired: whether pairs of weights are held to what 16 bits add, see `round_weights`.
        """
        self._model = model
        self._products, self._rounded, self._paired = products, rounded, paired
        self._graph = model.graph
        self._ranges = ranges
        self._named = stage_values(model)
        self._scales: dict[ir.Value, tuple[Scale, list[ir.Value]]] = {}
        self._integers: dict[ir.Value, ir.Value] = {}

    def quantise(self, layers: list[ir.Node]) -> None:
        """Rewrite the graph for these layers."""
        results = [
            result_of(layer) for layer in layers if self._rounded and layer.op_type == "Conv"
        ]
        self._choose_scales(layers, results)
        for result in results:
            self._round(result)
        for layer in layers:
            self._read_integers(layer)
        for node in self._graph:
            # A shape read from floats would keep them alive beside the integers.
            value = node.inputs[0] if node.op_type == "Shape" else None
            if value in self._integers:
                node.replace_input_with(0, self._integers[value])
        RemoveUnusedNodesPass()(self._model)
        self._drop_relus()
        remove_unused_constants(self._graph)

    def _choose_scales(self, layers: list[ir.Node], results: list[ir.Value]) -> None:
        """Give each value that integers stand for a scale; what is joined shares one."""
        groups: list[tuple[set[ir.Value], float]] = []
        wanted = [([result], KEPT) for result in results]
        by_kind = {} if self._products else _KEPT_BY_KIND
        wanted += [
            (list(sources(layer.inputs[0])), by_kind.get(layer_kind(str(layer.name)), KEPT))
            for layer in layers
            if layer.inputs[0]
        ]
        for values, share in wanted:
            joined, kept = set(values), share
            apart = []
            for group, other in groups:
                if group.isdisjoint(joined):
                    apart.append((group, other))
                else:
                    joined |= group
                    kept = min(kept, other)
            groups = [*apart, (joined, kept)]
        for group, kept in groups:
            ordered = sorted(group, key=lambda value: str(value.name))
            scale = unsigned_scale(*shared_range(ordered, self._ranges, kept))
            parameters = parameters_of(self._graph, str(ordered[0].name), scale)
            self._scales.update(dict.fromkeys(group, (scale, parameters)))

    def _round(self, result: ir.Value) -> None:
        """Let what reads a layer's result read its integers, or floats made of them."""
        scale, parameters = self._scales[result]
        uses = list(result.uses())
        integers = quantised(self._graph, result, parameters)
        node = ir.node("DequantizeLinear", [integers, *parameters])
        rounded = node.outputs[0]
        rounded.name = node.name = f"{result.name}.rounded"
        producer = integers.producer()
        assert producer is not None
        self._graph.insert_after(producer, node)
        for use in uses:
            use.node.replace_input_with(use.idx, rounded)
        self._scales[rounded] = scale, parameters
        self._integers[rounded] = integers

    def _read_integers(self, layer: ir.Node) -> None:
        x, weight, *rest = (value for value in layer.inputs if value is not None)
        scale, parameters = self._scales[next(sources(x))]
        name, graph = str(layer.name), self._graph
        integers = self._integer(x)
        pair = [integers, *parameters]
        layer.replace_input_with(0, dequantised(graph, layer, f"{name}.input", pair, axis=None))
        zero, beside = self._products * _weight_zero(layer), pixels_beside(x)
        channels = int8_weight(graph, layer, weight, zero=zero, beside=beside, paired=self._paired)
        layer.replace_input_with(1, channels)
        for bias in rest if self._rounded else ():
            node = channels.producer()
            assert node is not None
            assert node.inputs[1] is not None
            step = array_of(node.inputs[1]) * scale.step
            levels = np.rint(array_of(bias) / step.astype(np.float64))
            limits = np.iinfo(np.int32)
            values = [
                constant(
                    graph,
                    f"{bias.name}.int32",
                    np.clip(levels, limits.min, limits.max).astype(np.int32),
                ),
                constant(graph, f"{bias.name}.scale", step),
            ]
            layer.replace_input_with(2, dequantised(graph, layer, f"{bias.name}.float", values))

    def _integer(self, value: ir.Value) -> ir.Value:
        """Return the integers that stand for a value."""
        if value not in self._integers:
            node = value.producer()
            if node is None or node.op_type not in MOVING:
                _, parameters = self._scales[value]
                self._integers[value] = quantised(self._graph, value, parameters)
            else:
                self._integers[value] = self._moved(node)
        return self._integers[value]

    def _moved(self, node: ir.Node) -> ir.Value:
        """Write a node that moves elements a second time, for integers."""
        count = len(node.inputs) if node.op_type == "Concat" else 1
        moved = [self._integer(value) for value in node.inputs[:count] if value is not None]
        name = f"{node.outputs[0].name}.integer"
        twin = ir.node(
            node.op_type, [*moved, *node.inputs[count:]], dict(node.attributes), name=name
        )
        twin.outputs[0].name = name
        self._graph.insert_after(node, twin)
        return twin.outputs[0]

    def _drop_relus(self) -> None:
        """Remove ReLUs before a quantisation whose zero point is 0: it clips at 0 itself."""
        for node in list(self._graph):
            if node.op_type != "QuantizeLinear":
                continue
            value, zero = node.inputs[0], node.inputs[2]
            assert value is not None
            assert zero is not None
            relu = value.producer()
            if relu is None or relu.op_type != "Relu" or array_of(zero) != 0:
                continue
            if str(value.name) in self._named:
                continue
            if len(list(value.uses())) == 1 and not value.is_graph_output():
                node.replace_input_with(0, relu.inputs[0])
                self._graph.remove(relu, safe=True)


def _weight_zero(layer: ir.Node) -> int:
    """Return the integer that stands for a weight of 0.

    ONNX Runtime 1.31 computes convolutions whose weights have zero point 0 directly, and others
    as matrix products, for which it copies every window. On processors with matrix units (AMX)
    the product is 1.2 to 1.9 times as fast where many outputs repay the copy; elsewhere it is
    slower, by a factor of three where channels are few.
    """
    weight = layer.inputs[1]
    assert weight is not None
    strided = max(layer.attributes["strides"].as_ints() if "strides" in layer.attributes else [1])
    repays = len(array_of(weight)) >= _PRODUCT_OUTPUTS * strided
    return -1 if repays and layer.op_type == "Conv" else 0


def stage_values(model: ir.Model) -> frozenset[str]:
    """Return the names of the values between which the graph can be cut; they stay floats."""
    text = model.metadata_props.get(STAGES_KEY)
    if text is None:
        return frozenset()
    stages = StagePlan.from_json(text).stages
    return frozenset(name for stage in stages for name in (*stage.reads, *stage.outputs))


def parameters_of(graph: ir.Graph, name: str, scale: Scale) -> list[ir.Value]:
    """Return the step and the zero point as constants."""
    return [
        constant(graph, f"{name}.step", np.array(scale.step)),
        constant(graph, f"{name}.zero_point", scale.zero_point),
    ]


def quantised(graph: ir.Graph, value: ir.Value, parameters: list[ir.Value]) -> ir.Value:
    """Insert a `QuantizeLinear` after a value and return the integers."""
    name = f"{value.name}.quantised"
    node = ir.node("QuantizeLinear", [value, *parameters], name=name)
    node.outputs[0].name = name
    producer = value.producer()
    assert producer is not None
    graph.insert_after(producer, node)
    return node.outputs[0]
