"""Static int8: a float deploy graph with integers where they are fast and do no harm.

Quantise and dequantise nodes stand round the layers that compute in integers, and runtimes with
integer kernels fuse each such group into one. What only moves elements (padding, joining,
shuffling) works on the integers themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lama_edge.errors import needs_extra
from lama_edge.exporters.precision.equalisation import equalise
from lama_edge.exporters.precision.integer_graph import IntegerGraph, parameters_of, quantised
from lama_edge.exporters.precision.layer_kinds import LayerKind, layer_kind
from lama_edge.exporters.precision.quantised_values import (
    LAYERS,
    shared_range,
    signed_scale,
    sources,
)
from lama_edge.exporters.precision.weights8 import (
    dequantised,
    int8_weight,
    quantise_weights,
    remove_unused_constants,
)
from lama_edge.judging.ranges import Ranges

with needs_extra("export"):
    import onnx_ir as ir

Flavour = Literal["onnxruntime", "litert", "openvino", "tensorrt"]

# Kinds of layers that compute in floats, and why. With one kind alone in integers lama-tiny's
# photographs of 256 pixels come to 29.7 and 38.0 dB, and to 44.1 dB or more with any other
# (`python -m lama_edge.benchmarks.studies.int8_study`).
SENSITIVE: dict[LayerKind, str] = {
    "spectrum": "its constant bin is a hundred times larger than the others",
    "expand": "it reads a sum with the spectrum's inverse, peaked and of both signs",
}
# What is said of kinds that compute in floats in some flavours.
WHY_FLOAT: dict[LayerKind, str] = {
    **SENSITIVE,
    "reduce": "the transform behind it gathers what rounding adds to every pixel",
}


@dataclass(frozen=True)
class Quantisation:
    """What is chosen for a quantised graph.

    Attributes:
        flavour: ``onnxruntime`` (uint8 activations with a zero point, int32 biases, results
            rounded where the kernels round them; wants a graph shaped for integer kernels) or
            ``tensorrt`` (int8 activations with zero point 0 at the layers' inputs, float biases;
            wants one shaped for float kernels), ``litert`` (as for ONNX Runtime, for direct
            kernels), or ``openvino`` (uint8 activations with a zero point at the layers' inputs,
            float biases and results; wants one shaped for float kernels).
        float_kinds: kinds of layers that compute in floats, with int8 weights.
        dynamic_kinds: kinds whose kernels read floats, round them to int8 as they come, and give
            floats: nothing is measured for them.
        float_weights: whether layers that compute in floats keep their weights in floats.
    """

    flavour: Flavour = "onnxruntime"
    float_kinds: frozenset[LayerKind] = frozenset(SENSITIVE)
    dynamic_kinds: frozenset[LayerKind] = frozenset()
    float_weights: bool = False


ONNXRUNTIME = Quantisation()
# XNNPACK gives every pixel that a 1x1 convolution reads a scale of its own, so that neither the
# spectrum's constant bin nor the peaks of its inverse cost the others their digits. lama-tiny's
# scenes of 128 and 256 pixels and its photographs of 256 come to 43.2, 40.4 and 40.3 dB with the
# sensitive kinds in floats, to 43.8, 42.9 and 41.6 so.
_SPECTRAL: frozenset[LayerKind] = frozenset({"reduce", "spectrum", "expand"})
LITERT = Quantisation("litert", frozenset(), _SPECTRAL)
# OpenVINO's integer kernels give floats, so that nothing is rounded but what layers read. With
# the convolution that reduces in integers too, lama-tiny's photographs of 256 and 512 pixels lose
# 1.4 and 2.8 dB, and big-lama's shape gains a twentieth of its time.
OPENVINO = Quantisation("openvino", _SPECTRAL)
# Its products of float rows with int8 weights round the rows as they come, every few dozen channels
# by a scale of their own, where a processor has the instructions; otherwise they stay floats. What
# that costs is half a decibel: lama-tiny's scenes of 256 and 512 pixels and its photographs come
# to 45.0, 44.8, 44.0 and 41.3 dB.
OPENVINO_PRODUCTS = Quantisation("openvino", frozenset(), _SPECTRAL)

# The sensitive kinds in floats, weights and all: ExecuTorch's XNNPACK has no convolution of floats
# by int8 weights that was not written as one that rounds what it reads. lama-tiny's seeded picture
# of 128 pixels comes to 43.0 dB.
EXECUTORCH = Quantisation("litert", float_weights=True)


@dataclass(frozen=True)
class QuantisedModel:
    """A quantised graph.

    Attributes:
        model: the graph.
        integer_layers: names of the layers that read and give integers.
        float_layers: those that compute in floats, by name their kind; `SENSITIVE` says why.
        dynamic_layers: names of those that read floats and round them.
    """

    model: ir.Model
    integer_layers: tuple[str, ...]
    float_layers: Mapping[str, LayerKind]
    dynamic_layers: tuple[str, ...] = ()


def quantise(
    model: ir.Model, ranges: Ranges, options: Quantisation = ONNXRUNTIME
) -> QuantisedModel:
    """Quantise a float32 deploy graph, in place.

    Args:
        model: a graph of any family, its DFT in matrix products.
        ranges: of the values of the checkpoint's fp32 graph, at the sizes it is going to see.
        options: by default ONNX Runtime's form.

    Raises:
        UsageError: when a range is missing, or the graph holds what cannot be scaled.
    """
    layers = [node for node in model.graph if node.op_type in LAYERS]
    kinds = {str(node.name): layer_kind(str(node.name)) for node in layers}
    wide = options.float_kinds | options.dynamic_kinds
    integer = [node for node in layers if kinds[str(node.name)] not in wide]
    dynamic = [node for node in layers if kinds[str(node.name)] in options.dynamic_kinds]
    names, rounding = (tuple(str(node.name) for node in each) for each in (integer, dynamic))
    ranges = equalise(model, ranges, integer)
    if options.flavour == "tensorrt":
        _quantise_inputs(model, ranges, integer)
    else:
        IntegerGraph(
            model,
            ranges,
            products=options.flavour == "onnxruntime",
            rounded=options.flavour != "openvino",
            # On processors without VNNI its kernels add pairs of products in 16 bits.
            paired=options.flavour == "openvino",
        ).quantise(integer)
    for layer in dynamic:
        weight = layer.inputs[1]
        assert weight is not None
        layer.replace_input_with(1, int8_weight(model.graph, layer, weight))
    if not options.float_weights:
        quantise_weights(model)
    kept = {name: kind for name, kind in kinds.items() if kind in options.float_kinds}
    return QuantisedModel(model, names, kept, rounding)


def _quantise_inputs(model: ir.Model, ranges: Ranges, layers: list[ir.Node]) -> None:
    """Put a pair of nodes before each layer's input, and its weights in int8."""
    graph = model.graph
    known: dict[ir.Value, ir.Value] = {}
    for layer in layers:
        x, weight = (value for value in layer.inputs[:2] if value is not None)
        if x not in known:
            scale = signed_scale(*shared_range(sources(x), ranges))
            parameters = parameters_of(graph, str(x.name), scale)
            pair = [quantised(graph, x, parameters), *parameters]
            name = f"{x.name}.dequantised"
            known[x] = dequantised(graph, layer, name, pair, axis=None)
        layer.replace_input_with(0, known[x])
        layer.replace_input_with(1, int8_weight(graph, layer, weight))
    remove_unused_constants(graph)
