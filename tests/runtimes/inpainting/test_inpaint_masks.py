"""How masks reach the model: from files, the command line and applications."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import DATA

from lama_edge import cli
from lama_edge.errors import PictureError, UsageError
from lama_edge.imaging.masks import MaskRules, grown, read_mask
from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_file
from lama_edge.runtimes.inpainting.inpainter import Inpainter

CASES = DATA / "cases"
ORIENTATION = 0x0112
SIZE = (40, 24)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    levels = np.random.default_rng(4).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def saved_mask(folder: Path, hole: np.ndarray) -> Path:
    Image.fromarray(hole).save(folder / "mask.png")
    return folder / "mask.png"


def box(rows: int = 24, columns: int = 40) -> np.ndarray:
    hole = np.zeros((rows, columns), bool)
    hole[5:9, 10:17] = True
    return hole


def changed(before: Path, after: Path) -> np.ndarray:
    old, new = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (before, after))
    return np.asarray((old != new).any(axis=2))


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_mask_drawn_in_alpha_changes_its_shape_alone(
    golden_folder: Path, tmp_path: Path, colour: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.png"
    mask = CASES / f"mask-alpha-{colour}.png"
    files = (str(CASES / "photo.png"), str(mask), "-o", str(output))
    assert cli.main(["inpaint", str(golden_folder), *files, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["mask_channel"] == "alpha"
    hole = np.asarray(Image.open(CASES / "mask.png")) > 0
    differs = changed(CASES / "photo.png", output)
    assert differs[hole].mean() > 0.9
    assert not differs[~hole].any()


def test_rules_of_the_command_line_reach_the_mask_once(
    golden_folder: Path, tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = np.full((*SIZE[::-1], 3), 255, np.uint8)
    levels[:, :, 2] = ~box() * np.uint8(255)
    Image.fromarray(levels).save(tmp_path / "mask.png")
    files = (str(picture), str(tmp_path / "mask.png"), "-o", str(tmp_path / "out.png"))
    flags = ("--mask-channel", "blue", "--invert-mask", "--grow", "3", "--json")
    assert cli.main(["inpaint", str(golden_folder), *files, *flags]) == 0
    result = json.loads(capsys.readouterr().out)
    hole = grown(box(), 3)
    assert result["mask_channel"] == "blue"
    assert result["hole_share"] == pytest.approx(hole.mean())
    assert not changed(picture, tmp_path / "out.png")[~hole].any()


def test_rules_of_an_inpainter_count_for_arrays_but_not_for_masks_that_were_read(
    golden_folder: Path, picture: Path
) -> None:
    pixels = np.asarray(Image.open(picture))
    rules = MaskRules(grow=2)
    with Inpainter.open(golden_folder, mask_rules=rules) as inpainter:
        results = [inpainter(pixels, box()), inpainter(pixels, read_mask(box(), rules))]
        inpainter.mask_rules = MaskRules()
        results.append(inpainter(pixels, grown(box(), 2)))
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[2])


TURNS = {
    5: lambda mask: np.fliplr(np.rot90(mask, -1)),
    6: lambda mask: np.rot90(mask, -1),
    7: lambda mask: np.fliplr(np.rot90(mask)),
    8: np.rot90,
}
WORDS = {
    5: "turn the mask clockwise, then mirror it left to right",
    6: "turn the mask clockwise",
    7: "turn the mask counter-clockwise, then mirror it left to right",
    8: "turn the mask counter-clockwise",
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_mask_of_the_stored_picture_is_told_how_to_turn(
    golden_folder: Path, tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = tmp_path / f"in.{suffix}"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("RGB", SIZE, "teal").save(path, exif=exif)
    mask = saved_mask(tmp_path, box())
    expected = f"orientation {orientation} is applied: {WORDS[orientation]}$"
    with pytest.raises(PictureError, match=expected):
        inpaint_file(InpaintFile("no model", path, mask, tmp_path / "out.png"))
    with Inpainter.open(golden_folder) as inpainter, pytest.raises(PictureError, match=expected):
        inpainter(Image.open(path), Image.open(mask))
    # What the words say is what puts the picture upright.
    stored = Image.fromarray(box())
    stored.getexif()[ORIENTATION] = orientation
    upright = read_mask(stored).hole
    np.testing.assert_array_equal(TURNS[orientation](box()), upright)


@pytest.mark.parametrize(("orientation", "size"), [(1, (24, 40)), (3, (24, 40)), (6, (39, 24))])
def test_no_turn_is_offered_that_would_not_help(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("RGB", SIZE).save(tmp_path / "in.png", exif=exif)
    mask = saved_mask(tmp_path, box(*size[::-1]))
    with pytest.raises(PictureError, match="give a mask of the picture's size"):
        inpaint_file(InpaintFile("no model", tmp_path / "in.png", mask, tmp_path / "out.png"))


def test_a_folder_in_the_place_of_a_mask_is_named(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "masks").mkdir()
    with pytest.raises(UsageError, match=r"masks' is a folder and the picture '.*in\.png' a file"):
        inpaint_file(InpaintFile("no model", picture, tmp_path / "masks", tmp_path / "out.png"))


def test_a_growth_out_of_range_is_a_line_on_stderr(
    tmp_path: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = (str(picture), str(picture), "-o", str(tmp_path / "out.png"))
    assert cli.main(["inpaint", "no model", *files, "--grow", "-1"]) == 2
    assert "cannot grow by -1 pixels" in capsys.readouterr().err
