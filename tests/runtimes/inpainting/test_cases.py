"""What was decided for each kind of picture and mask; see docs/how-to/inpainting.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import DATA

from lama_edge import cli

CASES = DATA / "cases"
MASK = CASES / "mask.png"
ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825


def _inpaint(model: Path, image: Path, mask: Path, output: Path) -> int:
    return cli.main(["inpaint", *map(str, (model, image, mask)), "-o", str(output)])


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("photo.png", "RGB", ""),
        ("rgb16.png", "RGB", "16 bits"),
        ("sticker-black-under-alpha.png", "RGBA", ""),
        ("sticker-palette.png", "RGBA", "converted to RGBA"),
        ("sticker.gif", "RGBA", "converted to RGBA"),
    ],
)
def test_known_and_transparent_pixels_come_back(
    golden_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    mode: str,
    told: str,
) -> None:
    output = tmp_path / "out.png"
    assert _inpaint(golden_folder, CASES / name, MASK, output) == 0
    assert told in caplog.text
    assert len(caplog.messages) == (told != "")
    before, after = Image.open(CASES / name).convert(mode), Image.open(output)
    assert after.mode == mode
    kept = np.asarray(Image.open(MASK)) == 0
    if mode == "RGBA":
        np.testing.assert_array_equal(before.getchannel("A"), after.getchannel("A"))
        kept = kept | (np.asarray(before.getchannel("A")) == 0)
    differs = (np.asarray(before) != np.asarray(after)).any(axis=2)
    assert not differs[kept].any()
    assert differs[~kept].mean() > 0.5


@pytest.mark.parametrize("name", ["mask-alpha-black.png", "mask-alpha-white.png"])
def test_the_alpha_of_a_mask_of_one_colour_is_its_hole(
    golden_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    output = tmp_path / "out.png"
    assert _inpaint(golden_folder, CASES / "photo.png", CASES / name, output) == 0
    assert "alpha" in caplog.text
    hole = np.asarray(Image.open(CASES / name).getchannel("A")) > 0
    before, after = (np.asarray(Image.open(path)) for path in (CASES / "photo.png", output))
    differs = (before != after).any(axis=2)
    assert not differs[~hole].any()
    assert differs[hole].mean() > 0.5


def test_floats_are_refused(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _inpaint(golden_folder, CASES / "float.tif", MASK, tmp_path / "out.tif") == 2
    assert "float values" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_photograph_comes_back_upright_with_what_its_camera_said(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera, mask, output = CASES / "camera.jpg", tmp_path / "mask.png", tmp_path / "out.jpg"
    assert _inpaint(golden_folder, camera, MASK, output) == 2
    assert "orientation" in capsys.readouterr().err
    Image.open(MASK).transpose(Image.Transpose.ROTATE_270).save(mask)
    assert _inpaint(golden_folder, camera, mask, output) == 0
    before, after = Image.open(camera), Image.open(output)
    assert after.size == before.size[::-1]
    exif = after.getexif()
    assert exif.get(ORIENTATION, 1) == 1
    assert exif[MAKE] == before.getexif()[MAKE]
    assert exif.get_ifd(GPS) == before.getexif().get_ifd(GPS)
    assert after.info["dpi"] == before.info["dpi"]
