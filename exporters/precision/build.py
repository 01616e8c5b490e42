"""From a checkpoint to the deploy graph at a precision: one entry for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lama_edge.errors import CheckpointError, UsageError, needs_extra, parameter
from lama_edge.exporters.graph.builder import check_finite
from lama_edge.exporters.graph.deploy_graph import Dft, GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.layers import Array, Kernels
from lama_edge.exporters.precision.half import to_half
from lama_edge.exporters.precision.homogeneity import array_of, channel_groups, rescale
from lama_edge.exporters.precision.quantisation import (
    ONNXRUNTIME,
    WHY_FLOAT,
    Quantisation,
    quantise,
)
from lama_edge.exporters.precision.scaling import branch_exponents, carried_over, choose_gains
from lama_edge.exporters.precision.weights8 import quantise_weights
from lama_edge.judging.ranges import Ranges
from lama_edge.models.config import GeneratorConfig
from lama_edge.spec import Precision

with needs_extra("export"):
    import onnx_ir as ir

Numerics = dict[str, str | int | float]


@dataclass(frozen=True)
class PreciseGraph:
    """A deploy graph, and what the manifest says of how its precision was made.

    Attributes:
        model: the graph.
        numerics: as `lama_edge.manifest.Manifest.numerics`; None for fp32.
    """

    model: ir.Model
    numerics: Numerics | None


def build_at(
    precision: Precision,
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges | None = None,
) -> PreciseGraph:
    """Build the deploy graph at a precision.

    Args:
        precision: the number format.
        config: the generator's architecture.
        tensors: its tensors under their official names.
        options: form, size, DFT and opset.
        ranges: of the fp32 graph's values, for the precisions of `spec.NEED_RANGES`; with them w8
            is made of the graph that fits fp16, for what turns its weights back and computes so.

    Raises:
        UsageError: see `check_precision`.
        CheckpointError: when a weight or a scale is not finite in that number format, or a value
            was not when the ranges were measured.
    """
    check_precision(precision, config, options.dft)
    with np.errstate(over="ignore", invalid="ignore"):
        graph = _built_at(precision, config, tensors, options, ranges)
    _check_finite(graph.model)
    return graph


def _built_at(
    precision: Precision,
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges | None,
) -> PreciseGraph:
    if precision == "fp16":
        scaled = rescaled_graph(config, tensors, options, _required(ranges))
        to_half(scaled.model)
        return scaled
    if precision == "int8":
        options = replace(options, kernels="integer")
        model = build_deploy_graph(config, tensors, options)
        return quantised_graph(model, _required(ranges))
    if precision == "w8" and ranges is not None:
        scaled = rescaled_graph(config, tensors, options, _required(ranges))
        count = len(quantise_weights(scaled.model))
        return replace(scaled, numerics={**(scaled.numerics or {}), "int8_weights": count})
    model = build_deploy_graph(config, tensors, options)
    if precision == "w8":
        return PreciseGraph(model, {"int8_weights": len(quantise_weights(model))})
    return PreciseGraph(model, None)


def build_with(
    quantisation: Quantisation,
    kernels: Kernels,
    precision: Precision,
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges | None = None,
) -> PreciseGraph:
    """Build the deploy graph at a precision, int8 in a runtime's own form.

    Args:
        quantisation: the form of int8.
        kernels: what the graph that is quantised is shaped for.
        precision: and what follows as for `build_at`, which all other precisions are left to.
    """
    if precision != "int8":
        return build_at(precision, config, tensors, options, ranges)
    model = build_deploy_graph(config, tensors, replace(options, kernels=kernels))
    return quantised_graph(model, _required(ranges), quantisation)


def check_precision(precision: Precision, config: GeneratorConfig, dft: Dft) -> None:
    """Refuse a precision and a form of the DFT that do not go together.

    Raises:
        UsageError: saying what to leave out.
    """
    if precision != "fp32" and config.has_fourier_units and dft == "op":
        raise UsageError(
            f"{parameter('precision', precision)} with {parameter('dft', 'op')}: ONNX's DFT "
            f"operator computes in float32 only; leave {parameter('dft')} out"
        )


def rescaled_graph(
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges,
) -> PreciseGraph:
    """Build the deploy graph in float32 with every branch scaled to fit fp16.

    It computes what the plain one does, bit for bit where nothing under- or overflows.

    Arguments as for `build_at`; the ranges are those of the plain graph's values.
    """
    # Ranges are of the plain form's values; another's has the same maps, and its own spectra.
    plain = replace(options, last_axis=False)
    model = build_deploy_graph(config, tensors, plain)
    measured = channel_groups(model, by_channel=False)
    exponents = branch_exponents(model, measured, ranges, options.size)
    gains = choose_gains(measured, exponents, ranges, options.size)
    wanted = replace(options, dft_gains=gains)
    if wanted != plain:
        model = build_deploy_graph(config, tensors, wanted)
    groups = channel_groups(model, gains=gains.by_matrix(), by_channel=False)
    exponents = carried_over(exponents, measured, groups)
    rescale(model, groups, np.exp2(exponents))
    numerics: Numerics = {
        "calibration_pictures": ranges.pictures,
        "branches": groups.count,
        "least_exponent": int(exponents.min()),
        "largest_exponent": int(exponents.max()),
        "dft_forward_exponent": gains.forward,
        "dft_inverse_exponent": gains.inverse,
    }
    return PreciseGraph(model, numerics)


def _required(ranges: Ranges | None) -> Ranges:
    if ranges is None:
        raise ValueError("this precision is made from measured ranges")
    for name, seen in ranges.values.items():
        if seen.not_finite:
            raise CheckpointError(
                f"{name} has {seen.not_finite} infinite or NaN values on the calibration pictures: "
                "the checkpoint's weights are too large, or damaged"
            )
    return ranges


def _check_finite(model: ir.Model) -> None:
    for graph in (model.graph, *model.graph.subgraphs()):
        for name, value in graph.initializers.items():
            array = array_of(value)
            if array.dtype.kind == "f":
                check_finite(name, array)


def quantised_graph(
    model: ir.Model, ranges: Ranges, options: Quantisation = ONNXRUNTIME
) -> PreciseGraph:
    """Quantise a graph in place, and note of it what a manifest says.

    Args:
        model: an fp32 deploy graph.
        ranges: of its values.
        options: by default ONNX Runtime's form.

    Raises:
        CheckpointError: as `build_at`.
    """
    quantised = quantise(model, _required(ranges), options)
    _check_finite(model)
    numerics: Numerics = {
        "calibration_pictures": ranges.pictures,
        "integer_layers": len(quantised.integer_layers),
        "float_layers": len(quantised.float_layers),
    }
    if quantised.dynamic_layers:
        numerics["dynamic_layers"] = len(quantised.dynamic_layers)
    for kind in sorted(set(quantised.float_layers.values())):
        numerics[f"float_{kind}"] = WHY_FLOAT[kind]
    return PreciseGraph(model, numerics)
