"""Models of two files: both or neither, and what was there before stays until then.

An engine has its manifest beside it, an OpenVINO model its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lama_edge.errors import UsageError
from lama_edge.files import (
    ArtifactKind,
    atomic_artifact,
    beside,
    check_artifact,
    weights_beside,
)


@dataclass(frozen=True)
class Pair:
    """A kind of two files, and where both stand."""

    kind: ArtifactKind
    path: Path
    second: Callable[[Path], Path]

    def write(self, text: str, path: Path | None = None) -> None:
        """Write both files, by default where they shall stand."""
        path = path or self.path
        path.write_text(text)
        self.second(path).write_text(f"{text} second")

    def read(self) -> tuple[str, str]:
        return self.path.read_text(), self.second(self.path).read_text()

    def lying(self) -> list[Path]:
        """What lies in the folder."""
        return sorted(self.path.parent.iterdir())

    @property
    def files(self) -> list[Path]:
        return sorted([self.path, self.second(self.path)])


@pytest.fixture(params=["pair", "split"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    if request.param == "pair":
        return Pair("pair", tmp_path / "a.engine", beside)
    return Pair("split", tmp_path / "a.xml", weights_beside)


def test_where_the_second_file_stands(tmp_path: Path) -> None:
    assert beside(tmp_path / "a.b.engine") == tmp_path / "a.b.engine.json"
    assert weights_beside(tmp_path / "a.b.xml") == tmp_path / "a.b.bin"


def test_both_files_stand_at_the_end_and_nothing_else(pair: Pair) -> None:
    for text in ("first", "second"):
        with atomic_artifact(pair.kind, pair.path) as new:
            pair.write(text, new)
        assert pair.read() == (text, f"{text} second")
        assert pair.lying() == pair.files


def test_a_failure_leaves_what_was_there(pair: Pair) -> None:
    pair.write("old")

    def interrupted() -> None:
        with atomic_artifact(pair.kind, pair.path) as new:
            pair.write("new", new)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert pair.read() == ("old", "old second")
    assert pair.lying() == pair.files


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_renaming_that_fails_is_undone(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    pair.write("old")
    real, calls = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError("no space")
        return real(self, target)

    def full() -> None:
        with atomic_artifact(pair.kind, pair.path) as new:
            pair.write("new", new)
            monkeypatch.setattr(Path, "replace", replace)

    with pytest.raises(OSError, match="no space"):
        full()
    monkeypatch.undo()
    assert pair.read() == ("old", "old second")
    assert pair.lying() == pair.files


@pytest.mark.parametrize("renamings", [1, 2, 3])
def test_a_run_that_is_killed_between_renamings_leaves_no_mixed_pair(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, renamings: int
) -> None:
    """One file is missing then, which every runner says."""
    pair.write("old")
    real, calls = Path.replace, 0
    seen: list[list[Path]] = []

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        done = real(self, target)
        calls += 1
        if calls == renamings:
            seen.append([one for one in pair.files if one.exists()])
        return done

    with atomic_artifact(pair.kind, pair.path) as new:
        pair.write("new", new)
        monkeypatch.setattr(Path, "replace", replace)
    assert [len(there) for there in seen] == [{1: 1, 2: 0, 3: 1}[renamings]]


def test_what_a_killed_run_left_is_removed(pair: Pair) -> None:
    stale = pair.path.with_name(f".a.tmp-999999999-0123abcd{pair.path.suffix}")
    stale.mkdir()
    (stale / pair.path.name).write_text("half")
    with atomic_artifact(pair.kind, pair.path) as new:
        pair.write("new", new)
    assert not stale.exists()


def test_a_manifest_alone_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.engine"
    beside(path).write_text("someone's")
    with pytest.raises(UsageError, match=r"a\.engine\.json' exists: add overwrite=True"):
        check_artifact("pair", path, overwrite=False, split_suffixes=())
    check_artifact("pair", path, overwrite=True, split_suffixes=())


@pytest.mark.parametrize("overwrite", [False, True])
def test_weights_that_are_another_models_are_never_replaced(
    tmp_path: Path, overwrite: bool
) -> None:
    """A ``.bin`` may be any program's, and `--overwrite` is no advice then."""
    one, other, weights = (tmp_path / f"a{suffix}" for suffix in (".xml", ".param", ".bin"))

    def check(path: Path, overwrite: bool) -> None:
        check_artifact("split", path, overwrite=overwrite, split_suffixes=(".xml", ".param"))

    weights.write_text("a checkpoint, for all we know")
    with pytest.raises(UsageError, match=r"a\.bin' would be replaced and is without a 'a\.xml'"):
        check(one, overwrite)
    one.write_text("a model")
    check(one, overwrite=True)
    with pytest.raises(UsageError, match=r"a\.bin' would be replaced and belongs to 'a\.xml'"):
        check(other, overwrite)
    other.write_text("another model")
    for path in (one, other):
        with pytest.raises(UsageError, match=r"would be replaced and belongs to 'a\.(xml|param)'"):
            check(path, overwrite=True)
