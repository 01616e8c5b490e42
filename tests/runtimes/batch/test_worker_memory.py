"""What a worker holds between two pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from lama_edge.runtimes.batch.job import InpaintMany, options_text
from lama_edge.runtimes.batch.slot import Slot
from lama_edge.runtimes.batch.work import Setup, Task
from lama_edge.runtimes.model_files import model_sha256

SIDES = (96, 104, 112, 640, 656, 672)
FEW = 3


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_a_worker_is_no_larger_after_large_pictures_than_after_small_ones(
    exported: Callable[..., Path], tmp_path: Path
) -> None:
    pictures, masks, output = (tmp_path / name for name in ("pictures", "masks", "out"))
    for folder in (pictures, masks, output):
        folder.mkdir()
    random = np.random.default_rng(0)
    for side in SIDES:
        coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), np.uint8))
        coarse.resize((side, side)).save(pictures / f"{side}.png")
        mask = Image.new("L", (side, side))
        mask.paste(255, (8, 8, side - 8, side // 2))
        mask.save(masks / f"{side}.png")
    model = exported(None)
    job = InpaintMany(str(model), *map(str, (pictures, masks, output)), threads=1)
    slot = Slot(Setup("run", job, model_sha256(model), options_text(job), False), "one")
    held = []
    try:
        for number, side in enumerate(SIDES):
            name = f"{side}.png"
            row = slot.perform(Task(number, name, name, name))
            assert row.status == "written"
            held.append(psutil.Process(slot.process).memory_info().rss)
    finally:
        slot.close()
    assert slot.process is None
    assert max(held[FEW:]) < 1.1 * max(held[:FEW]), held
