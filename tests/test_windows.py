"""Windows round the holes of a mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.windows import Box, hole_windows

PHOTO_PIXELS = (3000, 4000)
sides = st.integers(1, 70)


def holes_of(boxes: list[Box], shape: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(shape, np.bool_)
    for box in boxes:
        hole[box.slices] = True
    return hole


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 500), st.integers(1, 500), st.integers(0, 60))
def test_windows_cover_every_hole_with_context_and_do_not_overlap(
    data: st.DataObject, height: int, width: int, context: int
) -> None:
    boxes = []
    for _ in range(data.draw(st.integers(0, 6))):
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        tall, wide = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
        boxes.append(Box(top, left, min(height, top + tall), min(width, left + wide)))
    windows = hole_windows(holes_of(boxes, (height, width)), min_context=context)
    assert bool(windows) == bool(boxes)
    for i, window in enumerate(windows):
        assert 0 <= window.top < window.bottom <= height
        assert 0 <= window.left < window.right <= width
        assert not any(window.overlaps(other) for other in windows[:i])
    for box in boxes:
        margin = max(context, box.height, box.width)
        wanted = Box(
            max(0, box.top - margin),
            max(0, box.left - margin),
            min(height, box.bottom + margin),
            min(width, box.right + margin),
        )
        (holder,) = [window for window in windows if window.overlaps(box)]
        assert holder.top <= wanted.top
        assert holder.left <= wanted.left
        assert holder.bottom >= wanted.bottom
        assert holder.right >= wanted.right


def test_a_window_is_the_hole_with_its_larger_side_round_it() -> None:
    hole = holes_of([Box(401, 1003, 411, 1213)], (1000, 2000))
    assert hole_windows(hole) == (Box(401 - 210, 1003 - 210, 411 + 210, 1213 + 210),)
    hole = holes_of([Box(700, 40, 710, 70)], (1000, 2000))
    assert hole_windows(hole) == (Box(700 - 128, 0, 710 + 128, 70 + 128),)


def test_holes_far_apart_stay_apart_and_near_ones_merge() -> None:
    far = holes_of([Box(200, 200, 210, 210), Box(200, 500, 210, 510)], (800, 800))
    assert len(hole_windows(far)) == 2
    near = holes_of([Box(200, 200, 210, 210), Box(200, 450, 210, 460)], (800, 800))
    assert hole_windows(near) == (Box(72, 72, 338, 588),)


def test_the_pieces_of_one_hole_count_together() -> None:
    dashes = [Box(600, x, 604, x + 8) for x in range(300, 700, 40)]
    (window,) = hole_windows(holes_of(dashes, (1400, 1400)))
    assert window.height == 4 + 2 * 368  # the row of dashes is 368 wide


def test_a_full_mask_is_one_window() -> None:
    assert hole_windows(np.ones((70, 33), np.bool_)) == (Box(0, 0, 70, 33),)


def test_hundreds_of_specks_on_a_12_megapixel_photograph() -> None:
    rng = np.random.default_rng(3)
    hole = np.zeros(PHOTO_PIXELS, np.bool_)
    hole[rng.integers(0, 3000, 400), rng.integers(0, 4000, 400)] = True
    windows = hole_windows(hole)
    assert sum(int(hole[w.slices].sum()) for w in windows) == int(hole.sum())


@given(sides, sides, sides, sides, st.integers(0, 90), st.integers(0, 90))
def test_growing_stays_in_the_picture_and_round_the_box(
    height: int, width: int, top: int, left: int, tall: int, wide: int
) -> None:
    picture = Box(0, 0, height, width)
    box = Box(min(top, height) - 1, min(left, width) - 1, min(top, height), min(left, width))
    grown = box.grown_to(tall, wide, picture)
    assert grown.top <= box.top < box.bottom <= grown.bottom
    assert grown.left <= box.left < box.right <= grown.right
    assert grown.top >= 0
    assert grown.left >= 0
    assert grown.height == min(height, max(1, tall))
    assert grown.width == min(width, max(1, wide))
