"""Folders of small pictures of all kinds with masks, some of them bad."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from commands import words_of
from PIL import Image

from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.record import Record
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.inpainting.files import InpaintFile
from lama_edge.runtimes.inpainting.folders import inpaint_folder
from lama_edge.stores.local import LocalStore

# Ways to save a picture: mode, suffix.
KINDS = (
    ("RGB", ".png"), ("RGB", ".jpg"), ("L", ".png"), ("RGBA", ".png"), ("P", ".png"),
    ("I;16", ".png"), ("CMYK", ".jpg"), ("RGB", ".webp"), ("LA", ".png"), ("RGB", ".tif"),
    ("RGB", ".bmp"),
)  # fmt: skip
# Every way of a picture to be bad, in turn.
BAD = ("no picture", "cut", "another size", "no mask", "empty")


def make_pictures(pictures: Path, masks: Path, count: int, bad: int) -> list[str]:
    """Make pictures of mixed sizes and modes, in two folders, and their masks.

    Returns:
        The names of the bad ones, relative to `pictures`.
    """
    random = np.random.default_rng(count)
    every = count // bad if bad else count + 1
    names = []
    for number in range(count):
        mode, suffix = KINDS[number % len(KINDS)]
        inside = Path("more") if number % 3 == 0 else Path()
        name = inside / f"picture-{number:04d}{suffix}"
        height, width = (int(side) for side in random.integers(17, 72, 2))
        path, mask = pictures / name, masks / inside / f"picture-{number:04d}_mask.png"
        for one in (path, mask):
            one.parent.mkdir(parents=True, exist_ok=True)
        _picture(random, mode, height, width).save(path)
        hole = np.zeros((height, width), np.uint8)
        top, left = (int(random.integers(0, side // 2)) for side in (height, width))
        hole[top : top + height // 3, left : left + width // 3] = 255
        way = BAD[len(names) % len(BAD)] if number % every == every - 1 and len(names) < bad else ""
        if way:
            names.append(name.as_posix())
        if way == "another size":
            hole = hole[:-1]
        if way != "no mask":
            Image.fromarray(hole).save(mask)
        _spoil(path, way)
    return names


def _picture(random: np.random.Generator, mode: str, height: int, width: int) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(np.uint16))
    coarse = random.integers(0, 256, (4, 4, 4), np.uint8)
    rgba = Image.fromarray(coarse, "RGBA").resize((width, height))
    return rgba.convert("RGB").convert(mode) if mode in ("P", "CMYK", "RGB") else rgba.convert(mode)


def _spoil(path: Path, way: str) -> None:
    if way == "no picture":
        path.write_bytes(b"this is no picture")
    elif way == "cut":
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif way == "empty":
        path.write_bytes(b"")


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder, hidden ones too, but for the run's record."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "record.parquet"
    }


@dataclass(frozen=True)
class Folders:
    """Pictures with masks, and what one process makes of them.

    Attributes:
        model: the model's file.
        pictures: the folder of pictures.
        masks: the folder of their masks.
        bad: names of pictures that cannot be inpainted.
        expected: the results by their names.
        messages: what one process said of the bad ones, by their names.
    """

    model: Path
    pictures: Path
    masks: Path
    bad: list[str]
    expected: dict[str, bytes]
    messages: dict[str, str]

    def job(self, output: Path, **options: object) -> InpaintMany:
        return InpaintMany(
            str(self.model),
            str(self.pictures),
            str(self.masks),
            str(output),
            recursive=True,
            **options,  # type: ignore[arg-type]
        )


def make_folders(folder: Path, model: Path, count: int, bad: int) -> Folders:
    pictures, masks, output = (folder / name for name in ("pictures", "masks", "expected"))
    names = make_pictures(pictures, masks, count, bad)
    done = inpaint_folder(InpaintFile(model, pictures, masks, output, recursive=True, threads=1))
    messages = {path.relative_to(pictures).as_posix(): said for path, said in done.failed.items()}
    expected = files_of(output)
    shutil.rmtree(output)
    assert sorted(messages) == sorted(names)
    assert len(expected) == count - bad
    return Folders(model, pictures, masks, names, expected, messages)


def rows_of(output: Path) -> dict[str, Row]:
    """Return the rows of a folder's record by their pictures, also of a run that was killed."""
    return {row.picture: row for row in Record(LocalStore(output), resume=True).earlier().values()}


def children(process: int | None = None) -> list[psutil.Process]:
    """Return the processes with models open that a process started; this one by default."""
    return [
        one
        for one in psutil.Process(process).children(recursive=True)
        if "lama_edge.runtimes.batch.child" in words_of(one)
    ]


def change_children(folder: Path, patch: pytest.MonkeyPatch, code: str) -> None:
    """Let lines run in every process with a model that is started from now on, before its own."""
    inside = "".join(f"    {line}\n" for line in code.strip().splitlines())
    (folder / "sitecustomize.py").write_text(
        f'import sys\nif "lama_edge.runtimes.batch.child" in sys.orig_argv:\n{inside}'
    )
    patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
