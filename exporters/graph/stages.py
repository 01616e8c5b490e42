"""From the stages that were recorded with a graph to the plan that travels with it."""

from __future__ import annotations

from dataclasses import replace

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder, RecordedStage
from lama_edge.models.config import GeneratorConfig
from lama_edge.spec import IoSpec
from lama_edge.stages import Stage, StagePlan

with needs_extra("export"):
    import onnx_ir as ir

_LAST_REACH = 3  # of the first and the last convolution, 7x7, in pixels


def encoder_halo(n_downsampling: int) -> tuple[int, int]:
    """Return how many cells more the encoder must read (before, after) a tile of its result.

    A 3x3 convolution of stride 2 makes position i of positions 2i-1 to 2i+1, so a tile that
    starts at cell 0 reads from -1 of the level above, -3 of the next, and -(2^n - 1) after n
    levels, while its end stays the same; the 7x7 convolution adds 3 pixels on both sides.
    """
    scale = 1 << n_downsampling
    return _ceil((scale - 1) + _LAST_REACH, scale), _ceil(_LAST_REACH, scale)


def decoder_halo(n_upsampling: int) -> tuple[int, int]:
    """Return how many cells more the decoder must read (before, after) for a tile of its result.

    A transposed 3x3 convolution of stride 2 makes positions 2i and 2i+1 of i, and of i and i+1.
    What ends at pixel p of a level (exclusive) therefore reads up to ceil((p - 1) / 2) + 1 of the
    level below, and what starts at p from floor(p / 2); the 7x7 convolution adds 3 pixels.
    """
    stop = _LAST_REACH
    for _ in range(n_upsampling):
        stop = _ceil(stop - 1, 2) + 1
    return _ceil(_LAST_REACH, 1 << n_upsampling), stop


def stage_plan(b: GraphBuilder, config: GeneratorConfig, io: IoSpec) -> StagePlan:
    """Return the plan of the stages recorded with `b`.

    The first stage recorded is the encoder and the last one the decoder; the graph's own inputs
    and its output are theirs. What groups of channels need besides their maps (the DFT's
    matrices, made from the maps' extents) is found in the graph, and given by a stage of its own
    after the encoder.
    """
    recorded_encoder, *trunk, recorded_decoder = b.stages
    ends = io.image.name, io.mask.name
    encoder = replace(_stage(recorded_encoder), inputs=ends)
    decoder = _stage(recorded_decoder)
    if io.composite:
        decoder = replace(decoder, pointwise=ends)
    decoder = replace(decoder, outputs=(io.output.name,))
    stages = [_stage(recorded) for recorded in trunk]
    shared = tuple(dict.fromkeys(name for stage in stages for name in stage.whole))
    constants = Stage("constants", (), shared, whole=encoder.outputs)
    return StagePlan(
        scale=config.reduction,
        align=config.size_multiple // config.reduction,
        stages=(encoder, *((constants,) if shared else ()), *stages, decoder),
    )


def _stage(recorded: RecordedStage) -> Stage:
    return Stage(
        recorded.kind,
        _names(recorded.inputs),
        _names(recorded.outputs),
        pointwise=_names(recorded.pointwise),
        whole=_shared_values(recorded) if recorded.kind == "channels" else (),
        halo=recorded.halo,
        align=recorded.align,
        like=_names(recorded.like),
    )


def _shared_values(stage: RecordedStage) -> tuple[str, ...]:
    """Return the computed values that a stage reads but that do not come from its inputs."""
    given = {*stage.inputs, *stage.pointwise}
    depends: dict[ir.Value, bool] = {}

    def visit(value: ir.Value) -> bool:
        if value not in depends:
            node = value.producer()
            if value in given or node is None:
                depends[value] = value in given
            else:
                inputs = [visit(each) for each in node.inputs if each is not None]
                depends[value] = any(inputs)
        return depends[value]

    for output in stage.outputs:
        visit(output)
    shared = {
        each: None
        for value, dependent in depends.items()
        if dependent and value not in given and (node := value.producer()) is not None
        for each in node.inputs
        if each is not None and not depends[each] and each.producer() is not None
    }
    return _names(tuple(shared))


def _names(values: tuple[ir.Value, ...]) -> tuple[str, ...]:
    return tuple(str(value.name) for value in values)


def _ceil(value: int, divisor: int) -> int:
    return -(-value // divisor)
