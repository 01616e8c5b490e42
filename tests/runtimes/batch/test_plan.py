"""What a run has to do, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge.runtimes.batch import plan
from lama_edge.runtimes.batch.plan import by_size
from lama_edge.runtimes.batch.work import Task
from lama_edge.stores.local import LocalStore


def test_pictures_of_like_size_follow_each_other_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [(30, 40), (10, 20), (30, 40), (10, 30), (10, 20), (50, 10), (10, 30)]
    names = []
    for number, (height, width) in enumerate(sizes):
        names.append(f"{number}.png")
        Image.fromarray(np.zeros((height, width), np.uint8)).save(tmp_path / names[-1])
    (tmp_path / "bad.png").write_bytes(b"no picture")
    tasks = [Task(at, name, "", "") for at, name in enumerate([*names, "bad.png", "gone.png"])]
    given = [task.number for task in by_size(tasks, LocalStore(tmp_path))]
    assert given == [7, 8, 1, 4, 3, 6, 0, 2, 5]

    monkeypatch.setattr(plan, "_ORDERED_TOGETHER", 4)
    given = [task.number for task in by_size(tasks, LocalStore(tmp_path))]
    assert given == [1, 3, 0, 2, 7, 4, 6, 5, 8]
