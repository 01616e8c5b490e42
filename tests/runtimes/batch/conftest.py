"""Runs over many pictures: a store, a small model, folders, and what one process makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from many_pictures import Folders, make_folders

from lama_edge.stores.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


@pytest.fixture(scope="session")
def some(tmp_path_factory: pytest.TempPathFactory, exported: Callable[..., Path]) -> Folders:
    """A few pictures, two of them bad."""
    return make_folders(tmp_path_factory.mktemp("some"), exported(), 24, 2)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, exported: Callable[..., Path]) -> Folders:
    """Three hundred pictures, ten of them bad."""
    return make_folders(tmp_path_factory.mktemp("many"), exported(), 300, 10)
