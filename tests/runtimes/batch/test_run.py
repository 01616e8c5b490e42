"""A run over several workers of this machine: results, bad pictures, deaths, and going on."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from many_pictures import Folders, change_children, children, files_of, rows_of
from PIL import Image

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.files import temporary_name
from lama_edge.imaging.masks import MaskRules
from lama_edge.runtimes.batch.engine import Engine
from lama_edge.runtimes.batch.progress import Progress
from lama_edge.runtimes.batch.record import PARTS
from lama_edge.runtimes.batch.run import inpaint_many

# Kills a worker where a picture's name says so.
KILLER = """
import os, signal
from lama_edge.runtimes.batch import work
perform = work.Work.perform
def deadly(self, task):
    if os.path.basename(task.picture) == os.environ["DEADLY"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return perform(self, task)
work.Work.perform = deadly
"""


def test_results_are_those_of_one_process(some: Folders, tmp_path: Path) -> None:
    seen: list[Progress] = []
    listening: set[str] = set()

    def look(progress: Progress) -> None:
        seen.append(progress)
        for one in psutil.Process().net_connections("inet"):
            if one.status == psutil.CONN_LISTEN:
                listening.add(one.laddr.ip)

    job = some.job(tmp_path, workers=2)
    paths = {name: Path(getattr(job, name)) for name in ("model", "pictures", "masks", "output")}
    summary = inpaint_many(replace(job, **paths), look)  # type: ignore[arg-type]
    assert listening == set()
    assert files_of(tmp_path) == some.expected
    assert summary.failed == some.messages
    rows = rows_of(tmp_path)
    assert {name for name, row in rows.items() if row.status == "failed"} == set(some.bad)
    assert {name: row.error for name, row in rows.items() if row.error} == some.messages
    good = [row for row in rows.values() if row.status == "written"]
    assert len(good) == summary.written == len(some.expected)
    assert {row.attempts for row in good} == {1}
    assert len({row.worker for row in good}) == 2
    assert all(row.windows and row.seconds > 0 and row.hole_share for row in good)
    assert {row.result for row in good} == set(some.expected)
    assert seen[-1].done == seen[-1].total == len(rows)
    assert children() == []


def test_what_is_done_and_unchanged_is_not_done_again(some: Folders, tmp_path: Path) -> None:
    masks, output = tmp_path / "masks", tmp_path / "out"
    shutil.copytree(some.masks, masks)
    job = replace(some.job(output, workers=2, resume=True), masks=str(masks))
    inpaint_many(job)
    times = {name: (output / name).stat().st_mtime_ns for name in some.expected}
    rows = {row.result: row for row in rows_of(output).values()}
    changed, gone, replaced, touched, copied, *_ = sorted(some.expected)
    with Image.open(masks / rows[changed].mask) as mask:
        mask.transpose(Image.Transpose.ROTATE_180).save(masks / rows[changed].mask)
    (output / gone).unlink()
    # As of a run with other options that was killed before it kept the row.
    (output / replaced).write_bytes(some.expected[replaced][::-1])
    (output / copied).write_bytes(some.expected[copied])
    times[copied] = (output / copied).stat().st_mtime_ns
    os.utime(masks / rows[touched].mask)

    summary = inpaint_many(job)

    assert (summary.written, summary.unchanged) == (3, len(times) - 3)
    assert summary.failed.keys() == set(some.bad)
    now = {name: (output / name).stat().st_mtime_ns for name in files_of(output)}
    assert {name for name, time in now.items() if times[name] != time} == {changed, gone, replaced}
    assert {name for name, data in files_of(output).items() if data != some.expected[name]} == {
        changed
    }
    assert all(row.status != "unchanged" for row in rows_of(output).values())

    summary = inpaint_many(job)
    assert (summary.written, summary.unchanged) == (0, len(times))
    summary = inpaint_many(replace(job, mask_rules=MaskRules(grow=2)))
    assert summary.written == len(times)


def test_a_picture_that_kills_its_worker_twice_is_an_error_row(
    some: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_children(tmp_path, monkeypatch, KILLER)
    deadly = min(path.name for path in some.pictures.glob("*.png"))
    monkeypatch.setenv("DEADLY", deadly)
    output = tmp_path / "out"
    summary = inpaint_many(some.job(output, workers=2))
    assert summary.failed.keys() == {*some.bad, deadly}
    assert "killed its worker 2 times" in summary.failed[deadly]
    assert "SIGSEGV" in summary.failed[deadly]
    assert rows_of(output)[deadly].attempts == 2
    without = rows_of(output)[deadly].result
    assert files_of(output) == {k: v for k, v in some.expected.items() if k != without}


def test_a_worker_that_is_killed_is_replaced(some: Folders, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if progress.done >= 4 and not killed:
            victim = children()[0]
            os.kill(victim.pid, signal.SIGKILL)
            killed.append(victim.pid)

    summary = inpaint_many(some.job(tmp_path, workers=2), kill)
    assert killed
    assert files_of(tmp_path) == some.expected
    assert summary.failed == some.messages


def test_a_model_that_no_worker_can_open_ends_the_run(some: Folders, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(some.model.read_bytes()[:1000])
    job = some.job(tmp_path / "out", workers=2)
    job = replace(job, model=str(model))
    with pytest.raises(LamaEdgeError, match="cannot open"):
        inpaint_many(job)
    assert children() == []


def test_an_interrupted_run_ends_without_a_word(
    some: Folders,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = logging.getLogger("distributed.client")  # its records go to stderr, and no further
    monkeypatch.setattr(log, "handlers", [caplog.handler])
    # As where pictures are done in the very moment in which the run ends.
    monkeypatch.setattr(Engine, "_end", lambda *_: None)

    def stop(progress: Progress) -> None:
        if progress.done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inpaint_many(some.job(tmp_path, workers=2), stop)
    # What goes wrong on a thread of Dask's while it ends is nothing to tell of.
    assert not caplog.records


def test_a_second_run_into_a_folder_is_refused_while_the_first_lasts(
    some: Folders, tmp_path: Path
) -> None:
    refused: list[UsageError] = []

    def again(progress: Progress) -> None:
        if not refused:
            with pytest.raises(UsageError, match="another run writes to ") as told:
                inpaint_many(some.job(tmp_path, workers=1, resume=True))
            refused.append(told.value)

    inpaint_many(some.job(tmp_path, workers=1), again)
    assert refused
    half = tmp_path / PARTS / re.sub(r"-\d+-", "-999999999-", temporary_name("part-000001.parquet"))
    half.parent.mkdir()
    half.write_bytes(b"PAR1")  # as of a driver that was killed while it wrote
    assert len(rows_of(tmp_path)) == len(some.expected) + len(some.bad)
    summary = inpaint_many(some.job(tmp_path, workers=1000, resume=True))
    assert summary.unchanged == len(some.expected)
    assert not half.parent.exists()
    assert summary.workers <= len(some.bad), "more workers than pictures are none"
