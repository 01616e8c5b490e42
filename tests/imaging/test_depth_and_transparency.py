"""What transparency and more than 8 bits become, in pictures drawn by the test and in files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge.errors import PictureError
from lama_edge.imaging import reading, saving
from lama_edge.imaging.masks import hole_of

CASES = Path(__file__).parents[1] / "data/cases"
TRUE_COLOUR, GREY = 2, 0


def noise(*shape: int, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype)


def png(rows: np.ndarray, depth: int, colour_type: int, key: bytes = b"") -> bytes:
    """A PNG file of rows that are packed already, with a transparent colour or none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    channels = 3 if colour_type == TRUE_COLOUR else 1
    width = rows.shape[1] * 8 // (depth * channels)
    head = struct.pack(">IIBBBBB", width, rows.shape[0], depth, colour_type, 0, 0, 0)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"tRNS", key) if key else b"",
            chunk(b"IDAT", zlib.compress(data)),
            chunk(b"IEND", b""),
        )
    )


def palette(seen: np.ndarray) -> Image.Image:
    image = Image.fromarray(noise(*seen.shape)).convert("RGB").quantize(200)
    levels = np.where(seen, np.asarray(image), 255).astype(np.uint8)
    keyed = Image.fromarray(levels, "P")
    keyed.putpalette([*(image.getpalette() or []), *[9] * 768][:768])
    keyed.info["transparency"] = 255
    return keyed


