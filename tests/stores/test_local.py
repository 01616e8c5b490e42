"""Stores that are folders of this machine."""

from __future__ import annotations

import os
import pickle
import time
from contextlib import suppress
from pathlib import Path

import pytest

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.stores.addresses import is_url, open_store
from lama_edge.stores.base import StoreFileError
from lama_edge.stores.local import LocalStore

NO_SUCH_PID = 999_999_999


def _file(path: Path, data: bytes = b"data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("s3://bucket/folder", True),
        ("GS://bucket", True),
        ("file:///tmp/x", True),
        ("C:/pictures", False),
        ("c://pictures", False),
        (r"C:\pictures", False),
        ("pictures/a", False),
        ("/a://b", False),
        ("big-lama", False),
        (Path("s3://bucket"), False),
    ],
)
def test_urls_are_told_from_paths(address: str | Path, url: bool) -> None:
    assert is_url(address) == url


def test_a_url_of_this_machine_is_its_path(tmp_path: Path) -> None:
    _file(tmp_path / "a b" / "c.png")
    store = open_store((tmp_path / "a b").as_uri())
    assert isinstance(store, LocalStore)
    assert store.spell("c.png") == str(tmp_path / "a b" / "c.png")
    assert store.read("c.png") == b"data"


def test_only_whole_files_that_are_not_hidden_are_listed(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "day/c.png", "day/.d.png", ".hidden/e.png", "out/f.png", ".g"):
        _file(tmp_path / name, name.encode())
    (tmp_path / "linked.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "nothing")
    store = open_store(tmp_path)
    flat = ["a.png", "b.png", "linked.png", "nowhere.png"]
    assert [entry.name for entry in store.entries()] == flat
    inside = store.entries(recursive=True, left_out=[open_store(tmp_path / "day" / ".." / "out")])
    assert [entry.name for entry in inside] == sorted([*flat, "day/c.png"])
    assert [entry.name for entry in store.entries("day")] == ["day/c.png"]
    assert "circle/a.png" in [entry.name for entry in store.entries("circle")]
    assert store.entries("missing") == []
    assert {entry.name: entry.size for entry in store.entries()}["a.png"] == 5


def test_a_stamp_changes_when_a_file_of_the_same_size_takes_its_place(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a.png", b"one")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    before = store.find("a.png")
    store.put("a.png", b"two")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert before is not None
    after = store.find("a.png")
    assert after is not None
    assert after.stamp != before.stamp
    assert [after] == store.entries()
    assert store.find("b.png") is None


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    store = open_store(tmp_path / "out")
    with store.written("day/a.png") as path:
        path.write_bytes(b"first")
        assert path.suffix == ".png"
        assert store.entries(recursive=True) == []
    with suppress(KeyError), store.written("day/a.png") as path:
        path.write_bytes(b"half")
        raise KeyError
    assert [entry.name for entry in store.entries(recursive=True)] == ["day/a.png"]
    assert store.read("day/a.png") == b"first"
    assert store.head("day/a.png", 3) == b"fir"
    assert [path.name for path in (tmp_path / "out" / "day").iterdir()] == ["a.png"]
    store.remove("day/a.png")
    store.remove("day/a.png")
    assert store.find("day/a.png") is None


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (tmp_path / "folder.png").mkdir()
    for use in (store.read, lambda name: store.fetched(name).__enter__()):
        with pytest.raises(StoreFileError, match=r"a\.png' does not exist: check the path$"):
            use("a.png")
        with pytest.raises(StoreFileError, match=r"folder\.png' cannot be read \(Is a directory"):
            use("folder.png")
    _file(tmp_path / "file")
    with pytest.raises(UsageError, match=r"cannot be made \(it is a file\): name another output$"):
        open_store(tmp_path / "file").check_writable()
    with pytest.raises(LamaEdgeError, match="cannot be made"):
        store.put("file/a.png", b"")
    assert [open_store(tmp_path / one).kind() for one in (".", "file", "no")] == [
        *("folder", "file", "missing")
    ]


def test_what_killed_runs_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.written("day/alive.png") as alive:
        alive.touch()
        left = alive.name.replace(f"-{os.getpid()}-", f"-{NO_SUCH_PID}-")
        here = _file(tmp_path / "day" / left)
        machine = left.removesuffix(".png")[-4:]
        other = left.replace(f"{machine}.png", f"{'beef' if machine != 'beef' else 'dead'}.png")
        there, old = _file(tmp_path / other), _file(tmp_path / ".hidden" / other)
        os.utime(old, (time.time() - 7200,) * 2)
        kept = _file(tmp_path / ".notes.tmp-1.png"), _file(tmp_path / "a.tmp-1-01234567.png")
        assert store.sweep(older_than_s=3600) == 2
        assert not here.exists()
        assert not old.exists()
        assert alive.exists()
        assert there.exists()
        assert all(one.exists() for one in kept)
    assert store.sweep(older_than_s=-1) == 1


def test_a_store_goes_to_other_processes(tmp_path: Path) -> None:
    _file(tmp_path / "a.png")
    assert pickle.loads(pickle.dumps(open_store(tmp_path))).read("a.png") == b"data"


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "a.png").write_bytes(b"a")
    store = LocalStore(tmp_path)
    assert [one.name for one in store.entries()] == ["a.png"]
    assert store.find("pipe.png") is None
