"""What a file says of its picture: kept as it was, but for what can show an older state."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from lama_edge.imaging import reading, saving
from lama_edge.imaging.exif import Exif, Field, holds_picture, read_exif

ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
MAKER, ARTIST, DATE, X_RESOLUTION, ORIENTATION = 0x010F, 0x013B, 0x9003, 0x011A, 0x0112
MAKER_NOTE, USER_COMMENT, DESCRIPTION, APP1, APP2 = 0x927C, 0x9286, 0x010E, 0xE1, 0xE2
SUFFIXES = [".jpg", ".png", ".webp", ".tif"]


def fraction(*numbers: int) -> Field:
    return Field(RATIONAL, struct.pack(f"<{len(numbers)}I", *numbers))


def photograph(height: int = 24, width: int = 32, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def said(orientation: int = 1) -> Exif:
    """What a camera writes, with text that is no ASCII."""
    main = {
        MAKER: Field(ASCII, b"Maker\0"),
        ARTIST: Field(ASCII, "José 写真\0".encode()),
        X_RESOLUTION: fraction(300, 1),
        X_RESOLUTION + 1: fraction(150, 1),
        0x0128: Field(SHORT, b"\2\0"),
    }
    if orientation > 1:
        main[ORIENTATION] = Field(SHORT, struct.pack("<H", orientation))
    camera = {
        DATE: Field(ASCII, b"2024:05:06 07:08:09\0"),
        0x829A: fraction(1, 125),
        USER_COMMENT: Field(UNDEFINED, b"ASCII\0\0\0a word"),
    }
    place = {0: Field(1, b"\2\3\0\0"), 1: Field(ASCII, b"N\0"), 2: fraction(48, 1, 8, 1, 30, 1)}
    return Exif(main, camera, place, orientation)


def write(path: Path, exif: Exif, image: Image.Image | None = None) -> None:
    image = photograph() if image is None else image
    if path.suffix == ".tif":
        image.save(path, dpi=(300, 150))
        exif.add_to_tiff(path)
    elif path.suffix == ".webp":
        image.save(path, exif=exif.to_bytes(), lossless=True)
    else:
        image.save(path, exif=exif.to_bytes(), dpi=(300, 150))


def dpi_of(path: Path) -> tuple[float, ...]:
    with Image.open(path) as image:
        return tuple(float(side) for side in image.info["dpi"])


def written_exif(path: Path) -> Exif:
    if path.suffix == ".tif":
        return read_exif(path.read_bytes())
    return read_exif(Image.open(path).info["exif"].removeprefix(b"Exif\0\0"))


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_camera_date_and_place_keep_their_very_bytes(
    tmp_path: Path, source: str, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / f"in{source}", said())
    saving.save_picture(reading.load_picture(tmp_path / f"in{source}"), tmp_path / f"out{target}")
    kept = written_exif(tmp_path / f"out{target}")
    for tag in (MAKER, ARTIST):
        assert kept.main[tag] == said().main[tag]
    assert (kept.camera, kept.place) == (said().camera, said().place)
    assert "EXIF" not in caplog.text
    read_by_pillow = Image.open(tmp_path / f"out{target}").getexif()
    assert read_by_pillow[MAKER] == "Maker"
    assert read_by_pillow.get_ifd(0x8825)[2] == (48, 8, 30)


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_turned_no_second_time(
    tmp_path: Path, source: str, orientation: int
) -> None:
    write(tmp_path / f"in{source}", said(orientation))
    loaded = reading.load_picture(tmp_path / f"in{source}")
    for target in SUFFIXES:
        saving.save_picture(loaded, tmp_path / f"out{target}")
        again = reading.load_picture(tmp_path / f"out{target}")
        assert loaded.size == again.size == ((32, 24) if orientation < 5 else (24, 32))
        kept = written_exif(tmp_path / f"out{target}")
        assert kept.orientation == 1
        numbers = [kept.main[tag].value for tag in (X_RESOLUTION, X_RESOLUTION + 1)]
        resolution = [over / under for over, under in (struct.unpack("<II", n) for n in numbers)]
        found = [resolution]
        if ".webp" not in (source, target):  # which has no other
            found.append(list(dpi_of(tmp_path / f"out{target}")))
        for dpi in found:
            np.testing.assert_allclose(dpi, (300, 150) if orientation < 5 else (150, 300), atol=0.1)


def test_both_byte_orders_are_read() -> None:
    exif = said(6)
    data = b"MM\0*\0\0\0\x08" + exif._directories({}, 8, ">")
    assert read_exif(data) == read_exif(exif.to_bytes()[6:])
    assert read_exif(data).camera == exif.camera


@pytest.mark.parametrize("target", [".jpg", ".png", ".tif", ".bmp"])
def test_the_resolution_survives(tmp_path: Path, target: str) -> None:
    photograph().save(tmp_path / "in.png", dpi=(240, 240))
    saving.save_picture(reading.load_picture(tmp_path / "in.png"), tmp_path / f"out{target}")
    np.testing.assert_allclose(dpi_of(tmp_path / f"out{target}"), (240, 240), atol=0.1)


def test_texts_of_a_png_survive_in_any_language(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "José")
    texts.add_itxt("Title", "写真", lang="ja", tkey="題")
    texts.add_text("parameters", "a cat, " * 500, zip=True)
    photograph().save(tmp_path / "in.png", pnginfo=texts)
    saving.save_picture(reading.load_picture(tmp_path / "in.png"), tmp_path / "out.png")
    before, after = (Image.open(tmp_path / name).text for name in ("in.png", "out.png"))
    assert before == after
    assert (after["Title"].lang, after["Title"].tkey) == ("ja", "題")


@pytest.mark.parametrize("target", [".jpg", ".png"])
def test_a_comment_survives(tmp_path: Path, target: str) -> None:
    photograph().save(tmp_path / "in.jpg", comment="holiday, José")
    saving.save_picture(reading.load_picture(tmp_path / "in.jpg"), tmp_path / f"out{target}")
    info = Image.open(tmp_path / f"out{target}").info
    comment = info["comment"].decode() if target == ".jpg" else info["Comment"]
    assert comment == "holiday, José"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (".bmp", "BMP holds no EXIF data, no texts:"),
        (".webp", "WEBP holds no resolution, no texts:"),
        (".jpg", "JPEG holds no texts:"),
        (".tif", "TIFF holds no texts:"),
    ],
)
def test_what_a_format_cannot_hold_is_said(
    tmp_path: Path, target: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "me")
    photograph().save(tmp_path / "in.png", pnginfo=texts, dpi=(99, 99), exif=said().to_bytes())
    saving.save_picture(reading.load_picture(tmp_path / "in.png"), tmp_path / f"out{target}")
    (record,) = caplog.records
    assert record.getMessage().startswith(message)


def damages() -> list[bytes]:
    whole = said().to_bytes()
    rng = np.random.default_rng(5)
    cut = [whole[:end] for end in (7, 12, 20, len(whole) // 2, len(whole) - 3)]
    changed = []
    for _ in range(40):
        spoilt = bytearray(whole)
        for at in rng.integers(6, len(whole), 6):
            spoilt[at] = rng.integers(256)
        changed.append(bytes(spoilt))
    return [b"Exif\0\0no tiff header", *cut, *changed]


@pytest.mark.parametrize("data", damages())
def test_damaged_exif_data_stops_nothing_and_is_told_once(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    photograph().save(tmp_path / "in.jpg", exif=data)
    loaded = reading.load_picture(tmp_path / "in.jpg")
    assert len(caplog.records) <= 1
    for target in SUFFIXES:
        saving.save_picture(loaded, tmp_path / f"out{target}")
        Image.open(tmp_path / f"out{target}").load()


def test_exif_data_of_nothing_but_long_texts_is_left_out() -> None:
    long = Field(ASCII, b"a word " * 290)
    flood = Exif(dict.fromkeys(range(0x9C9B, 0x9CA0), long), {}, dict.fromkeys(range(32), long), 1)
    with pytest.raises(ValueError, match="too long"):
        read_exif(flood.to_bytes()[6:])


def test_without_metadata_the_icc_profile_alone_is_left(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "me")
    options = {"pnginfo": texts, "dpi": (99, 99), "exif": said(6).to_bytes()}
    photograph().save(tmp_path / "in.png", icc_profile=b"a profile", **options)
    loaded = reading.load_picture(tmp_path / "in.png", metadata=False)
    assert loaded.size == (24, 32)
    saving.save_picture(loaded, tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").info == {"icc_profile": b"a profile"}


# What the old picture may hide in: each function plants it in a file of the suffix.

OLD = photograph(32, 32, seed=9)
THUMBNAIL = io.BytesIO()
OLD.save(THUMBNAIL, format="JPEG", quality=30)
SECRET = THUMBNAIL.getvalue()
RAW = np.asarray(OLD).tobytes()
BASE64 = base64.b64encode(SECRET).decode()
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><xmpGImg:image>{BASE64}</xmpGImg:image></x:xmpmeta>'


def jpeg_with(*segments: tuple[int, bytes], after: bytes = b"") -> bytes:
    file = io.BytesIO()
    photograph().save(file, format="JPEG")
    whole = file.getvalue()
    parts = [struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments]
    return whole[:2] + b"".join(parts) + whole[2:] + after


def planted_exif() -> bytes:
    """Thumbnail in a second directory, maker's note, comments, a tag that nobody knows."""
    base = said()
    exif = Exif(
        {**base.main, 0xEA1D: Field(UNDEFINED, SECRET), DESCRIPTION: Field(ASCII, BASE64.encode())},
        {
            **base.camera,
            MAKER_NOTE: Field(UNDEFINED, b"MAKER\0" + SECRET),
            USER_COMMENT: Field(UNDEFINED, b"ASCII\0\0\0" + SECRET),
        },
        {**base.place, 27: Field(UNDEFINED, SECRET), 99: Field(UNDEFINED, RAW[:900])},
        1,
    )
    data = bytearray(exif.to_bytes()[6:])
    next_at = 8 + 2 + 12 * struct.unpack("<H", data[8:10])[0]
    data[next_at : next_at + 4] = struct.pack("<I", len(data))
    at = len(data) + 2 + 24 + 4
    second = struct.pack("<HHHII", 2, 0x0201, LONG, 1, at)
    second += struct.pack("<HHII", 0x0202, LONG, 1, len(SECRET)) + bytes(4)
    return b"Exif\0\0" + bytes(data) + second + SECRET


