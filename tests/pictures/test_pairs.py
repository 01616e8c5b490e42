"""How masks are found for pictures, by the names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge.errors import UsageError
from lama_edge.pictures.pairs import find_pairs


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_masks_of_lamas_names_are_found_in_the_same_folder(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg"):
        _file(tmp_path / name)
    for name in ("a_mask001.png", "a_mask002.png", "b_mask.png"):
        _file(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    pairs, without_mask = find_pairs(tmp_path, tmp_path)
    assert [(pair.image.name, pair.mask.name, pair.result) for pair in pairs] == [
        ("a.png", "a_mask001.png", "a_mask001"),
        ("a.png", "a_mask002.png", "a_mask002"),
        ("b.jpg", "b_mask.png", "b_mask"),
    ]
    assert without_mask == []


def test_masks_of_the_same_name_are_found_in_a_folder_of_their_own(tmp_path: Path) -> None:
    _file(tmp_path / "in" / "a.jpg")
    _file(tmp_path / "in" / "b.png")
    _file(tmp_path / "masks" / "a.png")
    pairs, without_mask = find_pairs(tmp_path / "in", tmp_path / "masks")
    assert [(pair.image.name, pair.mask.name, pair.result) for pair in pairs] == [
        ("a.jpg", "a.png", "a")
    ]
    assert [path.name for path in without_mask] == ["b.png"]


@pytest.mark.parametrize("masks", ["missing", "mask.png"])
def test_folders_that_are_none_are_refused(tmp_path: Path, masks: str) -> None:
    _file(tmp_path / "in" / "a.png")
    _file(tmp_path / "mask.png")
    with pytest.raises(UsageError, match="is no folder"):
        find_pairs(tmp_path / "in", tmp_path / masks)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="holds no picture"):
        find_pairs(tmp_path / "in", tmp_path / "in")
