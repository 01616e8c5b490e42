"""What the tests of runs over many pictures share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge.stores.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")
