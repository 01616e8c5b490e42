"""Inpainting picture files: what is read, written and left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lama_edge.errors import PictureError, UsageError
from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_file

CASES = Path(__file__).parents[2] / "data/cases"
ORIENTATION_TAG = 0x0112
ROTATED_BY_90 = 6


@pytest.fixture
def mask_path(tmp_path: Path) -> Path:
    mask = Image.new("L", (60, 40))
    mask.paste(1, (10, 10, 30, 25))
    mask.save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def _picture(mode: str, size: tuple[int, int] = (60, 40)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8), mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_known_pixels_and_mode_survive_the_whole_way(
    golden_folder: Path, tmp_path: Path, mask_path: Path, mode: str
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = _picture(mode)
    picture.save(tmp_path / "in.png", icc_profile=profile)
    result = inpaint_file(
        InpaintFile(golden_folder, tmp_path / "in.png", mask_path, tmp_path / "out.png")
    )
    written = Image.open(result.path)
    assert written.mode == mode
    assert written.info["icc_profile"] == profile
    known = np.asarray(Image.open(mask_path)) == 0
    assert np.array_equal(np.asarray(written)[known], np.asarray(picture)[known])
    assert not np.array_equal(np.asarray(written)[~known], np.asarray(picture)[~known])


def test_a_rotated_photograph_is_written_upright(
    golden_folder: Path, tmp_path: Path, mask_path: Path
) -> None:
    picture = _picture("RGB", (40, 60))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = ROTATED_BY_90
    picture.save(tmp_path / "in.png", exif=exif)
    result = inpaint_file(
        InpaintFile(golden_folder, tmp_path / "in.png", mask_path, tmp_path / "out.png")
    )
    written = Image.open(result.path)
    assert written.size == (60, 40)
    assert ORIENTATION_TAG not in written.getexif()
    known = np.asarray(Image.open(mask_path)) == 0
    upright = np.asarray(picture.transpose(Image.Transpose.ROTATE_270))
    assert np.array_equal(np.asarray(written)[known], upright[known])


@pytest.mark.parametrize("strip", [False, True])
def test_what_a_camera_wrote_goes_the_whole_way_unless_it_is_stripped(
    golden_folder: Path, tmp_path: Path, strip: bool
) -> None:
    camera = CASES / "camera.jpg"
    before = Image.open(camera)
    upright = before.transpose(Image.Transpose.ROTATE_270)
    mask = Image.new("L", upright.size)
    mask.paste(255, (20, 30, 40, 50))
    mask.save(tmp_path / "mask.png")
    output = tmp_path / "out.jpg"
    job = InpaintFile(golden_folder, camera, tmp_path / "mask.png", output, strip_metadata=strip)
    inpaint_file(job)
    after = Image.open(output)
    assert after.size == upright.size
    if strip:
        assert "exif" not in after.info
        assert "dpi" not in after.info
        return
    assert after.info["dpi"] == before.info["dpi"]
    kept, had = after.getexif(), before.getexif()
    assert had.pop(ORIENTATION_TAG) == ROTATED_BY_90
    assert dict(kept).keys() == dict(had).keys()
    for directory in (0x8769, 0x8825):
        assert kept.get_ifd(directory) == had.get_ifd(directory)


def test_a_picture_over_the_limit_is_inpainted_where_the_user_says_so(
    golden_folder: Path, tmp_path: Path, mask_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _picture("RGB").save(tmp_path / "in.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    job = InpaintFile(golden_folder, tmp_path / "in.png", mask_path, tmp_path / "out.png")
    with pytest.raises(PictureError, match="give max_pixels=2400 to inpaint it"):
        inpaint_file(job)
    assert inpaint_file(replace(job, max_pixels=2400)).width == 60


def test_a_format_that_cannot_hold_the_picture_is_refused_before_the_model_opens(
    tmp_path: Path, mask_path: Path
) -> None:
    _picture("RGBA").save(tmp_path / "in.png")
    with pytest.raises(PictureError, match=r"name a \.png instead"):
        inpaint_file(InpaintFile("no model", tmp_path / "in.png", mask_path, tmp_path / "out.jpg"))
    assert not (tmp_path / "out.jpg").exists()


def test_a_failed_run_keeps_the_earlier_output(
    golden_folder: Path, tmp_path: Path, mask_path: Path
) -> None:
    (tmp_path / "in.png").write_bytes(b"damaged")
    (tmp_path / "out.png").write_bytes(b"earlier")
    job = InpaintFile(golden_folder, tmp_path / "in.png", mask_path, tmp_path / "out.png")
    with pytest.raises(PictureError, match=r"in\.png"):
        inpaint_file(job)
    assert (tmp_path / "out.png").read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(("taken", "name"), [("in.png", "picture"), ("mask.png", "mask")])
def test_picture_and_mask_are_never_replaced(
    golden_folder: Path, tmp_path: Path, mask_path: Path, taken: str, name: str
) -> None:
    _picture("RGB").save(tmp_path / "in.png")
    before = (tmp_path / taken).read_bytes()
    # The same file by another path.
    (tmp_path / "folder").symlink_to(tmp_path)
    output = tmp_path / "folder" / taken
    with pytest.raises(UsageError, match=f"is the {name} itself: name another file"):
        inpaint_file(InpaintFile(golden_folder, tmp_path / "in.png", mask_path, output))
    assert (tmp_path / taken).read_bytes() == before
