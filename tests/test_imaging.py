"""Pictures in and out, and the geometry of padding, shrinking, windows and compositing."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps

from lama_edge import imaging
from lama_edge.errors import PictureError
from lama_edge.imaging import masks, reading, saving

ORIENTATION = 0x0112
PHOTO_PIXELS = (3000, 4000)
sides = st.integers(1, 70)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@functools.cache  # the profile carries the time of its making
def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg", ".PNG"])
def test_an_icc_profile_survives_load_and_save(tmp_path: Path, suffix: str) -> None:
    image = Image.fromarray(noise(9, 7, 3))
    image.info["icc_profile"] = srgb_profile()
    for step in range(2):
        path = tmp_path / f"{step}{suffix}"
        saving.save_picture(image, path)
        image = reading.load_picture(path)
        assert image.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize(
    ("suffix", "shape"),
    [
        *((suffix, shape) for suffix in (".png", ".tif") for shape in ((9, 7), (9, 7, 4))),
        (".webp", (9, 7, 3)),
        (".webp", (9, 7, 4)),
        (".bmp", (9, 7)),
        (".bmp", (9, 7, 3)),
    ],
)
def test_lossless_formats_keep_every_value(
    tmp_path: Path, suffix: str, shape: tuple[int, ...]
) -> None:
    pixels = noise(*shape)
    saving.save_picture(Image.fromarray(pixels), tmp_path / f"x{suffix}")
    loaded = reading.load_picture(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(np.asarray(loaded), pixels)


def test_a_tiff_that_came_as_jpeg_is_saved_without_loss(tmp_path: Path) -> None:
    Image.fromarray(noise(32, 32, 3)).save(tmp_path / "in.tif", compression="jpeg")
    loaded = reading.load_picture(tmp_path / "in.tif")
    saving.save_picture(loaded, tmp_path / "out.tif")
    again = reading.load_picture(tmp_path / "out.tif")
    np.testing.assert_array_equal(np.asarray(again), np.asarray(loaded))


def test_jpeg_is_saved_without_chroma_subsampling(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, ::2] = (255, 0, 0)
    pixels[:, 1::2] = (0, 0, 255)
    saving.save_picture(Image.fromarray(pixels), tmp_path / "x.jpg")
    loaded = np.asarray(reading.load_picture(tmp_path / "x.jpg")).astype(int)
    assert np.abs(loaded - pixels).max() <= 16  # 4:2:0 averages the colours: 100 and more


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_refused_where_the_format_has_none(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with pytest.raises(PictureError, match=r"transparency .* name a \.png") as caught:
        saving.save_picture(Image.new(mode, (3, 3)), path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_profile_that_bmp_drops_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = Image.new("RGB", (3, 3))
    image.info["icc_profile"] = srgb_profile()
    saving.save_picture(image, tmp_path / "x.bmp")
    assert "BMP holds no ICC profile" in caplog.text


@pytest.mark.parametrize("name", ["x", "x.svg", "x.png.bak"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureError, match=r"end the name in one of \.png"):
        saving.save_picture(Image.new("L", (3, 3)), tmp_path / name)


def test_a_failed_write_is_a_picture_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be written"):
        saving.save_picture(Image.new("L", (3, 3)), tmp_path / "missing" / "x.png")
    with pytest.raises(PictureError, match=r"\(F\) cannot be written"):
        saving.save_picture(Image.new("F", (3, 3)), tmp_path / "x.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_on_load(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(noise(5, 8, 3))
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    image.save(tmp_path / "x.png", exif=exif)
    for load in (reading.load_picture, reading.load_mask):
        loaded = load(tmp_path / "x.png")
        assert loaded.size == ((8, 5) if orientation < 5 else (5, 8))
        assert loaded.getexif().get(ORIENTATION, 1) == 1
    # 6: the camera was turned, so that the picture's first row is its right-hand column.
    if orientation == 6:
        np.testing.assert_array_equal(np.asarray(loaded), np.rot90(np.asarray(image), -1))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("orientation", [3, 5, 6, 7, 8])
def test_an_uncompressed_tiff_is_turned_as_a_png_is(
    tmp_path: Path, mode: str, orientation: int
) -> None:
    levels = noise(24, 40)
    image = Image.fromarray(levels.astype(np.uint16) * np.uint16(257) if mode == "I;16" else levels)
    image = image if mode == "I;16" else image.convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.tif", exif=exif)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(reading.load_picture(tmp_path / "a.tif"), expected)
    with Image.open(tmp_path / "a.tif") as opened:
        np.testing.assert_array_equal(reading.upright(opened, "the mask"), expected)


def test_damaged_exif_data_leaves_the_picture_usable(caplog: pytest.LogCaptureFixture) -> None:
    image = Image.fromarray(noise(5, 8, 3))
    image.info["exif"] = b"Exif\x00\x00no tiff header"
    assert reading.native_picture(image).size == (8, 5)
    assert "EXIF data unreadable" in caplog.text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"the picture '.*nothing\.png' does not exist"):
        reading.load_picture(tmp_path / "nothing.png")
    with pytest.raises(PictureError, match=r"the mask '.*nothing\.png' does not exist"):
        reading.load_mask(tmp_path / "nothing.png")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_of_several_frames_the_first_is_used_and_the_log_says_so(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / f"x{suffix}", save_all=True, append_images=frames[1:])
    loaded = reading.load_picture(tmp_path / f"x{suffix}").convert("RGB")
    red, _, blue = loaded.getpixel((4, 3))
    assert red > 200 > 50 > blue
    assert "several frames: the first one is used" in caplog.text
    caplog.clear()
    frames[0].save(tmp_path / f"y{suffix}")
    reading.load_picture(tmp_path / f"y{suffix}")
    assert caplog.text == ""


def test_a_phone_s_two_lens_picture_is_no_animation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.mpo", save_all=True, append_images=frames[1:])
    (tmp_path / "x.mpo").rename(tmp_path / "phone.jpg")
    assert reading.load_picture(tmp_path / "phone.jpg").size == (8, 6)
    assert caplog.text == ""


def test_no_decoder_but_those_of_pictures_sees_a_file(tmp_path: Path) -> None:
    """Pillow would hand an EPS file to Ghostscript, whatever its name."""
    Image.new("RGB", (8, 8), "red").save(tmp_path / "made.eps")
    (tmp_path / "made.eps").rename(tmp_path / "picture.png")
    with pytest.raises(PictureError, match="not a picture that can be read"):
        reading.load_picture(tmp_path / "picture.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="cannot be read"):
        reading.load_picture(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"x\.png' (is not a picture|cannot be read)") as caught:
        reading.load_picture(tmp_path / "x.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"x{suffix}"
    saving.save_picture(Image.fromarray(noise(64, 64, 3)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(PictureError, match=rf"x\{suffix}'"):
        reading.load_picture(path)


def test_bombs_are_refused_and_large_photographs_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 799)
    with pytest.raises(PictureError, match=r"x\.png' is refused: .*bomb.* Scale it down"):
        reading.load_picture(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 800)
    assert reading.load_picture(tmp_path / "x.png").size == (40, 40)
    assert not recwarn.list


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("load", [reading.load_picture, reading.load_mask])
def test_a_bomb_that_is_trusted_is_read_up_to_the_size_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, load: Callable[..., Image.Image]
) -> None:
    path = tmp_path / f"x{suffix}"
    Image.new("L", (40, 30)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    with pytest.raises(PictureError, match=r"Scale it down first, or give max_pixels=1200 to"):
        load(path)
    with pytest.raises(PictureError, match=r"1200 pixels, and max_pixels is 1199\. .*=1200 to"):
        load(path, max_pixels=1199)
    assert load(path, max_pixels=1200).size == (40, 30)
    assert Image.MAX_IMAGE_PIXELS == 599


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_native_modes_stay_as_they_are(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    image = Image.fromarray(noise(4, 5, 4)).convert(mode)
    native = reading.native_picture(image)
    assert native.mode == mode
    assert native is not image
    np.testing.assert_array_equal(np.asarray(native), np.asarray(image))
    assert not caplog.records


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes_become_rgb_and_the_log_says_so(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    native = reading.native_picture(Image.new(mode, (5, 4)))
    assert (native.mode, native.size) == ("RGB", (5, 4))
    assert f"mode {mode} is converted to RGB" in caplog.text


@pytest.mark.parametrize("mode", ["LAB", "La"])
def test_a_mode_that_pillow_would_misread_is_refused(mode: str) -> None:
    for use, name in ((reading.native_picture, "picture"), (masks.hole_of, "mask")):
        with pytest.raises(PictureError, match=f"the {name} has the colour mode {mode}: save it"):
            use(Image.new(mode, (5, 4)))


def test_only_a_profile_that_describes_rgb_survives_a_change_of_mode(
    caplog: pytest.LogCaptureFixture,
) -> None:
    image = Image.new("CMYK", (3, 3))
    image.info.update(icc_profile=b"\0" * 16 + b"CMYK" + b"\0" * 108, dpi=(72, 72))
    assert reading.native_picture(image).info == {"dpi": (72, 72)}
    assert "ICC profile is dropped" in caplog.text
    image = Image.new("P", (3, 3))
    image.info["icc_profile"] = srgb_profile()
    assert reading.native_picture(image).info["icc_profile"] == srgb_profile()


def test_empty_and_undecodable_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"empty: 0x5 \(width x height\)"):
        reading.native_picture(Image.new("RGB", (0, 5)))
    whole = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(whole, format="PNG")
    lazy = Image.open(io.BytesIO(whole.getvalue()[:5000]))
    with pytest.raises(PictureError, match="the picture cannot be read"):
        reading.native_picture(lazy)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x.png", "mask is a str"),
        (np.full((4, 4), 255.0), "floats go from 255.0 to 255.0: give 0 to 1"),
        (np.full((4, 4), np.nan, np.float16), "the mask holds NaN"),
        (np.zeros((4, 4), np.int64), "dtype int64"),
        (np.zeros((4, 4, 3), np.uint8), r"shape \(4, 4, 3\): give \[H,W\] or \[H,W,1\]"),
    ],
)
def test_arrays_that_are_no_mask_are_refused(value: object, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        masks.hole_of(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1, 2, 127, 255])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I", "I;16", "F", "array", "HW1"])
def test_any_value_above_0_is_hole(value: int, mode: str) -> None:
    levels = np.zeros((4, 6), np.uint8)
    levels[1, 2:5] = value
    mask: Image.Image | np.ndarray
    if mode == "array":
        mask = levels
    elif mode == "HW1":
        mask = levels[:, :, np.newaxis]
    elif mode == "1":
        mask = Image.fromarray(levels > 0)
    elif mode == "P":
        mask = Image.fromarray(levels)
        mask.putpalette([level for level in range(256) for _ in range(3)])
    elif mode == "I;16":
        mask = Image.fromarray(levels.astype(np.uint16))
    else:
        mask = Image.fromarray(levels).convert(mode)
    np.testing.assert_array_equal(masks.hole_of(mask), levels > 0)


def test_a_bool_mask_is_the_hole_itself() -> None:
    hole = noise(4, 6) > 100
    np.testing.assert_array_equal(masks.hole_of(hole), hole)


def test_sizes_that_differ_are_both_named_in_one_order() -> None:
    with pytest.raises(
        PictureError,
        match=r"mask is 40x30 \(width x height\) and the picture 30x40 \(width x height\)",
    ):
        imaging.check_same_size(np.zeros((40, 30, 3), np.uint8), np.zeros((30, 40), np.bool_))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_compositing_changes_the_hole_only(shape: tuple[int, ...]) -> None:
    pixels, fill, hole = noise(*shape), noise(5, 7, 3, seed=1), noise(5, 7, seed=2) > 128
    before = pixels.copy()
    result = imaging.composite(pixels, fill, hole)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(result[~hole], pixels[~hole])
    if len(shape) == 2:
        np.testing.assert_array_equal(
            result[hole], np.asarray(Image.fromarray(fill).convert("L"))[hole]
        )
    else:
        np.testing.assert_array_equal(result[hole][:, :3], fill[hole])
        np.testing.assert_array_equal(result[:, :, 3:], pixels[:, :, 3:])


@given(sides, sides, st.integers(1, 16), st.integers(1, 80))
def test_padding_is_the_official_one(height: int, width: int, multiple: int, least: int) -> None:
    tall, wide = imaging.padded_size(height, width, multiple, least)
    assert tall % multiple == wide % multiple == 0
    assert max(height, least) <= tall < max(height, least) + multiple
    assert max(width, least) <= wide < max(width, least) + multiple
    pixels = noise(height, width, 3)
    padded = imaging.pad(pixels, tall, wide)
    rows, columns = (np.arange(side) % (2 * n) for side, n in ((tall, height), (wide, width)))
    rows = np.minimum(rows, 2 * height - 1 - rows)
    columns = np.minimum(columns, 2 * width - 1 - columns)
    np.testing.assert_array_equal(padded, pixels[rows][:, columns])
    mask = pixels[:, :, 0] > 99
    np.testing.assert_array_equal(imaging.pad(mask, tall, wide), mask[rows][:, columns])


@given(sides, sides, sides, sides)
def test_fitting_keeps_the_shape_and_never_grows(h: int, w: int, most_h: int, most_w: int) -> None:
    height, width = imaging.fitted_size(h, w, most_h, most_w)
    assert 1 <= height <= min(h, most_h)
    assert 1 <= width <= min(w, most_w)
    if h <= most_h and w <= most_w:
        assert (height, width) == (h, w)
    else:
        scale = min(most_h / h, most_w / w)
        assert abs(height - h * scale) <= max(0.5, 1 - h * scale) + 1e-9
        assert abs(width - w * scale) <= max(0.5, 1 - w * scale) + 1e-9


@pytest.mark.parametrize("resize", [imaging.shrink, imaging.enlarge])
@pytest.mark.parametrize("size", [(90, 11, 40, 9), (31, 30, 4, 17), (12, 90, 7, 20)])
def test_rows_are_resized_before_columns_whatever_the_shape(
    resize: Callable[[imaging.Pixels, int, int], imaging.Pixels], size: tuple[int, int, int, int]
) -> None:
    height, width, to_height, to_width = size
    rgb = noise(height, width, 3)
    one_by_one = resize(resize(rgb, height, to_width), to_height, to_width)
    np.testing.assert_array_equal(resize(rgb, to_height, to_width), one_by_one)


@given(st.data(), sides, sides)
def test_shrinking_loses_no_hole_and_bleeds_none_of_it(
    data: st.DataObject, height: int, width: int
) -> None:
    hole = data.draw(hnp.arrays(np.bool_, (height, width)))
    to = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    small = imaging.shrink_hole(hole, *to)
    assert small.shape == to
    for y, x in np.argwhere(hole):
        assert small[y * to[0] // height, x * to[1] // width]
    old_content = np.repeat(hole[:, :, np.newaxis], 3, axis=2).astype(np.uint8) * np.uint8(255)
    assert not imaging.shrink(old_content, *to)[~small].any()
