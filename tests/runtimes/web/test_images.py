"""Pictures in and out of the browser, held against Pillow."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import chromium, served
from icc_profiles import display_p3
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from png_files import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, SIGNATURE, chunk, write_png
from web_library import compile_library, run_node

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8"><title>Pictures</title><script type="module">
import { encodePng, toPixels } from "/library/images/images.js";
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const textOf = (data) => {
  let text = "";
  for (let i = 0; i < data.length; i += 8192)
    text += String.fromCharCode(...data.subarray(i, i + 8192));
  return btoa(text);
};
const sources = {
  blob: (blob) => blob,
  bitmap: (blob) => createImageBitmap(blob, { premultiplyAlpha: "none" }),
  image: async (blob) => {
    const image = new Image();
    image.src = URL.createObjectURL(blob);
    return image;
  },
  canvas: async (blob) => {
    const bitmap = await createImageBitmap(blob);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  },
  offscreen: async (blob) => {
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  },
  data: async (blob) => {
    const pixels = await toPixels(blob);
    return new ImageData(new Uint8ClampedArray(pixels.data), pixels.width, pixels.height);
  },
};
const caught = async (work) => {
  try { return await work(); }
  catch (error) { return { kind: error.kind ?? "?", code: error.code, message: String(error) }; }
};
const told = ({ data, width, height, channels }, notes) =>
  ({ data: textOf(new Uint8Array(data)), width, height, channels, notes });
window.read = (text, type, source) => caught(async () => {
  const notes = [];
  const blob = new Blob([bytesOf(text)], { type });
  return told(await toPixels(await sources[source](blob), (line) => notes.push(line)), notes);
});
window.readAll = (texts) => Promise.all(texts.map((text) => read(text, "", "blob")));
window.readData = (text, width, height, colorSpace) => caught(async () => {
  const levels = new Uint8ClampedArray(bytesOf(text));
  return told(await toPixels(new ImageData(levels, width, height, { colorSpace })), []);
});
window.readForeign = (url) => caught(async () => {
  const image = new Image();
  image.src = url;
  return told(await toPixels(image), []);
});
window.readEmpty = () => caught(() => toPixels(new OffscreenCanvas(0, 7)).then(told));
window.write = (text, width, height, channels) => caught(async () => {
  const blob = await encodePng({ data: bytesOf(text), width, height, channels });
  return { type: blob.type, data: textOf(new Uint8Array(await blob.arrayBuffer())) };
});
window.ready = true;
</script>"""

Levels = NDArray[np.uint8]


class Page:
    """The page, with what it is given and gives as arrays and bytes."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def __call__(self, script: str, *arguments: object) -> Any:
        return self.page.evaluate(f"(given) => window.{script}(...given)", arguments)

    def read(self, file: bytes, kind: str = "", source: str = "blob") -> Levels:
        """Return the RGBA of a file by `toPixels`, given as this or that."""
        return levels(self("read", text_of(file), kind, source))

    def refused(self, script: str, *arguments: object) -> dict[str, str]:
        """Return the error that it throws, which is one of the library's own."""
        answer: dict[str, str] = self(script, *arguments)
        assert answer.get("kind") == "picture", answer
        assert "\n" not in answer["message"]
        return answer

    def write(self, pixels: Levels) -> bytes:
        """Return the file that `encodePng` makes of grey, RGB or RGBA."""
        height, width = pixels.shape[:2]
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        answer = self("write", text_of(pixels.tobytes()), width, height, channels)
        assert answer["type"] == "image/png"
        return base64.b64decode(answer["data"])


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def levels(answer: dict[str, Any]) -> Levels:
    assert "data" in answer, answer
    shape = (answer["height"], answer["width"], answer["channels"])
    return np.frombuffer(base64.b64decode(answer["data"]), np.uint8).reshape(shape)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    compile_library(folder)
    return folder


@pytest.fixture(scope="module")
def page(library: Path) -> Iterator[Page]:
    files: dict[str, Path | bytes] = {"/": PAGE.encode(), "/library": library}
    with chromium() as browser, served(files, isolated=False) as address:
        opened = browser.new_page()
        opened.goto(address)
        opened.wait_for_function("window.ready")
        yield Page(opened)


def noise(*shape: int, seed: int = 0, below: int = 256) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, below, shape, np.uint16)


