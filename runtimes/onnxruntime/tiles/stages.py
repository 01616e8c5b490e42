"""Runs a graph stage by stage and each stage piece by piece, with whole maps only in between.

Peak memory is that of the bottleneck's maps (a residual block's input, what its first convolution
gives, and a spectrum: about 1400 channels of float32 for each cell of big-lama), the picture, and
one piece's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import gcd

import numpy as np

from lama_edge.runtimes.base import Array, spatial_size
from lama_edge.runtimes.onnxruntime.tiles.memory import Workspace
from lama_edge.runtimes.onnxruntime.tiles.pieces import Piece, piece, pieces
from lama_edge.spec import IoSpec, TensorSpec
from lama_edge.stages import Stage, StagePlan

# What a piece of the trunk may hold for each pixel of a tile: as many values as the encoder and
# the decoder have channels at the picture's resolution (big-lama), so that all need alike.
_VALUES_PER_PIXEL = 64

Part = Callable[[Mapping[str, Array]], Sequence[Array]]
_Index = tuple[slice, ...]
_ALL = slice(None)


def run_stages(
    plan: StagePlan,
    open_part: Callable[[Stage], Part],
    io: IoSpec,
    image: Array,
    mask: Array,
    tile: int,
) -> Array:
    """Run a whole graph on one picture.

    Args:
        plan: the graph's stages.
        open_part: makes a stage callable: the values it reads by name, to its outputs in order.
            A part is let go before the next one is opened.
        io: the graph's inputs and output.
        image: as `io.image` says, batch size 1.
        mask: as `io.mask` says, batch size 1.
        tile: side of a tile, in pixels.

    Returns:
        As `io.output` says.
    """
    if io.composite and not mask.any():
        return np.array(image)
    last_use = {name: number for number, stage in enumerate(plan.stages) for name in stage.reads}
    run = _PictureRun(plan, io, image, mask, tile)
    *before, decoder = plan.stages
    for number, stage in enumerate(before):
        run.step(stage, open_part(stage), {n for n in stage.reads if last_use[n] == number})
    return run.decode(decoder, open_part(decoder))


class _PictureRun:
    """The values of the graph that are alive while a picture goes through it."""

    def __init__(self, plan: StagePlan, io: IoSpec, image: Array, mask: Array, tile: int) -> None:
        self._io = io
        self._scale, self._align = plan.scale, plan.align
        self._picture = {io.image.name: image, io.mask.name: mask}
        self._maps: dict[str, Array] = {}
        self._workspace = Workspace()
        self._budget = _VALUES_PER_PIXEL * tile * tile
        self._cells = max(1, tile // plan.scale)

    def step(self, stage: Stage, part: Part, dying: set[str]) -> None:
        """Run one stage; nobody reads the values in `dying` after it."""
        dying &= set(self._maps)
        # A result may take the place of what is read pointwise while that is still being read:
        # a piece is written after it was read, and spoils at most the halo of the next.
        for name in dying.intersection(stage.pointwise):
            self._workspace.give_back(self._maps[name])
        results: dict[str, Array] = {}
        for name, shape, where, result in self._run_pieces(stage, part):
            if name not in results:
                results[name] = self._workspace.empty(shape, result.dtype)
            results[name][where] = result
        for name in dying:
            array = self._maps.pop(name)
            if name not in stage.pointwise:
                self._workspace.give_back(array)
        self._maps.update(results)

    def _run_pieces(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        """Yield pieces of the results: name, the whole's shape, the place in it, the piece."""
        if stage.kind == "encoder":
            return self._encode(stage, part)
        if stage.kind == "bands":
            return self._run_bands(stage, part)
        if stage.kind == "channels":
            return self._run_channels(stage, part)
        if stage.kind == "frequencies":
            return self._run_frequencies(stage, part)
        return self._run_whole(stage, part)

    def _run_whole(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        results = part({name: self._maps[name] for name in stage.reads})
        for name, result in zip(stage.outputs, results, strict=True):
            yield name, result.shape, (_ALL,) * result.ndim, result

    def _encode(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        """Run tiles of the picture down to tiles of the bottleneck."""
        image = self._picture[self._io.image.name]
        height, width = (side // self._scale for side in spatial_size(self._io.image, image))
        for rows in pieces(height, self._cells, stage.halo, self._align):
            for columns in pieces(width, self._cells, stage.halo, self._align):
                results = part(self._crops(stage, rows, columns))
                for name, result in zip(stage.outputs, results, strict=True):
                    shape = (1, result.shape[1], height, width, *result.shape[4:])
                    where = (_ALL, _ALL, rows.wanted, columns.wanted)
                    yield name, shape, where, result[:, :, rows.inner, columns.inner]

    def _run_bands(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        """Run bands of rows."""
        maps = {name: self._maps[name] for name in stage.inputs + stage.pointwise}
        whole = {name: self._maps[name] for name in stage.whole}
        height = min(array.shape[2] for array in maps.values())
        row = sum(array.size // height for array in maps.values())
        for rows in pieces(height, max(1, self._budget // row), stage.halo, stage.align):
            bands = {name: array[:, :, rows.read] for name, array in maps.items()}
            results = part(_with_extents(stage, {**whole, **self._contiguous(bands)}))
            for name, result in zip(stage.outputs, results, strict=True):
                shape = (1, result.shape[1], height, *result.shape[3:])
                yield name, shape, (_ALL, _ALL, rows.wanted), result[:, :, rows.inner]

    def _run_channels(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        """Run groups of channels; of maps with a multiple of channels, that multiple."""
        maps = {name: self._maps[name] for name in stage.inputs + stage.pointwise}
        whole = {name: self._maps[name] for name in stage.whole}
        channels = gcd(*(array.shape[1] for array in maps.values()))
        one = sum(array.size // channels for array in maps.values())
        for group in pieces(channels, max(1, self._budget // one)):
            shares = {
                name: array[:, group.scaled(array.shape[1] // channels).wanted]
                for name, array in maps.items()
            }
            results = part({**whole, **self._contiguous(shares)})
            for name, result in zip(stage.outputs, results, strict=True):
                each = result.shape[1] // (group.stop - group.start)
                shape = (1, channels * each, *result.shape[2:])
                yield name, shape, (_ALL, group.scaled(each).wanted), result

    def _run_frequencies(
        self, stage: Stage, part: Part
    ) -> Iterator[tuple[str, tuple[int, ...], _Index, Array]]:
        """Run groups of a spectrum's columns."""
        (name,) = stage.pointwise
        spectrum = self._maps[name]
        bins = spectrum.shape[3]
        for group in pieces(bins, max(1, self._budget // (spectrum.size // bins))):
            columns = self._contiguous({name: spectrum[:, :, :, group.wanted]})
            (result,) = part(_with_extents(stage, columns))
            shape = (1, bins, *result.shape[2:])
            yield stage.outputs[0], shape, (_ALL, group.wanted), result

    def decode(self, stage: Stage, part: Part) -> Array:
        """Run tiles of the bottleneck up to the picture, where the result is not the picture."""
        io, picture = self._io, self._picture
        hole = _touched_cells(io.mask, picture[io.mask.name], self._scale)
        image = picture[io.image.name]
        if io.composite:
            output = np.array(image)
        else:
            output = np.empty_like(image)
            hole[:] = True
        for rows, columns in _hole_pieces(hole, self._cells, stage.halo, self._align):
            maps = {
                name: self._maps[name][:, :, rows.read, columns.read]
                for name in stage.reads
                if name in self._maps
            }
            feeds = {**self._crops(stage, rows, columns), **self._contiguous(maps)}
            (result,) = part(feeds)
            rows, columns = rows.scaled(self._scale), columns.scaled(self._scale)
            where = _region(io.output, rows.wanted, columns.wanted)
            output[where] = result[_region(io.output, rows.inner, columns.inner)]
        return output

    def _crops(self, stage: Stage, rows: Piece, columns: Piece) -> dict[str, Array]:
        """Cut what a tile of cells reads out of the picture and the mask."""
        rows, columns = rows.scaled(self._scale), columns.scaled(self._scale)
        return {
            spec.name: np.ascontiguousarray(
                self._picture[spec.name][_region(spec, rows.read, columns.read)]
            )
            for spec in (self._io.image, self._io.mask)
            if spec.name in stage.reads
        }

    def _contiguous(self, views: Mapping[str, Array]) -> dict[str, Array]:
        return {
            name: self._workspace.contiguous(slot, view)
            for slot, (name, view) in enumerate(views.items())
        }


def _with_extents(stage: Stage, feeds: dict[str, Array]) -> dict[str, Array]:
    """Let what a stage reads stand for the value whose extents it takes."""
    return feeds if not stage.like else {**feeds, stage.like[0]: feeds[stage.like[1]]}


def _touched_cells(spec: TensorSpec, mask: Array, scale: int) -> Array:
    """Return bool [h,w]: whether a cell's pixels touch the hole."""
    height, width = spatial_size(spec, mask)
    by_cell = (mask > 0).reshape(height // scale, scale, width // scale, scale)
    return np.asarray(by_cell.any(axis=(1, 3)))


def _hole_pieces(
    hole: Array, cells: int, halo: tuple[int, int], align: int
) -> Iterator[tuple[Piece, Piece]]:
    """Yield (rows, columns) of the tiles that touch the hole, shrunk to what touches it."""
    height, width = hole.shape
    for rows in pieces(height, cells):
        for columns in pieces(width, cells):
            touched = hole[rows.wanted, columns.wanted]
            if touched.any():
                top, bottom = _extent(touched, 0, rows.start)
                left, right = _extent(touched, 1, columns.start)
                yield (
                    piece(top, bottom, height, halo, align),
                    piece(left, right, width, halo, align),
                )


def _extent(touched: Array, axis: int, offset: int) -> tuple[int, int]:
    """Return where the true elements of bool [h,w] begin and end along one axis."""
    there = np.flatnonzero(touched.any(axis=1 - axis))
    return offset + int(there[0]), offset + int(there[-1]) + 1


def _region(spec: TensorSpec, rows: slice, columns: slice) -> _Index:
    """Return an index of the picture's rows and columns in the spec's layout."""
    if spec.layout == "NCHW":
        return _ALL, _ALL, rows, columns
    return _ALL, rows, columns, _ALL
