"""Pictures of stores: the same bytes as those of files, and messages that name the store's."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge.errors import PictureError, UsageError
from lama_edge.pictures.pairs import Claims, Pair, find_pairs, pair_with_all
from lama_edge.runtimes.inpainting.files import InpaintFile, Stores, inpaint_stored
from lama_edge.runtimes.inpainting.folders import inpaint_folder, pairs_of, target_of
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import Store, StoreFileError

SIZE = (24, 16)


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty folder."""
    if request.param == "local":
        return str(tmp_path / "place")
    return str(request.getfixturevalue("bucket"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of several formats, with what files say beside their pixels, and masks."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*SIZE[::-1], 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "a description"
    exif[0x0112] = 6
    mask = Image.new("L", SIZE)
    mask.paste(255, (4, 4, 12, 10))
    for name in ("a.png", "b.jpg", "day/c.webp", "day/two/d.TIFF"):
        for one in ("in", "masks"):
            (tmp_path / one / name).parent.mkdir(parents=True, exist_ok=True)
        mode = "RGBA" if name == "a.png" else "RGB"
        image = Image.fromarray(pixels).convert(mode)
        image.save(tmp_path / "in" / name, exif=exif.tobytes(), dpi=(72, 72))
        turned = mask.transpose(Image.Transpose.ROTATE_270)
        turned.save((tmp_path / "masks" / name).with_suffix(".png"))
    return tmp_path


def _upload(folder: Path, store: Store) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            store.put(path.relative_to(folder).as_posix(), path.read_bytes())


def test_results_are_those_of_the_folder_run_bit_for_bit(
    folder: Path, golden_folder: Path, place: str
) -> None:
    job = InpaintFile(
        golden_folder, folder / "in", folder / "masks", folder / "out", recursive=True
    )
    expected = inpaint_folder(job)
    written = sorted(path for path in (folder / "out").rglob("*") if path.is_file())
    assert expected.failed == {}
    assert len(written) == 4
    stores = Stores(*(open_store(f"{place}/{name}") for name in ("in", "masks", "out")))
    _upload(folder / "in", stores.pictures)
    _upload(folder / "masks", stores.masks)
    pairs, alone = pairs_of(stores.pictures, stores.masks, recursive=True, output=stores.output)
    assert alone == []
    claims = Claims(stores.pictures, stores.masks, stores.output, pairs)
    seen: dict[str, str] = {}
    with job.open() as inpainter:
        for pair, before in zip(pairs, expected.written, strict=True):
            target = target_of(pair, None)
            claims.add(target, pair)
            result = inpaint_stored(
                inpainter,
                stores,
                pair,
                target,
                seen=lambda role, path: seen.update({role: _hash(path.read_bytes())}),
            )
            assert result.path == stores.output.spell(target)
            path = folder / "out" / target
            assert before.to_dict() == {**result.to_dict(), "path": str(path)}
            assert stores.output.read(target) == path.read_bytes()
            assert seen == {
                "picture": _hash((folder / "in" / pair.image).read_bytes()),
                "mask": _hash((folder / "masks" / pair.mask).read_bytes()),
                "result": _hash(path.read_bytes()),
            }
    assert [entry.name for entry in stores.output.entries(recursive=True)] == [
        path.relative_to(folder / "out").as_posix() for path in written
    ]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_messages_name_the_file_of_the_store(
    folder: Path, golden_folder: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    levels = np.random.default_rng(0).integers(0, 65535, SIZE[::-1], dtype=np.uint16)
    Image.fromarray(levels).save(folder / "in" / "deep.png")
    Image.fromarray(np.uint8(levels > 60_000)).save(folder / "masks" / "deep.png")
    (folder / "in" / "broken.png").write_bytes(b"damaged")
    store = open_store(place)
    _upload(folder, store)
    stores = Stores(*(open_store(f"{place}/{name}") for name in ("in", "masks", "out")))
    caplog.set_level(logging.WARNING)
    cases: list[tuple[Pair, str, type[Exception], str]] = [
        (
            Pair("broken.png", "a.png", "x"),
            "x.png",
            PictureError,
            f"the picture '{_at(place, 'in/broken.png')}' is not",
        ),
        (Pair("a.png", "broken.png", "x"), "x.png", StoreFileError, ""),
        (
            Pair("a.png", "a.png", "x"),
            "x.bmp",
            PictureError,
            f"of '{_at(place, 'out/x.bmp')}': name",
        ),
        (
            Pair("a.png", "a.png", "x"),
            "x.psd",
            PictureError,
            f"for '{_at(place, 'out/x.psd')}': end",
        ),
    ]
    with InpaintFile(golden_folder, folder, folder, folder).open() as inpainter:
        for pair, target, kind, said in cases:
            if kind is StoreFileError and "://" not in place:
                continue  # a missing file of this machine is a picture's error, as ever
            with pytest.raises(kind) as caught:
                inpaint_stored(inpainter, stores, pair, target)
            assert said in str(caught.value)
            assert "lama-edge-" not in str(caught.value)
        inpaint_stored(inpainter, stores, Pair("deep.png", "deep.png", "deep"), "deep.jpg")
    assert _at(place, "out/deep.jpg") in caplog.text
    assert "lama-edge-" not in caplog.text
    assert ".tmp-" not in caplog.text


def _at(place: str, name: str) -> str:
    return f"{place}/{name}"


def test_pairs_are_found_in_a_bucket_as_in_a_folder(bucket: str) -> None:
    names = ["a.png", "a_mask.png", "day/b.jpg", "day/b_mask001.png", "day/alone.png"]
    names += [".hidden/c.png", "out/a_mask.png", "notes.txt"]
    store, output = open_store(bucket), open_store(f"{bucket}/out")
    for name in names:
        store.put(name, b"")
    assert find_pairs(store, store, recursive=True, output=output) == (
        [
            Pair("a.png", "a_mask.png", "a_mask"),
            Pair("day/b.jpg", "day/b_mask001.png", "day/b_mask001"),
        ],
        ["day/alone.png"],
    )
    one = open_store(f"{bucket}/a_mask.png")
    assert pair_with_all(store, one) == [Pair("a.png", "", "a")]
    with pytest.raises(UsageError, match=f"^the folder '{bucket}/none' holds no picture|no folder"):
        find_pairs(open_store(f"{bucket}/none"), store)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("in/a.png", "would replace a picture or mask: name another folder"),
        ("masks/a.jpg", "would replace a picture or mask: name another folder"),
        ("out/a.png", "with the mask 'a.png' is that of"),
    ],
)
def test_no_result_at_a_url_replaces_what_a_run_reads_or_has_written(
    bucket: str, target: str, said: str
) -> None:
    store = open_store(bucket)
    pictures, masks = open_store(f"{bucket}/in/"), open_store(f"{bucket}/masks")
    first, second = Pair("a.png", "a.png", "a"), Pair("a.jpg", "a.png", "a")
    claims = Claims(pictures, masks, store, [first, second])
    claims.add("out/a.png", first)
    claims.add("out/a.jpg", second)
    with pytest.raises(UsageError) as caught:
        claims.add(target, second)
    assert said in str(caught.value)
    assert f"'{bucket}/{target}'" in str(caught.value)
