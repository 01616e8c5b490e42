"""An engine and its manifest: both or neither, and what was there before stays until then."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from lama_edge.errors import UsageError
from lama_edge.files import atomic_artifact, beside, check_artifact

atomic_pair = partial(atomic_artifact, "pair")


def _write(engine: Path, text: str) -> None:
    engine.write_text(text)
    beside(engine).write_text(f"{text} manifest")


def _read(engine: Path) -> tuple[str, str]:
    return engine.read_text(), beside(engine).read_text()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_both_files_stand_at_the_end_and_nothing_else(tmp_path: Path) -> None:
    engine = tmp_path / "a.engine"
    for text in ("first", "second"):
        with atomic_pair(engine) as new:
            _write(new, text)
        assert _read(engine) == (text, f"{text} manifest")
        assert _names(tmp_path) == ["a.engine", "a.engine.json"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    engine = tmp_path / "a.engine"
    _write(engine, "old")

    def interrupted() -> None:
        with atomic_pair(engine) as new:
            _write(new, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert _read(engine) == ("old", "old manifest")
    assert _names(tmp_path) == ["a.engine", "a.engine.json"]


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_renaming_that_fails_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    engine = tmp_path / "a.engine"
    _write(engine, "old")
    real, calls = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError("no space")
        return real(self, target)

    def full() -> None:
        with atomic_pair(engine) as new:
            _write(new, "new")
            monkeypatch.setattr(Path, "replace", replace)

    with pytest.raises(OSError, match="no space"):
        full()
    monkeypatch.undo()
    assert _read(engine) == ("old", "old manifest")
    assert _names(tmp_path) == ["a.engine", "a.engine.json"]


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    engine = tmp_path / "a.engine"
    stale = tmp_path / ".a.tmp-999999999-0123abcd.engine"
    stale.mkdir()
    (stale / "a.engine").write_text("half")
    with atomic_pair(engine) as new:
        _write(new, "new")
    assert not stale.exists()


def test_a_manifest_alone_is_not_overwritten_unasked(tmp_path: Path) -> None:
    engine = tmp_path / "a.engine"
    beside(engine).write_text("someone's")
    with pytest.raises(UsageError, match=r"a.engine.json' exists: add --overwrite"):
        check_artifact("pair", engine, overwrite=False)
    check_artifact("pair", engine, overwrite=True)
