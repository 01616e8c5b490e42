"""Arrays that processes hand each other as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def save_arrays(path: Path, arrays: Iterable[NDArray[Any]]) -> None:
    """Write arrays to a file, to be read by `load_arrays`."""
    np.savez(path, *arrays)


def load_arrays(path: Path) -> Iterator[NDArray[Any]]:
    """Give the arrays of a file in their order, each read when its turn comes."""
    with np.load(path, allow_pickle=False) as file:
        for number in range(len(file.files)):
            yield file[f"arr_{number}"]
