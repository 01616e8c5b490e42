"""How masks are found for pictures, by the names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge.errors import UsageError
from lama_edge.pictures.pairs import Pair, find_pairs, pair_with_all
from lama_edge.stores.local import LocalStore


def _find_pairs(
    images: Path, masks: Path, *, recursive: bool = False, output: Path | None = None
) -> tuple[list[Pair], list[str]]:
    where = None if output is None else LocalStore(output)
    return find_pairs(LocalStore(images), LocalStore(masks), recursive=recursive, output=where)


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_masks_of_lamas_names_are_found_in_the_same_folder(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg"):
        _file(tmp_path / name)
    for name in ("a_mask001.png", "a_mask002.png", "b_mask.png"):
        _file(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    pairs, without_mask = _find_pairs(tmp_path, tmp_path)
    assert [(pair.image, pair.mask, pair.result) for pair in pairs] == [
        ("a.png", "a_mask001.png", "a_mask001"),
        ("a.png", "a_mask002.png", "a_mask002"),
        ("b.jpg", "b_mask.png", "b_mask"),
    ]
    assert without_mask == []


def test_masks_of_the_same_name_are_found_in_a_folder_of_their_own(tmp_path: Path) -> None:
    _file(tmp_path / "in" / "a.jpg")
    _file(tmp_path / "in" / "b.png")
    _file(tmp_path / "masks" / "a.png")
    pairs, without_mask = _find_pairs(tmp_path / "in", tmp_path / "masks")
    assert [(pair.image, pair.mask, pair.result) for pair in pairs] == [("a.jpg", "a.png", "a")]
    assert without_mask == ["b.png"]


@pytest.mark.parametrize("masks", ["missing", "mask.png"])
def test_folders_that_are_none_are_refused(tmp_path: Path, masks: str) -> None:
    _file(tmp_path / "in" / "a.png")
    _file(tmp_path / "mask.png")
    with pytest.raises(UsageError, match="is no folder"):
        _find_pairs(tmp_path / "in", tmp_path / masks)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="holds no picture"):
        _find_pairs(tmp_path / "in", tmp_path / "in")


def _found(images: Path, masks: Path, **where: object) -> set[tuple[str, str, str]]:
    """Return picture, mask and result of each pair, the files below `images` and `masks`."""
    pairs, _ = _find_pairs(images, masks, **where)  # type: ignore[arg-type]
    return {(pair.image, pair.mask, pair.result) for pair in pairs}


@pytest.mark.parametrize(
    ("mask", "result"),
    [
        ("x.jpg.png", "x"),
        ("x-mask.png", "x-mask"),
        ("x-mask07.PNG", "x-mask07"),
        ("x_MASK.webp", "x_MASK"),
        ("mask_x.png", "mask_x"),
        ("Mask-x.bmp", "Mask-x"),
        ("x_mask001.png", "x_mask001"),
    ],
)
@pytest.mark.parametrize("picture", ["x.jpg", "x.JPG"])
@pytest.mark.parametrize("masks", ["in", "masks"])
def test_other_names_of_masks_are_found(
    tmp_path: Path, masks: str, picture: str, mask: str, result: str
) -> None:
    _file(tmp_path / "in" / picture)
    _file(tmp_path / masks / mask)
    assert _found(tmp_path / "in", tmp_path / masks) == {(picture, mask, result)}


def test_a_picture_that_is_named_like_a_mask_of_none_stays_a_picture(tmp_path: Path) -> None:
    for name in ("mask_fest.jpg", "gas-mask.png", "b.jpg", "b_mask.png", "b_mask_mask.png"):
        _file(tmp_path / name)
    pairs, without_mask = _find_pairs(tmp_path, tmp_path)
    assert [(pair.image, pair.mask) for pair in pairs] == [("b.jpg", "b_mask.png")]
    assert without_mask == ["gas-mask.png", "mask_fest.jpg"]


def test_a_mask_that_names_the_whole_file_is_not_that_of_another(tmp_path: Path) -> None:
    for name in ("in/x.jpg", "in/x.png", "masks/x.jpg.png", "masks/x.png.png"):
        _file(tmp_path / name)
    assert _found(tmp_path / "in", tmp_path / "masks") == {
        ("x.jpg", "x.jpg.png", "x"),
        ("x.png", "x.png.png", "x"),
    }


def test_several_masks_of_a_picture_are_all_found(tmp_path: Path) -> None:
    for name in ("in/x.jpg", "masks/x.png", "masks/x_mask.png", "masks/mask_x.png"):
        _file(tmp_path / name)
    assert _found(tmp_path / "in", tmp_path / "masks") == {
        ("x.jpg", "x.png", "x"),
        ("x.jpg", "x_mask.png", "x_mask"),
        ("x.jpg", "mask_x.png", "mask_x"),
    }


def test_folders_inside_are_read_with_masks_of_the_same_folders(tmp_path: Path) -> None:
    for name in ("a.png", "day/a.png", "day/two/b.gif", ".hidden/c.png", "out/a.png", "m/a.png"):
        _file(tmp_path / "in" / name)
    for name in ("a.png", "day/a.png", "day/two/b_mask.png", "b.png"):
        _file(tmp_path / "in" / "m" / name)
    where = {"recursive": True, "output": tmp_path / "in" / "out"}
    assert _found(tmp_path / "in", tmp_path / "in" / "m", **where) == {
        ("a.png", "a.png", "a"),
        ("day/a.png", "day/a.png", "day/a"),
        ("day/two/b.gif", "day/two/b_mask.png", "day/two/b_mask"),
    }
    assert _found(tmp_path / "in", tmp_path / "in" / "m") == {("a.png", "a.png", "a")}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    _file(tmp_path / "day" / "a.png")
    _file(tmp_path / "day" / "a_mask.png")
    try:
        (tmp_path / "day" / "again").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert _found(tmp_path, tmp_path, recursive=True) == {
        ("day/a.png", "day/a_mask.png", "day/a_mask")
    }


def test_masks_behind_a_link_that_is_named_like_the_pictures_folder_are_found(
    tmp_path: Path,
) -> None:
    for name in ("in/day/a.png", "in/day/two/b.png", "elsewhere/a.png", "elsewhere/two/b.png"):
        _file(tmp_path / name)
    (tmp_path / "masks").mkdir()
    try:
        (tmp_path / "masks" / "day").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert _found(tmp_path / "in", tmp_path / "masks", recursive=True) == {
        ("day/a.png", "day/a.png", "day/a"),
        ("day/two/b.png", "day/two/b.png", "day/two/b"),
    }


def test_pictures_come_folder_by_folder(tmp_path: Path) -> None:
    names = ["z.png", "a/c.png", "a/b/d.png", "a.b/e.png"]
    for name in names:
        _file(tmp_path / "in" / name)
        _file(tmp_path / "masks" / name)
    pairs, _ = _find_pairs(tmp_path / "in", tmp_path / "masks", recursive=True)
    assert [pair.image for pair in pairs] == names


def test_one_mask_is_for_all_pictures_but_itself(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "day/c.ppm", "mask.png", "out/a.png"):
        _file(tmp_path / name)
    mask = tmp_path / "mask.png"
    images, one = LocalStore(tmp_path), LocalStore(mask)
    assert [pair.image for pair in pair_with_all(images, one)] == ["a.png", "b.jpg"]
    pairs = pair_with_all(images, one, recursive=True, output=LocalStore(tmp_path / "out"))
    assert [(pair.image, pair.mask, pair.result) for pair in pairs] == [
        ("a.png", "", "a"),
        ("b.jpg", "", "b"),
        ("day/c.ppm", "", "day/c"),
    ]


def test_a_folder_named_like_a_picture_is_none(tmp_path: Path) -> None:
    for name in ("a.png", "a_mask.png"):
        _file(tmp_path / name)
    (tmp_path / "album.png").mkdir()
    pairs, without_mask = _find_pairs(tmp_path, tmp_path)
    assert [pair.image for pair in pairs] == ["a.png"]
    assert without_mask == []
