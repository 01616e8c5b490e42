"""The pictures for calibration: extremes among them, and none that models are judged on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lama_edge.errors import PictureError, UsageError
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.pictures.calibration import MAX_PICTURES, calibration_cases
from lama_edge.pictures.holdout import general_holdout, holdout
from lama_edge.spec import Size, SizePolicy

DYNAMIC = SizePolicy(None, 8, 16)
FIXED = SizePolicy(Size(64, 96), 8, 16)
# Big-lama's shape takes 3 to 8 s a picture of 512 x 512 in the emulator.
MAX_DEFAULT_PICTURES = 14
LEAST_WIDE_SHARE = 0.25


def _same(one: list[ParityCase], other: list[ParityCase]) -> bool:
    return len(one) == len(other) and all(
        a.name == b.name and (a.image == b.image).all() and (a.hole == b.hole).all()
        for a, b in zip(one, other, strict=True)
    )


def _save(folder: Path, name: str, height: int, width: int, level: int = 90) -> None:
    pixels = np.full((height, width, 3), level, dtype=np.uint8)
    pixels[:, : width // 2, 1] = 255 - level
    Image.fromarray(pixels).save(folder / name)


@pytest.mark.parametrize("policy", [DYNAMIC, FIXED], ids=["dynamic", "fixed"])
def test_every_size_has_flat_white_and_flat_black_with_a_wide_hole(policy: SizePolicy) -> None:
    cases = calibration_cases(policy)
    for size in {case.size for case in cases}:
        flat = [c for c in cases if c.size == size and c.image.min() == c.image.max()]
        assert {int(case.image[0, 0, 0]) for case in flat} == {0, 255}
        assert all(LEAST_WIDE_SHARE <= case.hole.mean() < 1 for case in flat)


def test_bright_dark_and_noisy_pictures_and_holes_of_all_widths_are_among_them() -> None:
    cases = calibration_cases(FIXED)
    textured = [case for case in cases if case.image.min() < case.image.max()]
    means = [float(case.image.mean()) for case in textured]
    assert min(means) < 255 / 4
    assert max(means) > 255 / 2
    steps = [np.abs(np.diff(c.image.astype(int), axis=1)).mean() for c in textured]
    assert max(steps) > 255 / 4  # static: independent levels differ by a third of the range
    for kind in ("wide", "medium", "narrow"):
        assert any(f"{kind} hole" in case.name for case in cases)
    assert all(case.hole.any() for case in cases)
    assert not any(case.hole.all() for case in cases)


def test_the_pictures_are_the_same_in_every_run_and_few() -> None:
    cases = calibration_cases(DYNAMIC)
    assert _same(cases, calibration_cases(DYNAMIC))
    assert 8 <= len(cases) <= MAX_DEFAULT_PICTURES
    assert {str(case.size) for case in cases} == {"256x256", "320x200", "512x512"}


def test_a_fixed_size_model_is_calibrated_at_its_size_alone() -> None:
    assert {case.size for case in calibration_cases(FIXED)} == {Size(64, 96)}


@settings(derandomize=True, max_examples=6, deadline=None)
@given(st.sampled_from([8, 16, 32]), st.integers(1, 12), st.sampled_from([None, 0, 3]))
def test_default_sizes_suit_the_model(multiple: int, least: int, more: int | None) -> None:
    most = None if more is None else multiple * (least + more)
    policy = SizePolicy(None, multiple, multiple * least, most)
    for case in calibration_cases(policy):
        assert policy.problem_with(case.size.height, case.size.width) is None


def test_sizes_can_be_given_and_each_gets_a_picture_of_something() -> None:
    sizes = [Size(32, 32 + 8 * extra) for extra in range(10)]
    cases = calibration_cases(DYNAMIC, sizes=sizes)
    textured = {case.size for case in cases if case.image.min() < case.image.max()}
    assert textured == set(sizes)


def test_a_long_narrow_picture_gets_a_wide_hole_too() -> None:
    cases = calibration_cases(DYNAMIC, sizes=[Size(16, 512)])
    wide = [case.hole.mean() for case in cases if "wide hole" in case.name]
    assert min(wide) >= LEAST_WIDE_SHARE


@pytest.mark.parametrize(
    ("policy", "size", "problem"),
    [
        (DYNAMIC, Size(64, 65), "multiples of 8"),
        (DYNAMIC, Size(8, 64), "at least 16"),
        (FIXED, Size(64, 64), "64x96"),
    ],
)
def test_a_size_that_the_model_does_not_take_is_refused(
    policy: SizePolicy, size: Size, problem: str
) -> None:
    with pytest.raises(UsageError, match=f"cannot calibrate at {size}: .*{problem}"):
        calibration_cases(policy, sizes=[size])


def test_a_folder_gives_its_pictures_and_the_flat_ones(tmp_path: Path) -> None:
    _save(tmp_path, "b.png", 70, 300)
    _save(tmp_path, "a.png", 30, 20, level=10)
    _save(tmp_path, "a_mask.png", 30, 20)
    cases = calibration_cases(FIXED, folder=tmp_path)
    names = [case.name for case in cases]
    assert [name.partition(",")[0] for name in names] == [
        "a.png",
        "b.png",
        "flat white",
        "flat black",
    ]
    assert all(case.size == Size(64, 96) for case in cases)
    left, right = cases[1].image[0, 0], cases[1].image[0, -1]
    assert (left[1], right[1]) == (165, 90)  # the middle, with its edge, and not a corner
    assert _same(cases, calibration_cases(FIXED, folder=tmp_path))


def test_of_a_large_folder_so_many_are_taken_at_equal_distances(tmp_path: Path) -> None:
    for index in range(2 * MAX_PICTURES):
        _save(tmp_path, f"{index:03d}.png", 16, 16)
    cases = calibration_cases(SizePolicy(Size(16, 16), 8, 16), folder=tmp_path)
    taken = [case.name.partition(".")[0] for case in cases][:-2]
    assert taken == [f"{2 * index:03d}" for index in range(MAX_PICTURES)]


def test_an_empty_folder_and_a_broken_picture_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture"):
        calibration_cases(FIXED, folder=tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"a\.png"):
        calibration_cases(FIXED, folder=tmp_path)


def test_no_picture_is_one_that_models_are_judged_on() -> None:
    size = Size(64, 64)
    policy = SizePolicy(size, 8, 16)
    judged = [case.image for case in seeded_cases(policy)]
    judged += [sample.truth for make in (holdout, general_holdout) for sample in make(64, 8)]
    for case in calibration_cases(policy):
        assert not any((case.image == image).all() for image in judged)


def test_drawing_pictures_needs_neither_torch_nor_the_training() -> None:
    code = (
        "import sys, lama_edge.pictures.calibration as c; from lama_edge.spec import *; "
        "c.calibration_cases(SizePolicy(Size(32, 32), 8, 16)); "
        "assert not {'torch', 'lama_edge.models.training'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
