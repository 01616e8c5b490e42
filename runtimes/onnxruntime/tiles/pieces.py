"""How an axis is cut into pieces, and what must be read so that each piece comes out exact."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Piece:
    """A stretch of one axis.

    Attributes:
        start: where the piece begins.
        stop: where it ends, exclusive.
        read_start: where what has to be read for it begins.
        read_stop: where that ends, exclusive.
    """

    start: int
    stop: int
    read_start: int
    read_stop: int

    @property
    def wanted(self) -> slice:
        """The piece's place in the whole."""
        return slice(self.start, self.stop)

    @property
    def read(self) -> slice:
        """The place of what has to be read, in the whole."""
        return slice(self.read_start, self.read_stop)

    @property
    def inner(self) -> slice:
        """The piece's place in what was read."""
        return slice(self.start - self.read_start, self.stop - self.read_start)

    def scaled(self, factor: int) -> Piece:
        """Return the same piece of an axis that is `factor` times finer."""
        return Piece(*(factor * bound for bound in astuple(self)))


def piece(
    start: int, stop: int, length: int, halo: tuple[int, int] = (0, 0), align: int = 1
) -> Piece:
    """Return one piece of an axis of `length`.

    Args:
        start: where the piece begins.
        stop: where it ends, exclusive.
        length: the axis's extent, a multiple of `align`.
        halo: by how much more must be read before and after; at the ends of the axis there is
            nothing to read, and the graph's own padding is right.
        align: what is read begins and ends at multiples of this.
    """
    read_start = max(0, start - halo[0]) // align * align
    read_stop = min(length, -(-(stop + halo[1]) // align) * align)
    return Piece(start, stop, read_start, read_stop)


def pieces(
    length: int, at_most: int, halo: tuple[int, int] = (0, 0), align: int = 1
) -> list[Piece]:
    """Cut an axis into the fewest pieces of `at_most`, 1 or more, all about alike; see `piece`."""
    count = -(-length // at_most)
    bounds = [index * length // count for index in range(count + 1)]
    return [piece(start, stop, length, halo, align) for start, stop in pairwise(bounds)]
