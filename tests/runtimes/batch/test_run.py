"""A run over several workers of this machine: results, bad pictures, deaths, and going on."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from many_pictures import Folders, files_of

from lama_edge.errors import LamaEdgeError
from lama_edge.runtimes.batch.progress import Progress
from lama_edge.runtimes.batch.record import Record
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.run import inpaint_many
from lama_edge.stores.local import LocalStore

# Put before everything else that a worker imports: kills it where a picture's name says so.
KILLER = """
import os, signal, sys
if "lama_edge.runtimes.batch.child" in sys.orig_argv:
    from lama_edge.runtimes.batch import work
    perform = work.Work.perform
    def deadly(self, task):
        if os.path.basename(task.picture) == os.environ["DEADLY"]:
            os.kill(os.getpid(), signal.SIGSEGV)
        return perform(self, task)
    work.Work.perform = deadly
"""


def rows_of(output: Path) -> dict[str, Row]:
    return {row.picture: row for row in Record(LocalStore(output), resume=True).earlier().values()}


def children() -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if "lama_edge.runtimes.batch.child" in one.cmdline()
    ]


def test_results_are_those_of_one_process(some: Folders, tmp_path: Path) -> None:
    seen: list[Progress] = []
    summary = inpaint_many(some.job(tmp_path, workers=2), seen.append)
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
    pictures, output = tmp_path / "pictures", tmp_path / "out"
    shutil.copytree(some.pictures, pictures)
    job = some.job(output, workers=2, resume=True)
    job = replace(job, pictures=str(pictures))
    inpaint_many(job)
    times = {name: (output / name).stat().st_mtime_ns for name in some.expected}
    again, gone, touched, *_ = sorted(some.expected)
    rows = {row.result: row for row in rows_of(output).values()}
    (pictures / rows[again].picture).write_bytes((pictures / rows[touched].picture).read_bytes())
    (output / gone).unlink()
    os.utime(pictures / rows[touched].picture)

    summary = inpaint_many(job)

    assert (summary.written, summary.unchanged) in ((1, len(times) - 1), (2, len(times) - 2))
    now = {name: (output / name).stat().st_mtime_ns for name in files_of(output)}
    assert {name for name, time in now.items() if times.get(name) != time} <= {again, gone}
    assert files_of(output)[gone] == some.expected[gone]


def test_a_picture_that_kills_its_worker_twice_is_an_error_row(
    some: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    deadly = next(one for one in sorted(os.listdir(some.pictures)) if one.endswith(".png"))
    monkeypatch.setenv("DEADLY", deadly)
    output = tmp_path / "out"
    summary = inpaint_many(some.job(output, workers=2))
    assert summary.failed.keys() == {*some.bad, deadly}
    assert "killed its worker 2 times" in summary.failed[deadly]
    assert "SIGSEGV" in summary.failed[deadly]
    assert rows_of(output)[deadly].attempts == 2
    expected = {k: v for k, v in some.expected.items() if k not in rows_of(output)[deadly].result}
    assert files_of(output) == expected


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
    with pytest.raises(LamaEdgeError, match="damaged"):
        inpaint_many(job)
    assert children() == []
