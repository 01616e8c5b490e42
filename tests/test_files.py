"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from lama_edge.errors import UsageError
from lama_edge.files import atomic_output, output_room, sha256_of, split_part

NO_SUCH_PID = 2**22 + 1  # above the largest pid that Linux gives


def test_the_finished_file_takes_the_targets_place(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    target.write_text("old")
    with atomic_output(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".onnx"
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_run_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    target.write_text("old")

    def fail() -> None:
        with atomic_output(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    stale = tmp_path / f".out.tmp-{NO_SUCH_PID}-0123abcd.onnx"
    alive = tmp_path / f".out.tmp-{os.getppid()}-0123abcd.onnx"
    others = tmp_path / f".other.tmp-{NO_SUCH_PID}-0123abcd.onnx"
    for path in (stale, alive, others):
        path.write_text("half")
    with atomic_output(tmp_path / "out.onnx") as temporary:
        temporary.write_text("new")
    assert not stale.exists()
    assert alive.exists()
    assert others.exists()


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "é" * 125 + ".png", "caf\udce9.png"])
def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with atomic_output(target) as temporary:
        temporary.write_bytes(b"whole")
        left = temporary.with_name(re.sub(r"-\d+-", f"-{NO_SUCH_PID}-", temporary.name))
        left.write_bytes(b"half")
    with atomic_output(target) as temporary:
        temporary.write_bytes(b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_an_existing_target_needs_permission(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    target.write_text("old")
    with pytest.raises(UsageError, match="overwrite=True"), atomic_output(target, overwrite=False):
        pass
    assert target.read_text() == "old"


@pytest.mark.parametrize("name", ["missing/out.onnx", "."])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError), atomic_output(tmp_path / name):
        pass


@pytest.mark.parametrize(
    ("number", "name", "advice"),
    [
        (errno.ENOSPC, None, "free some room, or name another"),
        (errno.EDQUOT, "out/.a.tmp-1-2.onnx", "free some room, or name another"),
        (errno.EFBIG, None, "name another"),
        (errno.EROFS, "out/a.onnx", "name another"),
        (errno.EIO, None, "name another"),
        (errno.EACCES, "out/.a.tmp-1-2.onnx/a.bin", "name another"),
        (errno.EPERM, "out/a.onnx", "name another"),
    ],
)
def test_what_hinders_writing_an_output_is_told_by_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    name: str | None,
    advice: str,
) -> None:
    """Room is of use where there is none, and for nothing else."""
    monkeypatch.chdir(tmp_path)
    named = None if name is None else str(tmp_path / name)
    with pytest.raises(UsageError) as told, output_room(Path("out/a.onnx")):
        raise OSError(number, os.strerror(number), named)
    wanted = f"the output 'out/a.onnx' cannot be written ({os.strerror(number)}): {advice}"
    assert str(told.value) == wanted


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.ENOMEM, None),
        (errno.EMFILE, "out/a.onnx"),
        (errno.EPIPE, None),
        (errno.EACCES, None),
        (errno.EACCES, "tools/pnnx"),
        (errno.ENOSPC, "temporary/log"),
        (None, None),
    ],
)
def test_other_errors_are_none_of_the_outputs(
    tmp_path: Path, number: int | None, name: str | None
) -> None:
    error = OSError("a library's own")
    if number is not None:
        error = OSError(number, os.strerror(number), None if name is None else str(tmp_path / name))
    with pytest.raises(OSError) as seen, output_room(tmp_path / "out" / "a.onnx"):  # noqa: PT011
        raise error
    assert seen.value is error


def test_sha256_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("named", "path", "part"),
    [
        ("model.onnx", "model.onnx", None),
        ("lama.mlpackage#size_8x8", "lama.mlpackage", "size_8x8"),
        ("lama.mlpackage#", "lama.mlpackage", ""),
        ("there#is.mlpackage", "there#is.mlpackage", None),
        ("there#is.mlpackage#size_8x8", "there#is.mlpackage", "size_8x8"),
        ("a#b/none.onnx", "a#b/none.onnx", None),
        ("#none", "#none", None),
    ],
)
def test_a_part_stands_behind_the_name_and_an_existing_path_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, path: str, part: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there#is.mlpackage").mkdir()
    assert split_part(named) == (Path(path), part)


def test_a_parts_name_may_hold_what_stands_before_it(tmp_path: Path) -> None:
    path = tmp_path / "two.pth"
    path.touch()
    assert split_part(f"{path}#a#b") == (path, "a#b")
    (tmp_path / "two.pth#a").touch()
    assert split_part(f"{path}#a#b") == (tmp_path / "two.pth#a", "b")


def test_a_part_of_the_folder_one_is_in() -> None:
    assert split_part(".#x") == (Path(), "x")
