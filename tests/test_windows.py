"""Windows round the holes of a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.spec import Size, SizePolicy
from lama_edge.windows import Working, context_px, hole_windows, whole_picture
from lama_edge.windows.boxes import Box, hole_boxes

PHOTO_PIXELS = (3000, 4000)
DYNAMIC = SizePolicy(None, 8, 16)
FIXED = SizePolicy(Size(96, 128), 8, 16)
BOUNDED = SizePolicy(None, 8, 72, 88)
ANY = Working(DYNAMIC)
# Windows overlap in their margins: the worst of 800 random masks had 1.02 times the pixels.
MAX_COST = 1.25
LEAST_CONTEXT = context_px(1, 1)[1]
sides = st.integers(1, 70)
workings = st.sampled_from([ANY, Working(DYNAMIC, 96), Working(DYNAMIC, 200), Working(FIXED)])


def holes_of(boxes: list[Box], shape: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(shape, np.bool_)
    for box in boxes:
        hole[box.slices] = True
    return hole


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 500)), draw(st.integers(1, 500))
    boxes = []
    for _ in range(draw(st.integers(0, 8))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        tall, wide = draw(st.integers(1, 90)), draw(st.integers(1, 90))
        boxes.append(Box(top, left, min(height, top + tall), min(width, left + wide)))
    return holes_of(boxes, (height, width))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(masks(), workings)
def test_every_hole_pixel_is_filled_by_exactly_one_window_that_sees_context(
    hole: np.ndarray, working: Working
) -> None:
    picture = Box(0, 0, *hole.shape)
    filled = np.zeros(hole.shape, np.int32)
    for window in hole_windows(hole, working):
        filled[window.hole.slices] += 1
        least = window.hole.with_margins(LEAST_CONTEXT, LEAST_CONTEXT, picture)
        seen = window.view.with_margins(0, 0, picture)
        assert seen == window.view
        assert seen.top <= least.top
        assert seen.left <= least.left
        assert seen.bottom >= least.bottom
        assert seen.right >= least.right
    np.testing.assert_array_equal(filled[hole], 1)
    assert filled.max() <= 1


def test_a_hole_that_two_joined_ones_reach_round_belongs_to_their_window() -> None:
    boxes = [Box(65, 15, 129, 73), Box(120, 83, 169, 110), Box(24, 62, 28, 112)]
    hole = holes_of(boxes, (222, 116))
    windows = hole_windows(hole, Working(SizePolicy(None, 8, 16), 200))
    filled = np.zeros(hole.shape, np.int32)
    for window in windows:
        filled[window.hole.slices] += 1
    np.testing.assert_array_equal(filled[hole], 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(masks(), workings)
def test_windows_are_the_same_every_time_and_cost_at_most_some_whole_pictures(
    hole: np.ndarray, working: Working
) -> None:
    windows = hole_windows(hole, working)
    assert windows == hole_windows(hole.copy(), working)
    assert list(windows) == sorted(windows)
    if working is ANY and windows:
        cost = sum(working.pixels(one.view.height, one.view.width) for one in windows)
        assert cost <= MAX_COST * working.pixels(*hole.shape)


def test_a_window_is_the_hole_with_a_third_of_its_mean_side_and_64_pixels_round_it() -> None:
    hole = holes_of([Box(401, 1003, 411, 1163)], (1000, 2000))  # the mean side is 40
    (window,) = hole_windows(hole, ANY)
    assert context_px(10, 160) == (64 + 13, 32 + 10)
    assert window.hole == Box(401, 1003, 411, 1163)
    assert window.view == window.hole.with_margins(77, 77, Box(0, 0, 1000, 2000)).grown_to(
        168, 320, Box(0, 0, 1000, 2000)
    )


def test_a_window_gives_up_context_before_it_is_shrunk() -> None:
    hole = holes_of([Box(1000, 1000, 1600, 1600)], PHOTO_PIXELS)
    for max_side, side, shrinkage in ((None, 1128, 1), (1024, 1024, 1), (900, 964, 1.07)):
        working = Working(DYNAMIC, max_side)
        (window,) = hole_windows(hole, working)
        assert abs(window.view.height - side) < 8
        assert working.shrinkage(*[window.view.height] * 2) == pytest.approx(shrinkage, abs=0.01)


def test_two_windows_become_one_only_where_that_costs_less() -> None:
    shape = (800, 800)
    for gap, count in ((20, 1), (100, 1), (150, 2), (400, 2)):
        hole = holes_of([Box(200, 200, 210, 210), Box(200, 210 + gap, 210, 220 + gap)], shape)
        assert len(hole_windows(hole, ANY)) == count, gap
    # On a diagonal the box round both is mostly nothing.
    hole = holes_of([Box(200, 200, 210, 210), Box(310, 310, 320, 320)], shape)
    assert len(hole_windows(hole, ANY)) == 2


def test_a_fixed_size_model_gets_the_holes_that_one_run_can_hold() -> None:
    hole = holes_of([Box(10, 10, 14, 14), Box(10, 200, 14, 204)], (300, 300))
    roomy = Working(SizePolicy(Size(256, 320), 8, 16))
    assert len(hole_windows(hole, roomy)) == 1
    assert len(hole_windows(hole, Working(FIXED))) == 2


def test_holes_that_would_be_shrunk_together_stay_apart() -> None:
    row = [Box(700, x, 900, x + 150) for x in range(100, 3900, 260)]
    hole = holes_of(row, PHOTO_PIXELS)
    working = Working(DYNAMIC, 1024)
    windows = hole_windows(hole, working)
    assert 1 < len(windows) < len(row)
    assert all(working.shrinkage(w.view.height, w.view.width) == 1 for w in windows)


def test_dust_all_over_a_photograph_is_filled_at_its_own_resolution() -> None:
    rng = np.random.default_rng(3)
    hole = np.zeros((1500, 2000), np.bool_)
    hole[rng.integers(0, 1500, 900), rng.integers(0, 2000, 900)] = True
    working = Working(DYNAMIC, 512)
    windows = hole_windows(hole, working)
    assert all(working.shrinkage(w.view.height, w.view.width) == 1 for w in windows)
    assert sum(int(hole[w.hole.slices].sum()) for w in windows) == int(hole.sum())


def test_a_window_is_real_pixels_to_the_models_multiple() -> None:
    hole = holes_of([Box(101, 103, 118, 110)], (400, 400))
    (window,) = hole_windows(hole, ANY)
    assert window.view.height % 8 == window.view.width % 8 == 0
    (window,) = hole_windows(hole, Working(SizePolicy(Size(256, 320), 8, 16)))
    assert (window.view.height, window.view.width) == (256, 320)


def test_a_full_mask_is_one_window() -> None:
    hole = np.ones((70, 33), np.bool_)
    assert hole_windows(hole, ANY) == whole_picture(hole)
    assert whole_picture(np.zeros((4, 4), np.bool_)) == ()


def test_hundreds_of_specks_on_a_12_megapixel_photograph() -> None:
    rng = np.random.default_rng(3)
    hole = np.zeros(PHOTO_PIXELS, np.bool_)
    hole[rng.integers(0, 3000, 120), rng.integers(0, 4000, 120)] = True
    windows = hole_windows(hole, Working(DYNAMIC, 1024))
    assert sum(int(hole[w.hole.slices].sum()) for w in windows) == int(hole.sum())


def test_the_pieces_of_one_hole_count_together() -> None:
    dashes = [Box(600, x, 604, x + 8) for x in range(300, 700, 40)]
    assert hole_boxes(holes_of(dashes, (1400, 1400))) == [Box(600, 300, 604, 668)]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (37, 1), (500, 700), (3000, 4000)])
@pytest.mark.parametrize(
    "working", [ANY, Working(DYNAMIC, 96), Working(FIXED), Working(BOUNDED), Working(BOUNDED, 80)]
)
def test_what_the_model_is_given_is_within_the_bound_and_a_size_it_takes(
    size: tuple[int, int], working: Working
) -> None:
    seen, shrunk = working.seen(*size), working.shrunk(*size)
    assert working.policy.problem_with(*seen) is None
    assert all(small <= side for small, side in zip(shrunk, seen, strict=True))
    if working.max_side is not None:
        assert max(seen) <= max(working.max_side, working.policy.min_size)
    if working.policy.max_side is not None:
        assert max(seen) <= working.policy.max_side
    assert (shrunk == size) == (working.shrinkage(*size) == 1)


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