def rgba(height: int = 23, width: int = 31) -> Levels:
    """Noise in which every alpha is, 0 and colours under it included."""
    return noise(height, width, 4).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def by_pillow(file: bytes) -> Levels:
    with Image.open(io.BytesIO(file)) as image:
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))


KINDS = [
    (colour, depth)
    for colour, depths in {
        GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16),
        RGBA: (8, 16),
    }.items()
    for depth in depths
]  # fmt: skip
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_a_png_is_read_as_it_is(page: Page, colour: int, depth: int, interlaced: bool) -> None:
    colours = noise(min(256, 2**depth), 3, seed=1).astype(np.uint8)
    parts = chunk(b"PLTE", colours.tobytes()) if colour == PALETTE else b""
    for height, width in ((23, 31), (1, 1), (3, 9)):
        samples = noise(height, width, SAMPLES[colour], below=2**depth)
        file = write_png(samples, depth, colour, interlaced=interlaced, parts=parts, pieces=3)
        assert np.array_equal(page.read(file), by_pillow(file))


@pytest.mark.parametrize(("colour", "depth"), [k for k in KINDS if k[0] in (GREY, RGB, PALETTE)])
def test_what_a_png_calls_transparent_is(page: Page, colour: int, depth: int) -> None:
    samples = noise(23, 31, SAMPLES[colour], below=2**depth)
    key = samples[5, 7]
    parts = chunk(b"tRNS", key.astype(">u2").tobytes())
    hidden = (samples == key).all(axis=2)
    if colour == PALETTE:
        count = min(256, 2**depth)
        alpha = noise(max(1, count - 1), seed=2).astype(np.uint8)
        parts = chunk(b"PLTE", noise(count, 3).astype(np.uint8).tobytes())
        parts += chunk(b"tRNS", alpha.tobytes())
        hidden = np.append(alpha, 255)[samples[..., 0]]
    file = write_png(samples, depth, colour, parts=parts)
    read = page.read(file)
    if colour == PALETTE:
        assert np.array_equal(read, by_pillow(file))
    else:
        # Pillow knows no transparent colour of 16 bits, nor of fewer than 8.
        assert np.array_equal(read[..., 3], np.where(hidden, 0, 255))
        assert np.array_equal(read[..., :3], page.read(write_png(samples, depth, colour))[..., :3])


def test_of_16_bits_it_says_what_is_lost(page: Page) -> None:
    file = write_png(noise(4, 5, 3, below=65536), 16, RGB)
    assert page("read", text_of(file), "", "blob")["notes"] == [
        "the picture has 16 bits a channel: the upper 8 are kept, outside the hole too"
    ]
    assert page("read", text_of(page.write(rgba())), "", "blob")["notes"] == []


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_are_upright(page: Page, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Large blocks: JPEG decoders may differ by some levels in noise.
    image = Image.fromarray(rgba(5, 7)[..., :3]).resize((112, 80), Image.Resampling.NEAREST)
    file = saved(image, kind, exif=exif)
    read, expected = page.read(file), by_pillow(file)
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).max() <= (0 if kind == "PNG" else 2)
    assert np.array_equal(page.read(file, source="image"), read)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("alpha", [True, False])
def test_colours_of_a_display_become_srgb(page: Page, kind: str, alpha: bool) -> None:
    levels = rgba()
    shown = Image.fromarray(levels if alpha else levels[..., :3])
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    read = page.read(saved(shown, kind, icc_profile=display_p3(), **options))
    profile = ImageCms.ImageCmsProfile(io.BytesIO(display_p3()))
    expected = ImageCms.profileToProfile(
        Image.fromarray(levels[..., :3]), profile, ImageCms.createProfile("sRGB")
    )
    assert expected is not None
    assert np.abs(read[..., :3].astype(int) - np.asarray(expected)).max() <= 1
    assert np.array_equal(read[..., 3], levels[..., 3] if alpha else np.full((23, 31), 255))


