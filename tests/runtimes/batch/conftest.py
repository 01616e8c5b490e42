"""What the tests of runs over many pictures share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Entry:
    name: str


class FolderStore:
    def __init__(self, path: Path) -> None:
        self.path = path

    def spell(self, name: str = "") -> str:
        return str(self.path / name)

    def find(self, name: str) -> Entry | None:
        return Entry(name) if (self.path / name).is_file() else None

    def entries(self, below: str = "") -> list[Entry]:
        top = self.path / below
        return [Entry(f"{below}/{one.name}") for one in top.iterdir()] if top.is_dir() else []

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        yield self.path / name

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.tmp")
        yield temporary
        temporary.replace(target)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    return FolderStore(tmp_path / "out")