def some_transparent(seen: np.ndarray, mode: str) -> Image.Image:
    alpha = Image.fromarray(seen.astype(np.uint8) * np.uint8(255))
    if mode == "LA":
        return Image.merge("LA", (Image.fromarray(noise(*seen.shape)), alpha))
    if mode in ("P", "PA"):
        return palette(seen) if mode == "P" else palette(seen).convert("PA")
    shape = seen.shape if mode == "L" else (*seen.shape, 3)
    levels = np.where(seen.reshape(*seen.shape, *[1] * (len(shape) - 2)), noise(*shape) // 2, 200)
    image = Image.fromarray(levels.astype(np.uint8))
    image.info["transparency"] = 200 if mode == "L" else (200, 200, 200)
    return image


@pytest.mark.parametrize("mode", ["P", "PA", "LA", "L", "RGB"])
def test_transparency_of_every_kind_becomes_an_alpha_channel(mode: str) -> None:
    seen = noise(20, 30, seed=1) > 80
    image = some_transparent(seen, mode)
    native = reading.native_picture(image)
    assert native.mode == "RGBA"
    assert "transparency" not in native.info
    pixels = np.asarray(native)
    np.testing.assert_array_equal(pixels[:, :, 3] > 0, seen)
    colours = image.convert("RGBA").convert("RGB")
    np.testing.assert_array_equal(pixels[seen, :3], np.asarray(colours)[seen])


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_transparency_of_a_palette_survives_the_file(tmp_path: Path, suffix: str) -> None:
    seen = noise(20, 30, seed=1) > 80
    palette(seen).save(tmp_path / f"x{suffix}", transparency=255)
    loaded = reading.load_picture(tmp_path / f"x{suffix}")
    for name in ("x.jpg", "x.bmp"):
        with pytest.raises(PictureError, match=r"transparency .* name a \.png"):
            saving.check_saveable(loaded, tmp_path / name)
    saving.save_picture(reading.native_picture(loaded), tmp_path / "out.png")
    written = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(written[:, :, 3] > 0, seen)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_found_at_every_depth(tmp_path: Path, depth: int) -> None:
    """Pillow spreads 2 and 4 bits over 0 to 255, but not the transparent level."""
    rows = noise(6, 8)
    key = 1 if depth < 16 else int.from_bytes(rows[2, 2:4].tobytes(), "big")
    (tmp_path / "x.png").write_bytes(png(rows, depth, GREY, struct.pack(">H", key)))
    if depth == 16:
        levels = rows.view(">u2")
    else:
        bits = np.unpackbits(rows, axis=1).reshape(6, -1, depth)
        levels = (bits * (1 << np.arange(depth)[::-1])).sum(axis=2)
    alpha = np.asarray(reading.native_picture(reading.load_picture(tmp_path / "x.png")))[:, :, 3]
    np.testing.assert_array_equal(alpha == 0, levels == key)


@pytest.mark.parametrize("name", ["sticker.gif", "sticker-palette.png"])
def test_the_reported_stickers_come_out_transparent(name: str) -> None:
    native = reading.native_picture(reading.load_picture(CASES / name))
    alpha = np.asarray(native)[:, :, 3]
    expected = np.asarray(Image.open(CASES / name).convert("RGBA"))[:, :, 3]
    np.testing.assert_array_equal(alpha, expected)
    assert 0 < (alpha == 0).mean() < 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits_keeps_them(tmp_path: Path, suffix: str) -> None:
    levels = noise(9, 7, dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / f"x{suffix}")
    native = reading.native_picture(reading.load_picture(tmp_path / f"x{suffix}"))
    saving.save_picture(native, tmp_path / f"out{suffix}")
    written = np.asarray(Image.open(tmp_path / f"out{suffix}"))
    np.testing.assert_array_equal(written, levels)


@pytest.mark.parametrize("mode", ["I", "I;16B", "I;16L", "I;16"])
def test_grey_of_16_bits_is_known_in_each_of_pillows_modes(mode: str) -> None:
    levels = noise(9, 7, dtype=np.uint16)
    raw = levels.astype({"I": "<i4", "I;16B": ">u2"}.get(mode, "<u2")).tobytes()
    native = reading.native_picture(Image.frombytes(mode, (7, 9), raw))
    assert native.mode == "I;16"
    np.testing.assert_array_equal(np.asarray(native), levels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_a_format_of_8_bits_gets_16_rounded_and_the_log_says_so(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    levels = np.repeat(np.array([[0, 257, 200 * 257 + 120, 65535]], np.uint16), 8, axis=1)
    saving.save_picture(Image.fromarray(np.repeat(levels, 8, axis=0)), tmp_path / f"x{suffix}")
    assert "holds 8 bits a channel" in caplog.text
    written = np.asarray(Image.open(tmp_path / f"x{suffix}").convert("L")).astype(int)
    assert np.abs(written[4, 4::8] - [0, 1, 200, 255]).max() <= 2


def tiff_16(path: Path, levels: np.ndarray) -> None:
    """A TIFF file of RGB with 16 bits a channel, which Pillow cannot write."""
    height, width, _ = levels.shape
    data = levels.astype("<u2").tobytes()
    fields = ((256, width), (257, height), (259, 1), (262, 2), (273, 8), (277, 3), (278, height))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    directory = 8 + len(data)
    bits_at = directory + 2 + 12 * 9 + 4
    bits = struct.pack("<HHII", 258, 3, 3, bits_at)
    entries = entries[:24] + bits + entries[24:] + struct.pack("<HHII", 279, 4, 1, len(data))
    head = b"II*\0" + struct.pack("<I", directory) + data + struct.pack("<H", 9)
    path.write_bytes(head + entries + bytes(4) + struct.pack("<HHH", 16, 16, 16))


def png_16(path: Path, levels: np.ndarray) -> None:
    rows = levels.astype(">u2").reshape(len(levels), -1).view(np.uint8)
    path.write_bytes(png(rows, 16, TRUE_COLOUR))


def ppm_16(path: Path, levels: np.ndarray) -> None:
    height, width, _ = levels.shape
    head = f"P6 {width} {height} 65535\n".encode()
    path.write_bytes(head + levels.astype(">u2").tobytes())


@pytest.mark.parametrize("write", [png_16, tiff_16, ppm_16])
def test_colours_of_16_bits_say_that_8_are_kept(
    tmp_path: Path,
    write: Callable[[Path, np.ndarray], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    levels = noise(9, 7, 3, dtype=np.uint16)
    write(tmp_path / "x.dat", levels)
    native = reading.native_picture(reading.load_picture(tmp_path / "x.dat"))
    assert np.abs(np.asarray(native).astype(int) - levels / 257).max() <= 1
    (record,) = caplog.records
    assert "16 bits a channel, of which the upper 8 are kept" in record.getMessage()


def test_the_reported_picture_of_16_bits_says_so(caplog: pytest.LogCaptureFixture) -> None:
    reading.load_picture(CASES / "rgb16.png")
    assert "16 bits a channel, of which the upper 8 are kept" in caplog.text


def test_a_transparent_colour_of_16_bits_is_refused(tmp_path: Path) -> None:
    rows = noise(4, 12)
    (tmp_path / "x.png").write_bytes(png(rows, 16, TRUE_COLOUR, rows[0, :6].tobytes()))
    with pytest.raises(PictureError, match="colours of 16 bits, one of them transparent: save it"):
        reading.load_picture(tmp_path / "x.png")


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5), "float values, 0 to 1,"),
        (np.linspace(-9, 300, 20, dtype=np.float32).reshape(4, 5), "float values, -9 to 300,"),
        (np.array([[0, 65536]], np.int32), "32-bit whole numbers, 0 to 65536,"),
        (np.array([[-1, 255]], np.int32), "32-bit whole numbers, -1 to 255,"),
    ],
)
def test_what_says_nothing_of_white_is_refused(
    tmp_path: Path, levels: np.ndarray, message: str
) -> None:
    Image.fromarray(levels).save(tmp_path / "x.tif")
    loaded = reading.load_picture(tmp_path / "x.tif")
    with pytest.raises(PictureError, match=f"{message} and nothing says which is white: save it"):
        reading.native_picture(loaded)


def test_the_reported_float_tiff_is_refused() -> None:
    with pytest.raises(PictureError, match=r"float values, 0\.22.* save it with 8 or 16 bits"):
        reading.load_rgb(CASES / "float.tif")


@pytest.mark.parametrize("mode", ["P", "LA", "L", "RGBA", "I;16"])
def test_colours_alone_are_rgb_of_8_bits(tmp_path: Path, mode: str) -> None:
    seen = noise(20, 30, seed=1) > 80
    if mode == "I;16":
        image = Image.fromarray(noise(20, 30, dtype=np.uint16))
    else:
        image = some_transparent(seen, mode) if mode != "RGBA" else Image.new(mode, (30, 20))
    image.save(tmp_path / "x.png")
    pixels = reading.load_rgb(tmp_path / "x.png")
    assert (pixels.shape, pixels.dtype) == ((20, 30, 3), np.uint8)


@pytest.mark.parametrize("white", [0, 1])
def test_grey_of_16_bits_may_have_white_as_0(tmp_path: Path, white: int) -> None:
    levels = noise(6, 8, dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    field = struct.pack("<HHI", 262, 3, 1)
    assert data.count(field) == 1
    at = data.index(field) + len(field)
    (tmp_path / "a.tif").write_bytes(data[:at] + struct.pack("<H", white) + data[at + 2 :])
    seen = np.asarray(reading.native_picture(reading.load_picture(tmp_path / "a.tif")))
    np.testing.assert_array_equal(seen, levels if white else 65535 - levels)
    hole = hole_of(reading.load_mask(tmp_path / "a.tif"))
    np.testing.assert_array_equal(hole, seen > 0)
