"""Folders that appear whole or not at all."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from lama_edge.files import atomic_artifact

atomic_folder = partial(atomic_artifact, "folder")


def _fill(path: Path, text: str) -> None:
    path.mkdir()
    (path / "content").write_text(text)


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "a.mlpackage"
    for text in ("first", "second"):
        with atomic_folder(target) as temporary:
            assert temporary.suffix == ".mlpackage"
            _fill(temporary, text)
        assert (target / "content").read_text() == text
        assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.mlpackage"
    _fill(target, "first")

    def fail() -> None:
        with atomic_folder(target) as temporary:
            _fill(temporary, "second")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert (target / "content").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_renaming_that_fails_is_undone(tmp_path: Path) -> None:
    target = tmp_path / "a.mlpackage"
    _fill(target, "first")
    with pytest.raises(FileNotFoundError), atomic_folder(target):
        pass  # nothing was made that could be renamed
    assert (target / "content").read_text() == "first"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "a.mlpackage"
    stale = tmp_path / ".a.tmp-999999999-0123abcd.mlpackage"
    _fill(stale, "half")
    with atomic_folder(target) as temporary:
        _fill(temporary, "whole")
    assert list(tmp_path.iterdir()) == [target]
