"""Where a map's bands, tiles and frequencies lie: indices that a graph makes of a map's extents.

Work on one band of rows at a time stays in the processor's caches, whatever the picture's size.
Bands divide the rows evenly, so that nothing is padded, sliced or joined: a map [N,1,H,W,C] is
viewed as [B,P,C], B bands of P pixels. Maps have an axis of extent 1 after the batch, so that
rows and columns are where [N,C,H,W] has them.

All is made by nodes of the graph, for graphs of one size too: runtimes fold constants when they
load, and there is one description of what lies where.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.bands.winograd import SEEN, TILE
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.expressions import Expression, best_divisor, extent

with needs_extra("export"):
    import onnx_ir as ir

# Measured with big-lama's shape on two cores with 2 MB of second-level cache each: 64 and 256
# tiles at once take 4 to 6 % longer than 128. With few, weights are read again and again; with
# many, nothing stays in the caches.
_BEST_TILES = 128
_CACHE_SHARE = 1 / 16
# Lines of a spectrum to be transformed at once.
_BEST_LINES = 1024


@dataclass(frozen=True)
class Bands:
    """How maps of one size are cut into bands of rows.

    Attributes:
        height: int64 [1], H.
        width: int64 [1], W.
        bins: int64 [1], F = W // 2 + 1.
        pixels: int64 [1], P, of a band.
        seen: int64 [B,36,T], which of all NHW pixels each of a band's tiles sees; the map's edges
            reflect.
        place: int64 [P], where each of a band's pixels is among its tiles' [16,T] results.
        spectrum: int64 [B,PF/W], where a band's rows are in a spectrum [N,F,H].
    """

    height: ir.Value
    width: ir.Value
    bins: ir.Value
    pixels: ir.Value
    seen: ir.Value
    place: ir.Value
    spectrum: ir.Value


def bands_of(b: GraphBuilder, x: ir.Value) -> Bands:
    """Return how maps of the size of `x` [N,1,H,W,C] are cut."""
    with b.scope("bands"):
        batch, height, width = (extent(b, x, axis) for axis in (0, 2, 3))
        rows = _rows_of_a_band(height, width)
        first_rows = (height // rows).steps() * rows
        bins = width // 2 + 1
        return Bands(
            height.value,
            width.value,
            bins.value,
            (rows * width).value,
            _seen(b, batch, height, width, first_rows, rows),
            _place(rows, width),
            _in_spectrum(batch, height, bins, first_rows, rows),
        )


def frequency_groups(b: GraphBuilder, spectrum: ir.Value) -> ir.Value:
    """Return which lines of a spectrum [N,1,H,F,C] are transformed at once.

    Returns:
        int64 [G,KH], the H lines among NHF of each of the K frequencies of G groups.
    """
    with b.scope("groups"):
        batch, height, bins = (extent(b, spectrum, axis) for axis in (0, 2, 3))
        candidates = bins.steps() + 1
        lines = (candidates * height).as_type("float32") / float(_BEST_LINES)
        each = best_divisor(bins, lines.off_balance(), candidates)
        lines_of = bins.steps().apart(1) + height.steps() * bins
        images = (batch.steps() * height * bins).apart(1, 2)
        return (images + lines_of).shaped(-1, each * height).value


def _rows_of_a_band(height: Expression, width: Expression) -> Expression:
    """Return the divisor of the height that costs least for each pixel.

    What costs are tiles that are cut short, the reading of weights for few tiles, and maps of
    many tiles that no cache holds.
    """
    candidates = height.steps() + 1
    down = candidates.tiles(TILE)
    waste = (down * TILE).as_type("float32") / candidates.as_type("float32")
    tiles = (down * width.tiles(TILE)).as_type("float32") / float(_BEST_TILES)
    return best_divisor(height, waste * (tiles.off_balance() * _CACHE_SHARE + 1.0), candidates)


def _seen(
    b: GraphBuilder,
    batch: Expression,
    height: Expression,
    width: Expression,
    first_rows: Expression,
    rows: Expression,
) -> ir.Value:
    """Return `Bands.seen`."""
    down, across = rows.tiles(TILE), width.tiles(TILE)
    taps = Expression(b, b.shared("winograd.taps", np.arange(-1, SEEN - 1).astype(np.int64)))
    starts = first_rows.apart(1) + down.steps() * TILE
    y = (starts.apart(1) + taps.apart(1)).reflected(height)
    x = ((across.steps() * TILE) + taps.apart(1)).reflected(width)
    # [B,6,1,down,1] and [1,6,1,across] make [B,6,6,down,across].
    pixel = (y * width).apart(2, 4) + x.apart(0, 2)
    images = (batch.steps() * height * width).apart(1, 2, 3, 4, 5)
    return (images + pixel).shaped(-1, SEEN**2, down * across).value


def _place(rows: Expression, width: Expression) -> ir.Value:
    """Return `Bands.place`."""
    across = width.tiles(TILE)
    tiles = rows.tiles(TILE) * across
    y, x = rows.steps(), width.steps()
    by_row = y % TILE * TILE * tiles + y // TILE * across
    by_column = x % TILE * tiles + x // TILE
    return (by_row.apart(1) + by_column).shaped(-1).value


def _in_spectrum(
    batch: Expression,
    height: Expression,
    bins: Expression,
    first_rows: Expression,
    rows: Expression,
) -> ir.Value:
    """Return `Bands.spectrum`."""
    row = first_rows.apart(1) + rows.steps()
    line = row.apart(2) + bins.steps() * height
    images = (batch.steps() * height * bins).apart(1, 2, 3)
    return (images + line).shaped(-1, rows * bins).value