def png_with_chunk(kind: bytes, data: bytes) -> bytes:
    file = io.BytesIO()
    photograph().save(file, format="PNG")
    whole = file.getvalue()
    check = struct.pack(">I", zlib.crc32(kind + data))
    chunk = struct.pack(">I", len(data)) + kind + data + check
    return whole[:33] + chunk + whole[33:]


def png_with_text(key: str, text: str) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt(key, text)
    file = io.BytesIO()
    photograph().save(file, format="PNG", pnginfo=texts)
    return file.getvalue()


def raw_profile() -> str:
    data = planted_exif()
    lines = [data.hex()[at : at + 72] for at in range(0, 2 * len(data), 72)]
    return f"\nexif\n{len(data):8}\n" + "\n".join(lines) + "\n"


def tiff_with(tag: int, value: bytes) -> bytes:
    file = io.BytesIO()
    fields = TiffImagePlugin.ImageFileDirectory_v2()
    fields[tag] = value
    fields.tagtype[tag] = UNDEFINED
    photograph().save(file, format="TIFF", tiffinfo=fields)
    return file.getvalue()


def tiff_with_page() -> bytes:
    file = io.BytesIO()
    photograph().save(file, format="TIFF", save_all=True, append_images=[OLD.copy()])
    return file.getvalue()