@pytest.mark.parametrize(
    ("parts", "same"),
    [
        (chunk(b"sRGB", b"\0") + chunk(b"gAMA", (100000).to_bytes(4, "big")), True),
        (chunk(b"gAMA", (45455).to_bytes(4, "big")), True),
        (chunk(b"gAMA", (100000).to_bytes(4, "big")), False),
        (chunk(b"cICP", bytes([12, 13, 0, 1])), False),
    ],
)
def test_what_a_png_says_of_its_colours_counts(page: Page, parts: bytes, same: bool) -> None:
    levels = rgba()
    read = page.read(write_png(levels.astype(np.uint16), 8, RGBA, parts=parts))
    assert np.array_equal(read, levels) == same
    assert np.array_equal(read[..., 3], levels[..., 3])


def test_an_srgb_profile_changes_nothing(page: Page) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    levels = rgba()
    read = page.read(saved(Image.fromarray(levels), "PNG", icc_profile=srgb))
    assert np.array_equal(read, levels)


@pytest.mark.parametrize("source", ["blob", "bitmap", "image", "data"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_colours_under_alpha_stay(page: Page, kind: str, source: str) -> None:
    levels = rgba()
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    file = saved(Image.fromarray(levels), kind, **options)
    assert np.array_equal(page.read(file, source=source), levels)


@pytest.mark.parametrize("source", ["blob", "bitmap", "image", "canvas", "offscreen", "data"])
def test_opaque_pictures_stay_whatever_they_are_given_as(page: Page, source: str) -> None:
    levels = rgba()
    levels[..., 3] = 255
    assert np.array_equal(page.read(saved(Image.fromarray(levels), "PNG"), source=source), levels)


def test_a_canvas_gives_what_it_has(page: Page) -> None:
    levels = rgba()
    levels[..., 3] = levels[..., 3] // 128 * 255
    read = page.read(saved(Image.fromarray(levels), "PNG"), source="canvas")
    assert np.array_equal(read, np.where(levels[..., 3:] == 0, 0, levels))


def test_image_data_of_a_display_becomes_srgb(page: Page) -> None:
    picture = rgba()
    file = saved(Image.fromarray(picture), "PNG", icc_profile=display_p3())
    read = levels(page("readData", text_of(picture.tobytes()), 31, 23, "display-p3"))
    assert np.abs(read.astype(int) - page.read(file)).max() <= 1


@pytest.mark.parametrize("size", [(2100, 9), (9, 2060)])
def test_pictures_that_are_read_in_pieces_have_no_seams(page: Page, size: tuple[int, int]) -> None:
    picture = rgba(*size)
    file = saved(Image.fromarray(picture), "WEBP", lossless=True, exact=True)
    assert np.array_equal(page.read(file), picture)


def test_a_picture_that_is_too_large_is_refused_before_memory_is_taken(page: Page) -> None:
    def file(width: int, height: int) -> str:
        header = chunk(
            b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x10\6\0\0\0"
        )
        return text_of(SIGNATURE + header + chunk(b"IDAT", bytes(99)) + chunk(b"IEND", b""))

    assert page.refused("read", file(20_000, 20_000), "", "blob")["code"] == "picture_too_large"
    assert page.refused("read", file(13_000, 13_000), "", "blob")["code"] == "picture_damaged"


def test_damaged_files_are_refused_or_read_as_before(page: Page) -> None:
    whole = write_png(rgba(5, 7).astype(np.uint16), 8, RGBA, interlaced=True, pieces=2)
    cut = [whole[:size] for size in range(0, len(whole), 3)]
    changed = [
        whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))
    ]
    answers = page("readAll", [text_of(file) for file in cut + changed])
    assert all(answer.get("kind") == "picture" for answer in answers), answers
    assert all("\n" not in answer["message"] for answer in answers)


def grey_file(raw: bytes, *, packed: bool = False) -> bytes:
    """Return a grey PNG of 3 x 2 pixels with what is inflated, or is to be, as its data."""
    header = chunk(b"IHDR", bytes([0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0]))
    data = chunk(b"IDAT", raw if packed else zlib.compress(raw))
    return SIGNATURE + header + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (grey_file(bytes(7)), "end early"),
        (grey_file(zlib.compress(bytes(8))[:-6], packed=True), "(end early|inflated)"),
        (grey_file(b"no zlib stream", packed=True), "inflated"),
        (grey_file(bytes(4) + bytes([5, 0, 0, 0])), "row 1 has filter 5"),
    ],
)
def test_pixels_that_are_not_all_there_are_refused(page: Page, file: bytes, why: str) -> None:
    assert re.search(why, page.refused("read", text_of(file), "", "blob")["message"])


