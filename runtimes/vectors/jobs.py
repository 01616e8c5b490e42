"""What the shared vectors of windows and pictures are made from: masks, models and options."""

from __future__ import annotations

from dataclasses import dataclass

from lama_edge.runtimes.inpainting.strategies import Strategy
from lama_edge.runtimes.vectors.model import Rectangle
from lama_edge.spec import IoForm, Size, SizePolicy

_DYNAMIC = SizePolicy(None, 8, 16)
_DILATED = SizePolicy(None, 8, 72)
_SMALL = SizePolicy(Size(48, 64), 8, 16)
_SQUARE = SizePolicy(Size(256, 256), 8, 16)
_USUAL = SizePolicy(Size(512, 768), 8, 16)
# Smaller than what the options ask for, and than the least that they may ask for.
_BOUNDED = SizePolicy(None, 8, 72, 200)
_NARROW = SizePolicy(None, 8, 16, 48)
_TALL = SizePolicy(Size(96, 56), 8, 16)
POLICIES = (_DYNAMIC, _DILATED, _SMALL, _TALL, _USUAL, _BOUNDED, _NARROW)


@dataclass(frozen=True)
class Job:
    """A picture to inpaint: of noise, seeded by its place among the jobs."""

    size: tuple[int, int]
    holes: tuple[Rectangle, ...]
    kind: str = "rgb"
    policy: SizePolicy = _DYNAMIC
    strategy: Strategy = "auto"
    max_side: int | None = None
    form: IoForm = "uint8"
    composite: bool = True


@dataclass(frozen=True)
class Ask:
    """What a plan is made for."""

    size: tuple[int, int]
    holes: tuple[Rectangle, ...]
    policy: SizePolicy
    strategy: Strategy
    max_side: int | None = None
    free_bytes: int | None = None
    ngf: int = 64


def _holes(text: str) -> tuple[Rectangle, ...]:
    """Read rectangles, top, left, bottom and right of each, apart by commas."""
    found = (tuple(map(int, one.split())) for one in text.split(","))
    return tuple((top, left, bottom, right) for top, left, bottom, right in found)


# Where the order of things decides, found by changing it: two known rows as near to the middle, a
# known row and a known column as near; two joins that save as much; a join that absorbs a third
# window and so would be shrunk; an absorption that brings the next one on. Last, no memory for a
# model that takes less than the least side that may be asked for.
TELLING = (
    Ask((330, 60), _holes("10 20 110 40, 111 20 210 40, 211 20 310 40"), _DYNAMIC, "crop", 300),
    Ask(
        (400, 600),
        _holes("50 100 200 250, 50 251 200 400, 201 100 350 250, 201 251 350 400"),
        SizePolicy(Size(352, 504), 8, 16),
        "crop",
    ),
    Ask(
        (100, 259),
        _holes("51 169 57 180, 12 240 13 248, 39 16 47 28, 2 1 7 4"),
        _SQUARE,
        "crop",
        300,
    ),
    Ask(
        (294, 221),
        _holes(
            "27 116 35 117, 182 102 183 103, 257 15 294 221, 13 29 46 30, 54 177 87 189,"
            "45 47 78 48, 281 96 294 97, 195 41 196 221, 116 166 117 167, 280 210 281 221,"
            "164 89 172 114, 40 193 48 194, 226 211 234 221"
        ),
        _DILATED,
        "crop",
        200,
    ),
    Ask(
        (101, 379),
        _holes(
            "0 216 1 379, 15 156 27 157, 43 197 44 216, 56 277 62 287, 0 96 101 106,"
            "60 165 72 175, 47 227 48 237, 30 161 101 379, 56 96 68 115, 80 281 81 282,"
            "86 151 87 194, 92 26 93 36, 17 7 101 26, 5 285 6 304"
        ),
        _SQUARE,
        "crop",
        300,
    ),
    Ask((120, 90), _holes("20 30 90 60"), _NARROW, "auto", free_bytes=1 << 20),
)

_CORNERS: tuple[Rectangle, ...] = ((0, 0, 9, 5), (180, 240, 200, 260))
JOBS = (
    Job((1, 1), ((0, 0, 1, 1),)),
    Job((1, 1), ((0, 0, 1, 1),), "grey", _DILATED, form="float"),
    Job((40, 33), (), "rgba"),
    Job((97, 131), ((30, 40, 61, 77),), "rgb", _DYNAMIC, "full"),
    Job((97, 131), ((30, 40, 61, 77),), "rgba", _DILATED, "full", form="float"),
    Job((97, 131), ((0, 0, 97, 131),), "grey", _DYNAMIC, "auto", form="float", composite=False),
    Job((97, 131), ((90, 120, 97, 131), (0, 0, 3, 3)), "rgb", _SMALL, "full"),
    Job((48, 64), ((10, 10, 20, 60),), "rgba", _SMALL),
    Job((30, 20), ((0, 0, 4, 20),), "grey", _SMALL, form="float"),
    Job((200, 260), _CORNERS, "rgb", _DYNAMIC, "crop"),
    Job((200, 260), _CORNERS, "grey", _DYNAMIC, "crop", 64),
    Job((200, 260), _CORNERS, "rgba", _SMALL, "crop", form="float", composite=False),
    Job((200, 260), (*_CORNERS, (90, 0, 93, 260)), "rgb", _SMALL),
    Job((200, 260), ((40, 60, 130, 190), (60, 200, 64, 204)), "rgba", _DYNAMIC, "resize", 100),
    Job((200, 260), ((40, 60, 130, 190),), "rgb", _DYNAMIC, "auto", 128, form="float"),
    Job((300, 1), ((100, 0, 120, 1),), "rgb", _DYNAMIC, "crop", 64),
    Job((1, 300), ((0, 0, 1, 5), (0, 290, 1, 300)), "grey", _SMALL),
    Job((40, 1300), ((3, 1200, 30, 1300),), "rgb", _DYNAMIC, "resize"),
    Job((40, 1300), ((3, 0, 30, 1300),), "grey", _DYNAMIC, "auto"),
    Job((300, 40), ((20, 5, 90, 30),), "rgb", _SMALL, "resize"),
    Job((160, 170), tuple((i, j, i + 1, j + 2) for i in range(5, 160, 37) for j in (3, 90, 160))),
    Job((200, 260), _CORNERS, "rgb", _BOUNDED, "full"),
    Job((200, 260), (*_CORNERS, (90, 0, 93, 260)), "grey", _BOUNDED),
    Job((200, 260), _CORNERS, "rgba", _NARROW, "crop", 64, form="float"),
    Job((200, 260), ((40, 60, 130, 190),), "rgb", _NARROW, "resize", 100, composite=False),
    Job((40, 44), ((3, 4, 30, 44),), "rgb", _NARROW),
    # Holes of one pixel whose alpha is 0: no window for it, and no run of the model.
    Job((200, 260), ((20, 30, 50, 60), (194, 214, 195, 215)), "rgba", _DYNAMIC, "crop"),
    Job((200, 260), ((182, 88, 183, 89),), "rgba", _DYNAMIC, "crop"),
)
