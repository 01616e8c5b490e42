"""The user's pictures to judge on: of sizes that models take, with holes in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lama_edge.errors import PictureError, UsageError
from lama_edge.judging.cases import ParityCase
from lama_edge.pictures.folder_cases import MAX_PICTURE_SIDE, picture_cases
from lama_edge.spec import Size, SizePolicy

DYNAMIC = SizePolicy(None, 8, 16)
FIXED = SizePolicy(Size(64, 96), 8, 16)


def _save(path: Path, height: int, width: int, hole: tuple[slice, slice] | None = None) -> None:
    """Write a picture that holds its own coordinates, and beside it its mask."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, :, 0] = np.arange(height)[:, None] % 256
    pixels[:, :, 1] = np.arange(width)[None, :] % 256
    Image.fromarray(pixels).save(path)
    if hole is not None:
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[hole] = 255
        Image.fromarray(mask).save(path.with_name(f"{path.stem}_mask.png"))


def _only(cases: list[ParityCase]) -> ParityCase:
    (case,) = cases
    return case


def test_a_picture_for_a_dynamic_model_is_cropped_to_the_multiple(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 101, 77, (slice(90, 95), slice(3, 5)))
    case = _only(picture_cases(tmp_path, None, DYNAMIC))
    assert (case.name, case.size) == ("a.png", Size(96, 72))
    rows, columns = np.nonzero(case.hole)
    assert set(case.image[rows, columns, 0]) == set(range(90, 95))
    assert set(case.image[rows, columns, 1]) == {3, 4}


def test_a_large_picture_is_scaled_down(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 1200, 900, (slice(0, 200), slice(0, 900)))
    case = _only(picture_cases(tmp_path, None, DYNAMIC))
    assert case.size == Size(MAX_PICTURE_SIDE, 384)
    assert case.hole.mean() == pytest.approx(200 / 1200, abs=0.01)


def test_a_small_picture_is_padded_up_to_the_smallest_size(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 10, 40, (slice(2, 4), slice(2, 4)))
    case = _only(picture_cases(tmp_path, None, SizePolicy(None, 8, 72)))
    assert case.size == Size(72, 72)
    assert (case.image[:10, :40, 1] == np.arange(40)).all()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (640, 96), (70, 1000), (20, 30)])
def test_a_picture_for_a_fixed_size_is_cropped_and_scaled(
    tmp_path: Path, height: int, width: int
) -> None:
    _save(tmp_path / "a.png", height, width, (slice(0, 4), slice(0, 4)))
    case = _only(picture_cases(tmp_path, None, FIXED))
    assert case.size == Size(64, 96)
    assert case.hole[0, 0]


def test_a_crop_is_centred_on_the_hole(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 32, 250, (slice(8, 24), slice(50, 200)))
    case = _only(picture_cases(tmp_path, None, SizePolicy(Size(32, 32), 8, 16)))
    middle = case.image[0, 16, 1]
    assert abs(int(middle) - 125) <= 1


def test_a_crop_between_two_spots_keeps_one_of_them(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 32, 250)
    mask = np.zeros((32, 250), dtype=np.uint8)
    mask[:, [2, 247]] = 255
    Image.fromarray(mask).save(tmp_path / "a_mask.png")
    case = _only(picture_cases(tmp_path, None, SizePolicy(Size(32, 32), 8, 16)))
    assert case.hole.any()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    spots=st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)), min_size=1, max_size=3),
    policy=st.sampled_from([DYNAMIC, FIXED, SizePolicy(None, 8, 72), SizePolicy(None, 8, 24, 64)]),
)
def test_every_picture_becomes_one_that_the_model_takes_with_a_hole_in_it(
    tmp_path_factory: pytest.TempPathFactory, height, width, spots, policy
) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    _save(folder / "a.png", height, width)
    mask = np.zeros((height, width), dtype=np.uint8)
    for row, column in spots:
        mask[int(row * height), int(column * width)] = 1
    Image.fromarray(mask).save(folder / "a_mask.png")
    case = _only(picture_cases(folder, None, policy))
    assert policy.problem_with(case.size.height, case.size.width) is None
    assert case.image.shape == (*case.hole.shape, 3)
    assert case.hole.any()


def test_masks_are_found_by_name_and_several_are_told_apart(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name in ("a", "b", "c"):
        _save(images / f"{name}.png", 32, 32)
    for name, rows in (("a.png", 2), ("b_mask001.png", 4), ("b_mask002.png", 6)):
        mask = np.zeros((32, 32), dtype=np.uint8)
        mask[:rows] = 255
        Image.fromarray(mask).save(masks / name)
    cases = {case.name: case for case in picture_cases(images, masks, DYNAMIC)}
    assert list(cases) == ["a.png", "b.png (b_mask001.png)", "b.png (b_mask002.png)", "c.png"]
    rows = [int(case.hole.sum()) // 32 for case in list(cases.values())[:3]]
    assert rows == [2, 4, 6]
    hole = cases["c.png"].hole
    assert all(edge.any() for edge in (hole[0], hole[-1], hole[:, 0], hole[:, -1]))


def test_the_same_pictures_give_the_same_cases(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 40, 48)
    first, again = (_only(picture_cases(tmp_path, None, DYNAMIC)) for _ in range(2))
    assert (first.image == again.image).all()
    assert (first.hole == again.hole).all()


def test_a_mask_without_a_hole_is_refused(tmp_path: Path) -> None:
    _save(tmp_path / "a.png", 32, 32, (slice(0, 0), slice(0, 0)))
    with pytest.raises(PictureError, match=r"a_mask\.png' has no hole"):
        picture_cases(tmp_path, None, DYNAMIC)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no picture"):
        picture_cases(tmp_path, None, DYNAMIC)