def test_what_comes_after_the_pixels_is_left_alone(page: Page) -> None:
    file = grey_file(bytes([0, 1, 2, 3, 0, 4, 5, 6, 99]))
    assert page.read(file)[..., 0].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "file",
    [
        write_png(noise(4, 4, 1), 8, PALETTE),
        write_png(noise(4, 4, 1), 8, PALETTE, parts=chunk(b"PLTE", bytes(4))),
        write_png(noise(4, 4, 1), 8, GREY, parts=chunk(b"tRNS", bytes(3))),
        write_png(noise(4, 4, 1), 8, GREY, parts=chunk(b"NeXT", b"")),
        write_png(noise(4, 4, 1), 8, GREY).replace(b"IDAT", b"IDAT"[::-1]),
        b"not a picture",
        b"",
    ],
)
def test_what_is_no_picture_is_refused(page: Page, file: bytes) -> None:
    assert page.refused("read", text_of(file), "image/png", "blob")["message"]


def test_a_picture_of_another_origin_is_refused(page: Page) -> None:
    picture = saved(Image.fromarray(rgba()), "PNG")
    with served({"/picture.png": picture}, isolated=False) as elsewhere:
        error = page.refused("readForeign", f"{elsewhere}/picture.png")
        assert "another origin" in error["message"]
        assert "did not load" in page.refused("readForeign", f"{elsewhere}/none.png")["message"]


def test_an_empty_canvas_is_refused(page: Page) -> None:
    assert "0 x 7" in page.refused("readEmpty")["message"]


@pytest.mark.parametrize(
    "shape", [(23, 31), (23, 31, 3), (23, 31, 4), (1, 1), (1, 1, 4), (300, 1200, 3)]
)
def test_what_is_written_is_exact(page: Page, shape: tuple[int, ...]) -> None:
    pixels = noise(*shape).astype(np.uint8)
    pixels[pixels.shape[0] // 2 :] //= 64
    file = page.write(pixels)
    with Image.open(io.BytesIO(file)) as image:
        assert image.mode == {2: "L", 3: "RGB"}.get(
            pixels.ndim if pixels.ndim == 2 else shape[2], "RGBA"
        )
        assert image.info["srgb"] == 0
        assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(page.read(file), by_pillow(file))


def test_alpha_that_hides_nothing_is_not_written(page: Page) -> None:
    pixels = rgba()
    pixels[..., 3] = 255
    with Image.open(io.BytesIO(page.write(pixels))) as image:
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), pixels[..., :3])


def test_what_is_smooth_becomes_small(page: Page) -> None:
    y, x = np.mgrid[:256, :256]
    smooth = np.stack([x, y, (x + y) // 2], axis=2).astype(np.uint8)
    assert len(page.write(smooth)) < 0.02 * smooth.size


NODE = """
import { readFileSync } from "node:fs";
const { encodePng, toPixels } = await import(process.argv[1]);
const files = process.argv.slice(2);
const out = [];
for (const file of files) {
  try {
    const pixels = await toPixels(new Blob([readFileSync(file)]));
    const again = await toPixels(await encodePng(pixels));
    const same = Buffer.compare(Buffer.from(pixels.data), Buffer.from(again.data)) === 0;
    out.push({ ...pixels, data: Buffer.from(pixels.data).toString("base64"), same });
  } catch (error) { out.push({ kind: error.kind, message: error.message }); }
}
console.log(JSON.stringify(out));
"""


def test_png_files_are_read_and_written_in_node(library: Path, tmp_path: Path) -> None:
    files = {
        "plain.png": write_png(rgba().astype(np.uint16), 8, RGBA, interlaced=True),
        "p3.png": saved(Image.fromarray(rgba()), "PNG", icc_profile=display_p3()),
        "picture.jpg": saved(Image.fromarray(rgba()[..., :3]), "JPEG"),
    }
    for name, file in files.items():
        (tmp_path / name).write_bytes(file)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    paths = [tmp_path / name for name in files]
    said = run_node("--input-type=module", "-e", NODE, library / "images/images.js", *paths)
    plain, *others = json.loads(said)
    assert plain["same"]
    assert np.array_equal(levels(plain), rgba())
    assert [other["kind"] for other in others] == ["missing", "missing"]
