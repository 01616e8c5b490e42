"""Folders of pictures: how masks are found, and that one bad file spoils nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge import cli
from lama_edge.runtimes.inpainting.files import InpaintFile
from lama_edge.runtimes.inpainting.folders import inpaint_folder

SIZE = (24, 16)


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    Image.fromarray(rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)).save(path)


def _mask(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, (4, 4, 12, 10))
    mask.save(path)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_bad_file_is_reported_and_the_others_are_written(
    golden_folder: Path, tmp_path: Path
) -> None:
    images, masks, output = (tmp_path / name for name in ("in", "masks", "out"))
    for name in ("a", "b", "c", "d"):
        _picture(images / f"{name}.png")
        _mask(masks / f"{name}.png")
    (images / "b.png").write_bytes(b"damaged")
    _mask(masks / "c.png", size=(5, 5))
    (masks / "d.png").unlink()
    seen: list[tuple[int, int]] = []
    job = InpaintFile(golden_folder, images, masks, output)
    outcome = inpaint_folder(job, lambda done, total: seen.append((done, total)))
    assert _names(output) == ["a.png"]
    assert {path.name for path in outcome.failed} == {"b.png", "c.png", "d.png"}
    assert "no mask" in outcome.failed[images / "d.png"]
    assert "5x5" in outcome.failed[images / "c.png"]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_command_line_reports_at_the_end_with_exit_code_2(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        _picture(tmp_path / "in" / name)
        _mask(tmp_path / "in" / name.replace(".", "_mask001."))
    words = ["inpaint", str(golden_folder), str(tmp_path / "in"), str(tmp_path / "in")]
    assert cli.main([*words, "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"wrote 2 of 2 pictures to {tmp_path / 'out'}\n"
    assert _names(tmp_path / "out") == ["a_mask001.png", "b_mask001.png"]
    (tmp_path / "in" / "b.png").write_bytes(b"damaged")
    assert cli.main([*words, "-o", str(tmp_path / "again")]) == 2
    captured = capsys.readouterr()
    assert captured.out == f"wrote 1 of 2 pictures to {tmp_path / 'again'}\n"
    first, last = captured.err.splitlines()
    assert "b.png" in first
    assert last == "lama-edge: error: 1 of 2 pictures could not be inpainted"
    assert cli.main([*words, "-o", str(tmp_path / "json"), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert (len(document["written"]), len(document["failed"])) == (1, 1)


@pytest.mark.parametrize(
    ("masks", "output"), [("in", "in"), ("masks", "masks"), ("masks", "in")], ids=str
)
def test_pictures_and_masks_are_never_replaced(
    golden_folder: Path, tmp_path: Path, masks: str, output: str
) -> None:
    mask = f"a{'_mask001' if masks == 'in' else ''}.png"
    _picture(tmp_path / "in" / "a.png")
    _mask(tmp_path / masks / mask)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    job = InpaintFile(golden_folder, tmp_path / "in", tmp_path / masks, tmp_path / output)
    outcome = inpaint_folder(job)
    assert outcome.written == []
    assert "would replace a picture or mask: name another folder" in str(outcome.failed)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before


def test_two_pictures_of_one_name_have_results_of_their_own(
    golden_folder: Path, tmp_path: Path
) -> None:
    for name in ("a.jpg", "a.png"):
        _picture(tmp_path / "in" / name)
    _mask(tmp_path / "masks" / "a.png")
    job = InpaintFile(golden_folder, tmp_path / "in", tmp_path / "masks", tmp_path / "out")
    assert inpaint_folder(job).failed == {}
    assert _names(tmp_path / "out") == ["a.jpg", "a.png"]
    one = replace(job, output=tmp_path / "one", picture_format="png")
    outcome = inpaint_folder(one)
    assert [result.path for result in outcome.written] == [tmp_path / "one" / "a.png"]
    assert list(outcome.failed) == [tmp_path / "in" / "a.png"]
    assert "a.jpg' with 'a.png' too: rename one of them" in str(outcome.failed)


def test_two_masks_of_one_result_are_told(golden_folder: Path, tmp_path: Path) -> None:
    _picture(tmp_path / "in" / "a.jpg")
    for name in ("a.png", "a.jpg.png"):
        _mask(tmp_path / "masks" / name)
    job = InpaintFile(golden_folder, tmp_path / "in", tmp_path / "masks", tmp_path / "out")
    outcome = inpaint_folder(job)
    assert _names(tmp_path / "out") == ["a.jpg"]
    assert "with the mask 'a.png' is that of" in str(outcome.failed)


def test_no_result_would_be_a_mask_for_the_next_run(golden_folder: Path, tmp_path: Path) -> None:
    _picture(tmp_path / "a.jpg")
    _mask(tmp_path / "a_mask.png")
    outcome = inpaint_folder(InpaintFile(golden_folder, tmp_path, tmp_path, tmp_path))
    assert "name another folder" in str(outcome.failed)
    assert _names(tmp_path) == ["a.jpg", "a_mask.png"]


def test_results_are_of_their_pictures_formats(golden_folder: Path, tmp_path: Path) -> None:
    names = ["a.jpg", "b.JPEG", "c.webp", "d.tif", "e.bmp", "f.gif", "g.ppm", "h.png"]
    for name in names:
        _picture(tmp_path / "in" / name)
    _mask(tmp_path / "mask.png")
    _picture(tmp_path / "in" / "day" / "a.png")
    job = InpaintFile(
        golden_folder, tmp_path / "in", tmp_path / "mask.png", tmp_path / "out", recursive=True
    )
    assert inpaint_folder(job).failed == {}
    written = {path.relative_to(tmp_path / "out").as_posix() for path in _files(tmp_path / "out")}
    assert written == {*names[:5], "f.png", "g.png", "h.png", "day/a.png"}
    job = replace(job, output=tmp_path / "jpeg", picture_format="jpeg", recursive=False)
    inpaint_folder(job)
    assert _names(tmp_path / "jpeg") == [
        *("a.jpg", "b.JPEG", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "h.jpg")
    ]
    assert {Image.open(path).format for path in _files(tmp_path / "jpeg")} == {"JPEG"}


def test_one_mask_that_does_not_fit_a_picture_is_a_row(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _picture(tmp_path / "in" / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "b.png")
    _mask(tmp_path / "mask.png")
    words = ["inpaint", golden_folder, tmp_path / "in", tmp_path / "mask.png", "--json"]
    assert cli.main([*map(str, words), "-o", str(tmp_path / "out")]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [Path(row["path"]).name for row in document["written"]] == ["a.png"]
    (message,) = document["failed"].values()
    assert "9x9" in message


@pytest.mark.parametrize("flags", [["--recursive"], ["--format", "png"]])
def test_options_for_folders_are_refused_for_a_file(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    _picture(tmp_path / "a.png")
    _mask(tmp_path / "mask.png")
    words = ["inpaint", golden_folder, tmp_path / "a.png", tmp_path / "mask.png", "-o"]
    assert cli.main([*map(str, words), str(tmp_path / "b.png"), *flags]) == 2
    assert "are for folders" in capsys.readouterr().err


def test_results_that_cannot_hold_transparency_are_rows(
    golden_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGBA", SIZE, (9, 9, 9, 90)).save(tmp_path / "in" / "a.png")
    _picture(tmp_path / "in" / "b.png")
    _mask(tmp_path / "mask.png")
    job = InpaintFile(
        golden_folder,
        tmp_path / "in",
        tmp_path / "mask.png",
        tmp_path / "out",
        picture_format="bmp",
    )
    outcome = inpaint_folder(job)
    assert _names(tmp_path / "out") == ["b.bmp"]
    assert "cannot hold the transparency" in outcome.failed[tmp_path / "in" / "a.png"]


@pytest.mark.parametrize("below", [(), ("inside",)])
def test_an_output_that_can_be_no_folder_is_told(
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    below: tuple[str, ...],
) -> None:
    _picture(tmp_path / "in" / "a.png")
    _mask(tmp_path / "mask.png")
    (tmp_path / "file").write_text("kept")
    output = tmp_path.joinpath("file", *below)
    words = ["inpaint", str(golden_folder), str(tmp_path / "in"), str(tmp_path / "mask.png")]
    assert cli.main([*words, "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert f"{str(output)!r} cannot be made" in error
    assert error.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"


def test_messages_name_the_result_and_no_temporary_file(
    golden_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 65535, SIZE[::-1], dtype=np.uint16)
    (tmp_path / "in").mkdir()
    Image.fromarray(levels).save(tmp_path / "in" / "a.png")
    _mask(tmp_path / "mask.png")
    job = InpaintFile(golden_folder, tmp_path / "in", tmp_path / "mask.png", tmp_path / "out")
    assert not inpaint_folder(replace(job, picture_format="jpeg")).failed
    assert str(tmp_path / "out" / "a.jpg") in caplog.text
    assert ".tmp-" not in caplog.text
