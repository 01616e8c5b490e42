"""The stages of a dynamic graph: where it can be cut, so that each part runs piece by piece.

A graph's exporter records them beside the graph, by the names of the graph's values; the tiled
runner cuts the graph there and keeps whole feature maps only between the stages. Positions are
counted in cells: one cell is one element of the bottleneck's maps, `scale` pixels of the picture
on each side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lama_edge import plain
from lama_edge.errors import ModelError, reading, shown

STAGES_VERSION = 2
STAGES_KEY = "lama_edge_stages"
StageKind = Literal["encoder", "constants", "bands", "channels", "frequencies", "decoder"]
STAGE_KINDS: tuple[StageKind, ...] = get_args(StageKind)
# Of the generators that a configuration can describe: 64 blocks of 2 convolutions with 5 stages
# each, and 32 pixels to a cell.
_MAX_STAGES = 1024
_MAX_SCALE = 32


@dataclass(frozen=True)
class Stage:
    """One part of the graph.

    Attributes:
        kind: how it is cut into pieces: ``encoder`` (tiles of the picture become tiles of the
            bottleneck), ``bands`` (rows of the bottleneck), ``channels`` (groups of channels),
            ``frequencies`` (columns of a spectrum [N,1,H,F,C], which becomes [N,F,H,C]),
            ``decoder`` (tiles of the bottleneck become tiles of the picture), or ``constants``
            (run once, on whole maps).
        inputs: values read piece by piece, with the halo.
        pointwise: values read piece by piece of which a piece of the result needs only the same
            piece, so that a result of the same shape may be written over them.
        whole: values that every piece needs whole.
        outputs: values that the stage gives.
        halo: (before, after), in cells: by how much a piece of the inputs must be larger than
            the piece of the result.
        align: pieces of the inputs begin and end at multiples of this, in cells, where the graph
            works in blocks of its own: what is at the same place in a block comes out alike, to
            the bit.
        like: nothing, or two values, the second of which is among what is read: the extents of a
            piece of it stand for those of the first value, of which nothing else is used.
    """

    kind: StageKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    pointwise: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    halo: tuple[int, int] = (0, 0)
    align: int = 1
    like: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """All values that the stage reads."""
        return self.inputs + self.pointwise + self.whole


@dataclass(frozen=True)
class StagePlan:
    """A graph's stages, in the order in which they run.

    Attributes:
        scale: pixels to a cell's side.
        align: positions of the encoder's and the decoder's pieces are multiples of this, in
            cells (the size multiple of the graph, where that is more than one cell).
        stages: each reads what the graph takes and what stages before it give.
    """

    scale: int
    align: int
    stages: tuple[Stage, ...]

    def to_json(self) -> str:
        """Return the canonical JSON text."""
        data = {"version": STAGES_VERSION, **asdict(self)}
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> StagePlan:
        """Read what `to_json` wrote.

        Raises:
            ModelError: when the text is no plan, or of a version unknown to this release.
        """
        with reading("stages"):
            data = plain.loads(text)
            version = data["version"]
            if version != STAGES_VERSION:
                raise ModelError(
                    f"the model's stages have version {shown(version)}; this release reads "
                    f"{STAGES_VERSION}: export the model again or update lama-edge"
                )
            return _plan_from_dict(data)


def _plan_from_dict(data: Mapping[str, Any]) -> StagePlan:
    if len(data["stages"]) > _MAX_STAGES:
        raise ValueError(f"more than {_MAX_STAGES} stages")
    stages = tuple(_stage_from_dict(stage) for stage in data["stages"])
    plan = StagePlan(
        scale=plain.integer("scale", data["scale"], 1, _MAX_SCALE),
        align=plain.integer("align", data["align"], 1, _MAX_SCALE),
        stages=stages,
    )
    kinds = [stage.kind for stage in stages]
    ends = kinds[:1] == ["encoder"] and kinds[-1:] == ["decoder"]
    if not ends or kinds.count("encoder") != 1 or kinds.count("decoder") != 1:
        raise ValueError("an encoder must come first and a decoder last, and each once")
    given = {*stages[0].inputs}
    for stage in stages:
        missing = [name for name in stage.reads if name not in given]
        if missing:
            raise ValueError(f"no stage gives {shown(missing[0])} before it is read")
        given.update(stage.outputs)
    return plan


def _stage_from_dict(data: Mapping[str, Any]) -> Stage:
    kind = data["kind"]
    if kind not in STAGE_KINDS:
        raise ValueError(f"unknown kind {shown(kind)}")
    before, after = (plain.integer("halo", cells, 0, _MAX_SCALE) for cells in data["halo"])
    align = plain.integer("align", data["align"], 1, _MAX_SCALE)
    named = ("inputs", "outputs", "pointwise", "whole", "like")
    names = {field: _names(data[field]) for field in named}
    stage = Stage(kind=kind, halo=(before, after), align=align, **names)
    if stage.like and [name in stage.reads for name in stage.like] != [False, True]:
        raise ValueError(f"a stage of kind {kind} takes extents of what it does not read")
    if not stage.outputs:
        raise ValueError(f"a stage of kind {kind} gives nothing")
    if kind != "constants" and not stage.inputs + stage.pointwise:
        raise ValueError(f"a stage of kind {kind} reads nothing piece by piece")
    return stage


def _names(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(name, str) for name in data):
        raise TypeError(f"names expected, not {shown(data)}")
    return tuple(data)
