"""The deploy graph: a generator between the inputs and outputs that applications see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from lama_edge.errors import UsageError, needs_extra, parameter
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.channels_last import ChannelsLastDft
from lama_edge.exporters.graph.dft.forms import (
    NO_GAINS,
    DftForm,
    DftGains,
    OperatorDft,
    constant_matmul_dft,
    dynamic_matmul_dft,
)
from lama_edge.exporters.graph.dft.last_axis import LastAxisDft
from lama_edge.exporters.graph.ffc_resnet import ffc_resnet
from lama_edge.exporters.graph.layers import Array, Kernels, Weights
from lama_edge.exporters.graph.pix2pixhd import pix2pixhd
from lama_edge.exporters.graph.stages import stage_plan
from lama_edge.models.config import FfcResnetConfig, GeneratorConfig
from lama_edge.spec import IoSpec, SizePolicy, TensorSpec
from lama_edge.stages import STAGES_KEY

with needs_extra("export"):
    import onnx_ir as ir
    from onnx import OperatorSetIdProto, helper

Dft = Literal["matmul", "op"]

DEFAULT_OPSET = 17
MAX_OPSET = 23

# Channels of the bottleneck from which products pay for the transforms around them. Measured at
# 512 x 512: 1.3 times as fast with 512 channels (big-lama's), 1.1 with 256, 1.0 with 128.
_WIDE_BOTTLENECK = 256

_DTYPES = {"float32": ir.DataType.FLOAT, "uint8": ir.DataType.UINT8}


@dataclass(frozen=True)
class GraphOptions:
    """What is chosen at export.

    Attributes:
        io: form of the inputs and the output.
        size: one fixed size, or any.
        dft: ``matmul`` (matrix products, runs everywhere) or ``op`` (ONNX's DFT operator);
            generators without Fourier units have neither.
        opset: version of ONNX's default operator set.
        dft_gains: powers of two that the DFT's matrices carry; the rest of the graph has to make
            up for them, see `lama_edge.exporters.precision`.
        kernels: what the graph is shaped for: ``integer`` where it is going to be quantised for
            ONNX Runtime's kernels, ``bands`` for fewer products in float32 (Winograd's form, in
            loops over bands), where `has_bands`, and others, see `layers.Kernels`; it computes the
            same.
        webgpu: whether its end is written without the operators that ONNX Runtime's WebGPU
            provider leaves to the processor; of one size alone.
        last_axis: whether the DFT is written for accelerators that multiply a last axis by a
            constant and nothing else, see `LastAxisDft`; of one size alone.
    """

    io: IoSpec
    size: SizePolicy
    dft: Dft = "matmul"
    opset: int = DEFAULT_OPSET
    dft_gains: DftGains = NO_GAINS
    kernels: Kernels = "direct"
    webgpu: bool = False
    last_axis: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes and opsets that cannot be written.

        Raises:
            UsageError: naming the value and what is possible.
        """
        if not DEFAULT_OPSET <= self.opset <= MAX_OPSET:
            raise UsageError(
                f"{parameter('opset', self.opset)} is not supported: give {DEFAULT_OPSET} to "
                f"{MAX_OPSET}"
            )
        fixed = self.size.fixed
        if fixed is not None:
            any_size = SizePolicy(None, self.size.multiple, self.size.min_size)
            problem = any_size.problem_with(fixed.height, fixed.width)
            if problem is not None:
                raise UsageError(f"{parameter('size', fixed)} cannot be exported: {problem}")


def has_bands(config: GeneratorConfig, dft: Dft) -> bool:
    """Whether a generator's float32 graph can run in bands."""
    return isinstance(config, FfcResnetConfig) and dft == "matmul"


def gains_by_bands(config: GeneratorConfig) -> bool:
    """Whether that form is faster in ONNX Runtime on a processor, for those that can have it."""
    channels = config.bottleneck_channels if isinstance(config, FfcResnetConfig) else ()
    return sum(channels) >= _WIDE_BOTTLENECK


def build_deploy_graph(
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
) -> ir.Model:
    """Build the graph that every export format starts from.

    Args:
        config: the generator's architecture.
        tensors: its tensors under their official names (``model.1.ffc.convl2l.weight``, …).
        options: form, size, DFT and opset.

    Returns:
        A model with the inputs ``image`` and ``mask`` and one output, as `options.io` says. A
        dynamic one without the DFT operator carries the plan of its stages in its metadata.

    Raises:
        CheckpointError: when batch norms cannot be folded, or what folding makes is not finite.
    """
    # The builder refuses what becomes infinite, and names it.
    with np.errstate(over="ignore", invalid="ignore"):
        return _built(config, tensors, options)


def _built(
    config: GeneratorConfig, tensors: Mapping[str, Array], options: GraphOptions
) -> ir.Model:
    b = GraphBuilder(options.opset)
    image, mask = _graph_input(options, options.io.image), _graph_input(options, options.io.mask)
    with b.scope("input"):
        read = _read_inputs(b, image, mask, options.io)
        masked = b.op("Concat", "masked", read.known, read.hole_float, axis=1)
    weights = Weights(tensors)
    if isinstance(config, FfcResnetConfig):
        dft_form = partial(_dft, b, options, config)
        form = options.kernels, options.size.fixed
        predicted = ffc_resnet(b, masked, config, weights, dft_form, *form)
    else:
        predicted = pix2pixhd(b, masked, config, weights, options.kernels)
    with b.scope("output"):
        output = _write_output(b, predicted, read, options)
    _declare(output, options, options.io.output)
    opset = OperatorSetIdProto(domain="", version=options.opset)
    model = b.build(
        [image, mask],
        output,
        name=config.kind,
        ir_version=helper.find_min_ir_version_for([opset]),
    )
    operator_dft = config.has_fourier_units and options.dft == "op"
    if options.size.fixed is None and not operator_dft:
        model.metadata_props[STAGES_KEY] = stage_plan(b, config, options.io).to_json()
    return model