def webp_with(**options: bytes) -> bytes:
    file = io.BytesIO()
    photograph().save(file, format="WEBP", **options)
    return file.getvalue()


def gif_with_comment() -> bytes:
    file = io.BytesIO()
    photograph().save(
        file, format="GIF", comment=BASE64.encode(), append_images=[OLD.copy()], save_all=True
    )
    return file.getvalue()


PLACES: dict[str, Callable[[], bytes]] = {
    "EXIF of a JPEG": lambda: jpeg_with((APP1, planted_exif())),
    "XMP of a JPEG": lambda: jpeg_with((APP1, b"http://ns.adobe.com/xap/1.0/\0" + XMP.encode())),
    "extended XMP": lambda: jpeg_with(
        (APP1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + XMP.encode())
    ),
    "frames after the first": lambda: jpeg_with((APP2, b"MPF\0II*\0" + SECRET), after=SECRET),
    "FlashPix": lambda: jpeg_with((APP2, b"FPXR\0" + SECRET)),
    "JUMBF": lambda: jpeg_with((0xEB, b"JP\0\1\0\0\0\1" + SECRET)),
    "Photoshop": lambda: jpeg_with(
        (0xED, b"Photoshop 3.0\x008BIM\x04\x0c\0\0" + struct.pack(">I", len(SECRET)) + SECRET)
    ),
    "JFIF extension": lambda: jpeg_with((0xE0, b"JFXX\0\x10" + SECRET)),
    "comment of a JPEG": lambda: jpeg_with((0xFE, BASE64.encode())),
    "eXIf of a PNG": lambda: png_with_chunk(b"eXIf", planted_exif()[6:]),
    "private chunk": lambda: png_with_chunk(b"prVt", SECRET),
    "text in base64": lambda: png_with_text("Thumbnail", BASE64),
    "text in lines of base64": lambda: png_with_text("T", base64.encodebytes(SECRET).decode()),
    "text in JSON": lambda: png_with_text("workflow", f'{{"image": "{BASE64}"}}'),
    "text in hexadecimal": lambda: png_with_text("Thumbnail", SECRET.hex()),
    "text without end": lambda: png_with_text("T", ", ".join(map(str, RAW * 9))),
    "XMP of a PNG": lambda: png_with_text("XML:com.adobe.xmp", XMP),
    "EXIF in hexadecimal": lambda: png_with_text("Raw profile type exif", raw_profile()),
    "other profile": lambda: png_with_text("Raw profile type iptc", f"\niptc\n 9\n{SECRET.hex()}"),
    "EXIF of a WebP": lambda: webp_with(exif=planted_exif()),
    "XMP of a WebP": lambda: webp_with(xmp=XMP.encode()),
    "page of a TIFF": tiff_with_page,
    "layers of a TIFF": lambda: tiff_with(37724, SECRET),
    "Photoshop in a TIFF": lambda: tiff_with(34377, SECRET),
    "XMP of a TIFF": lambda: tiff_with(700, XMP.encode()),
    "comment of a GIF": gif_with_comment,
}


