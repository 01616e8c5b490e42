"""Results are encoded as their pictures' files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from lama_edge.imaging.reading import load_picture, native_picture
from lama_edge.imaging.saving import save_picture, suffix_for


def _scene(height: int = 40, width: int = 56) -> Image.Image:
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


def _rewritten(tmp_path: Path, suffix: str, image: Image.Image, **options: Any) -> list[Path]:
    """Write a picture, read and save it again; return both files."""
    paths = [tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"]
    image.save(paths[0], **options)
    save_picture(native_picture(load_picture(paths[0])), paths[1])
    return paths


@pytest.mark.parametrize("quality", [30, 75, 90, 98])
@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_a_jpeg_keeps_its_tables_and_sampling(tmp_path: Path, quality: int, sampling: int) -> None:
    paths = _rewritten(tmp_path, ".jpg", _scene(), quality=quality, subsampling=sampling)
    first, second = (Image.open(path) for path in paths)
    assert isinstance(first, JpegImagePlugin.JpegImageFile)
    assert isinstance(second, JpegImagePlugin.JpegImageFile)
    assert first.quantization == second.quantization
    assert JpegImagePlugin.get_sampling(second) == sampling
    difference = np.asarray(first).astype(int) - np.asarray(second)
    # Rounding and, with fewer colour samples, how they are interpolated.
    assert np.abs(difference).mean() < (0.5 if sampling == 0 else 3)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_turned_jpeg_loses_next_to_nothing(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    paths = _rewritten(tmp_path, ".jpg", _scene(), quality=40, subsampling=0, exif=exif)
    upright, again = load_picture(paths[0]), load_picture(paths[1])
    assert upright.size == again.size
    difference = np.asarray(upright).astype(int) - np.asarray(again)
    assert np.abs(difference).mean() < 0.5


def test_a_grey_jpeg_keeps_its_table(tmp_path: Path) -> None:
    first, second = map(Image.open, _rewritten(tmp_path, ".jpg", _scene().convert("L"), quality=50))
    assert first.quantization == second.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"])
def test_a_tiff_keeps_its_compression(tmp_path: Path, compression: str) -> None:
    _, path = _rewritten(tmp_path, ".tif", _scene(), compression=compression)
    assert Image.open(path).info["compression"] == compression


def test_a_lossy_tiff_becomes_one_without_loss(tmp_path: Path) -> None:
    _, path = _rewritten(tmp_path, ".tif", _scene(), compression="jpeg")
    assert Image.open(path).info["compression"] == "tiff_adobe_deflate"


@pytest.mark.parametrize("alpha", [None, 90])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_stays_lossy_or_not(tmp_path: Path, lossless: bool, alpha: int | None) -> None:
    scene = _scene()
    if alpha is not None:
        scene.putalpha(Image.linear_gradient("L").resize(scene.size))
    options = {"lossless": lossless, "icc_profile": b"\0" * 131}  # an odd length is padded
    first, second = _rewritten(tmp_path, ".webp", scene, **options)
    assert (b"VP8L" in second.read_bytes()) is lossless
    if lossless:
        assert np.array_equal(np.asarray(Image.open(first)), np.asarray(Image.open(second)))


def test_another_format_takes_nothing_over(tmp_path: Path) -> None:
    _scene().save(tmp_path / "in.jpg", quality=20)
    picture = load_picture(tmp_path / "in.jpg")
    for suffix in (".png", ".webp", ".tif", ".bmp"):
        save_picture(picture, tmp_path / f"out{suffix}")
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"out{suffix}")), picture)


@pytest.mark.parametrize(
    ("name", "own", "suffix"),
    [
        (None, ".JPG", ".JPG"),
        (None, ".gif", ".png"),
        ("jpeg", ".jpeg", ".jpeg"),
        ("jpeg", ".png", ".jpg"),
        ("tiff", ".TIFF", ".TIFF"),
        ("png", ".tif", ".png"),
    ],
)
def test_a_results_suffix(name: str | None, own: str, suffix: str) -> None:
    assert suffix_for(name, own) == suffix


@pytest.mark.parametrize("stored", ["CMYK", "RGB"])
def test_tables_of_other_colours_are_not_taken_over(tmp_path: Path, stored: str) -> None:
    scene = _scene()
    options = {"keep_rgb": True, "subsampling": 0} if stored == "RGB" else {}
    paths = _rewritten(tmp_path, ".jpg", scene.convert(stored), quality=40, **options)
    save_picture(scene, tmp_path / "usual.jpg")
    usual = Image.open(tmp_path / "usual.jpg")
    assert Image.open(paths[1]).quantization == usual.quantization  # type: ignore[attr-defined]
