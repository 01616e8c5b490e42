"""Lets a consumer read files in a process of its own, and judges what it gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import lama_edge
from lama_edge.benchmarks.studies.consumers.cells import ModelFile
from lama_edge.benchmarks.studies.consumers.consumers import Consumer
from lama_edge.benchmarks.studies.consumers.prepare import Prepared
from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.judging.metrics import psnr_db
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME

_DRIVER = Path(__file__).with_name("readers") / "drive.py"
# For the consumer that is lama-edge's own runner in another environment.
_LAMA_EDGE = str(Path(lama_edge.__file__).parents[1])
# A level of 255: consumers round the same value otherwise, or one that lies a hair beside it.
_UINT8_TOLERANCE = 1.0
# How much of ONNX Runtime's own PSNR a file of low precision may lose.
_LOSS_DB = 3.0
# Of the last line of a process that died, in characters.
_LINE = 160


@dataclass(frozen=True)
class Reading:
    """What a consumer made of a file.

    Attributes:
        output: the output; None where there is none.
        outcome: where there is none by its fault: ``refused``, ``crashed`` or ``late``.
        note: what the reader says about it, or the reason.
    """

    output: Array | None = None
    outcome: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """A consumer's result on a file, judged.

    Attributes:
        outcome: ``right``, ``wrong``, ``refused`` (with an error), ``crashed``, ``late`` or
            ``counted``.
        max_abs_diff: from ONNX Runtime's output, in the output's own unit.
        psnr_db: in the hole, against torch's fill; None without an output, or when it is equal.
        onnxruntime_db: the same of ONNX Runtime's output.
        note: what the reader says, or the reason.
    """

    outcome: str
    max_abs_diff: float | None = None
    psnr_db: float | None = None
    onnxruntime_db: float | None = None
    note: str = ""


def read_files(
    consumer: Consumer, python: Path, prepared: Sequence[Prepared], folder: Path
) -> list[Reading]:
    """Let a consumer read files, one after the other in one process.

    Where that dies, the file it was at is the one it died of, and another process goes on.

    Args:
        consumer: who reads.
        python: the interpreter of its environment.
        prepared: the files.
        folder: a scratch folder.
    """
    readings: list[Reading] = []
    while len(readings) < len(prepared):
        left = prepared[len(readings) :]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            readings += _read_in_one_process(consumer, python, left, Path(scratch))
    return readings


def _read_in_one_process(
    consumer: Consumer, python: Path, prepared: Sequence[Prepared], folder: Path
) -> list[Reading]:
    """Return the readings up to the first file that the process did not end with."""
    jobs = [
        {
            "model": str(one.model.absolute()),
            "inputs": str(one.inputs.absolute()),
            "output": str(folder / f"{index}.npy"),
            "reply": str(folder / f"{index}.reply"),
        }
        for index, one in enumerate(prepared)
    ]
    request = folder / "jobs.json"
    request.write_text(json.dumps(jobs), encoding="utf-8")
    limit_s = consumer.timeout_s * len(jobs)
    try:
        done = subprocess.run(
            [str(python), str(_DRIVER), consumer.reader, consumer.variant, str(request)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": _LAMA_EDGE},
            timeout=limit_s,
        )
        end = _last_words(done)
    except subprocess.TimeoutExpired:
        end = Reading(outcome="late", note=f"not done after {limit_s:g} s")
    readings: list[Reading] = []
    for job in jobs:
        if not Path(job["reply"]).exists():
            return [*readings, end]
        readings.append(_reading(job))
    return readings


def _reading(job: Mapping[str, str]) -> Reading:
    answer = json.loads(Path(job["reply"]).read_text(encoding="utf-8"))
    output = Path(job["output"])
    if "error" in answer:
        said = answer["error"].replace(Path(job["model"]).name, "MODEL.onnx")
        return Reading(outcome="refused", note=anonymous(said))
    return Reading(np.load(output) if output.exists() else None, note=answer["note"])


def _last_words(done: subprocess.CompletedProcess[str]) -> Reading:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    how = (
        f"died of {signal.Signals(-done.returncode).name}"
        if done.returncode < 0
        else f"ended with {done.returncode}"
    )
    last = f"; its last line: {anonymous(lines[-1])[:_LINE]}" if lines else ""
    return Reading(outcome="crashed", note=f"its process {how}{last}")


def judge(consumer: Consumer, file: ModelFile, one: Prepared, reading: Reading) -> Cell:
    """Judge what a consumer made of a file against ONNX Runtime's output and torch's fill.

    Float outputs of fp32 files have the consumer's tolerance, uint8 ones a level; those of lower
    precision need the PSNR that exports are held to, or may lose 3 dB of what ONNX Runtime has.
    Known pixels are the input's in all.
    """
    if reading.outcome is not None:
        return Cell(reading.outcome, note=reading.note)
    if reading.output is None:
        return Cell("counted" if consumer.counts else "wrong", note=reading.note)
    if reading.output.shape != one.plain.shape:
        return Cell("wrong", note=f"the output's shape is {list(reading.output.shape)}")
    output = reading.output.astype(np.float64)
    off = float(np.abs(output - one.plain).max())
    quality, plain = _quality(output, file, one), _quality(one.plain, file, one)
    right = (
        off <= (_UINT8_TOLERANCE if file.io == "uint8" else consumer.fp32_tolerance)
        if file.precision == "fp32"
        else quality >= min(plain - _LOSS_DB, ONNXRUNTIME.tolerances[file.precision].psnr_db or 0)
    )
    known = ~one.case.hole
    note = reading.note
    if not np.array_equal(_pixels(output, file)[known], _pixels(one.plain, file)[known]):
        right, note = False, "known pixels are changed"
    return Cell("right" if right else "wrong", off, quality, plain, note)


def _pixels(output: Array, file: ModelFile) -> Array:
    """Return an output as [H,W,3]."""
    pixels: Array = output[0]
    return pixels if file.io == "uint8" else pixels.transpose(1, 2, 0)


def _quality(output: Array, file: ModelFile, one: Prepared) -> float:
    top = 255.0 if file.io == "uint8" else 1.0
    fill, hole = _pixels(output, file) / top, one.case.hole
    return round(float(psnr_db(one.reference[hole], fill[hole], peak=1.0)), 1)