def _dft(
    b: GraphBuilder, options: GraphOptions, config: FfcResnetConfig, feature_map: ir.Value
) -> DftForm:
    if options.dft == "op":
        return OperatorDft(b, feature_map)
    fixed = options.size.fixed
    if fixed is None:
        return dynamic_matmul_dft(b, feature_map, options.dft_gains)
    height, width = fixed.height // config.reduction, fixed.width // config.reduction
    if options.last_axis:
        return LastAxisDft(b, height, width, options.dft_gains)
    if options.kernels in ("integer", "products"):
        return ChannelsLastDft(b, height, width, config.bottleneck_channels[1] // 2)
    return constant_matmul_dft(b, height, width, options.dft_gains)


def _graph_input(options: GraphOptions, spec: TensorSpec) -> ir.Value:
    value = ir.val(spec.name)
    _declare(value, options, spec)
    return value


def _declare(value: ir.Value, options: GraphOptions, spec: TensorSpec) -> None:
    """Name, type and shape a graph input or output."""
    fixed = options.size.fixed
    extents: dict[str, int | str] = {
        "N": "batch" if options.io.batch is None else options.io.batch,
        "C": spec.channels,
        "H": "height" if fixed is None else fixed.height,
        "W": "width" if fixed is None else fixed.width,
    }
    value.name = spec.name
    value.shape = ir.Shape([extents[axis] for axis in spec.layout])
    value.type = ir.TensorType(_DTYPES[spec.dtype])


@dataclass(frozen=True)
class _Read:
    """The inputs as the graph has them.

    Attributes:
        planar: the image, float32 [N,3,H,W] in its own range.
        hole: bool [N,1,H,W].
        known: the image from 0 to 1 with 0 in the hole, float32 [N,3,H,W].
        hole_float: the hole as float32, 0 and 1.
    """

    planar: ir.Value
    hole: ir.Value
    known: ir.Value
    hole_float: ir.Value


def _read_inputs(b: GraphBuilder, image: ir.Value, mask: ir.Value, io: IoSpec) -> _Read:
    zero = b.shared("float_0", np.array(0, dtype=np.float32))
    if io.form == "uint8":
        image, mask = _planar_float(b, "image", image), _planar_float(b, "mask", mask)
    hole = b.op("Greater", "hole", mask, zero)
    known = b.op("Where", "known", hole, zero, _to_unit_range(b, image, io))
    return _Read(image, hole, known, b.op("Cast", "hole_float", hole, to=int(ir.DataType.FLOAT)))


def _planar_float(b: GraphBuilder, role: str, x: ir.Value) -> ir.Value:
    """Turn uint8 [N,H,W,C] into float32 [N,C,H,W]; casting first keeps uint8 off intermediates."""
    cast = b.op("Cast", f"{role}_float", x, to=int(ir.DataType.FLOAT))
    return b.op("Transpose", f"{role}_planar", cast, perm=[0, 3, 1, 2])


def _to_unit_range(b: GraphBuilder, planar: ir.Value, io: IoSpec) -> ir.Value:
    if io.form == "float":
        return planar
    return b.op("Div", "image_unit", planar, b.shared("float_255", np.array(255, np.float32)))


def _write_output(
    b: GraphBuilder, predicted: ir.Value, read: _Read, options: GraphOptions
) -> ir.Value:
    """Composite and convert; in the uint8 form on the 0-to-255 scale, exact even in fp16."""
    io, fill = options.io, predicted
    if io.form == "uint8":
        levels = b.op("Mul", "levels", predicted, b.shared("float_255", np.array(255, np.float32)))
        fill = _rounded(b, levels, webgpu=options.webgpu)
    if io.composite and options.webgpu and io.form == "float":
        fill = _sum_of_parts(b, fill, read)
    elif io.composite:
        fill = b.op("Where", "composite", read.hole, fill, read.planar)
    if io.form == "uint8":
        interleaved = b.op("Transpose", "interleaved", fill, perm=[0, 2, 3, 1])
        fill = b.op("Cast", "uint8", interleaved, to=int(ir.DataType.UINT8))
    return fill


def _rounded(b: GraphBuilder, levels: ir.Value, *, webgpu: bool) -> ir.Value:
    """Round to the nearest whole number; a half goes to the even one, on WebGPU to the lower.

    Of what runs there, a half less and then `Ceil` is the nearest whichever way a device rounds
    sums: the difference is exact, or lies in -0.5 to -0.25. A half more and then `Floor` is not:
    the sum of 0.49999997 may round to 1.
    """
    if not webgpu:
        return b.op("Round", "rounded", levels)
    half = b.shared("float_half", np.array(0.5, np.float32))
    return b.op("Ceil", "rounded", b.op("Sub", "levels_less_half", levels, half))


def _sum_of_parts(b: GraphBuilder, fill: ir.Value, read: _Read) -> ir.Value:
    """Composite without the hole as booleans; each pixel is one finite term and a zero, so exact.

    ONNX Runtime moves the transposition behind a generator with the channels last through the
    composite and transposes the hole for it, which WebGPU cannot do to booleans.
    """
    inside = b.op("Mul", "inside", fill, read.hole_float)
    return b.op("Add", "composite", read.known, inside)