def shows(data: bytes) -> bool:
    """Whether pixels or bytes of the old picture are there, as they are or as text."""
    parts = [RAW[60:90], SECRET[-60:-20], SECRET[-220:-180]]  # of the coded pixels, not the tables
    for part in tuple(parts):
        parts += [part.hex().encode(), *(base64.b64encode(part[k:])[4:28] for k in range(3))]
    # Base64 may start anywhere in a group of three.
    return any(part in data or part in data.replace(b"\n", b"") for part in parts)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_nothing_shows_what_the_picture_was(tmp_path: Path, place: str) -> None:
    planted = PLACES[place]()
    assert shows(planted) or place == "text without end"
    (tmp_path / "in").write_bytes(planted)
    loaded = reading.native_picture(reading.load_picture(tmp_path / "in"))
    for target in (*SUFFIXES, ".bmp"):
        path = tmp_path / f"out{target}"
        saving.save_picture(loaded, path)
        assert not shows(path.read_bytes())
        with Image.open(path) as image:
            assert getattr(image, "n_frames", 1) == 1
        if "exif" in place.lower() and target != ".bmp":
            assert written_exif(path).camera[DATE] == said().camera[DATE]


def test_prose_and_prompts_are_no_pictures() -> None:
    for text in (
        "a cat on a mat, " * 900,
        '{"nodes": [' + ", ".join(f'{{"id": {k}, "type": "KSampler"}}' for k in range(300)) + "]}",
        "https://example.org/" + "a/long-path_" * 12,
        "写真" * 4000,
    ):
        assert not holds_picture(text.encode())


COLOUR_CHUNKS = {
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
    b"sRGB": b"\1",
}


@pytest.mark.parametrize("kept", [(b"gAMA",), (b"gAMA", b"cHRM"), (b"sRGB",)])
@pytest.mark.parametrize("metadata", [True, False])
def test_what_the_values_of_a_png_mean_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: tuple[bytes, ...], metadata: bool
) -> None:
    chunks = PngImagePlugin.PngInfo()
    for kind in kept:
        chunks.add(kind, COLOUR_CHUNKS[kind])
    photograph().save(tmp_path / "in.png", pnginfo=chunks)
    picture = reading.load_picture(tmp_path / "in.png", metadata=metadata)
    saving.save_picture(reading.native_picture(picture), tmp_path / "out.png")
    data = (tmp_path / "out.png").read_bytes()
    assert [kind for kind in COLOUR_CHUNKS if kind + COLOUR_CHUNKS[kind] in data] == list(kept)
    assert not caplog.messages
    saving.save_picture(picture, tmp_path / "temporary.jpg", named="out.jpg")
    told = ["JPEG holds no gamma: out.jpg is written without"]
    assert caplog.messages == (told if b"gAMA" in kept else [])
