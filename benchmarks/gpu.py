"""Measures a generator on a GPU beside the other ways to run it: torch, ONNX Runtime, TensorRT.

All rows are measured in one run that interleaves them, from arrays on the host to the result on
the host, as `lama-edge bench` measures. float32 is computed as float32 everywhere but in the rows
that say tf32.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lama_edge.benchmarks.bench.rows import DEFAULT_SIZE
from lama_edge.benchmarks.bench.run import Bench, BenchResult, run_bench
from lama_edge.benchmarks.documents.store import save_document
from lama_edge.benchmarks.gpu_entries import (
    ENTRIES,
    Device,
    GpuEntry,
    chosen,
    export,
    exported_path,
    require_runtime,
)
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.targets.base import Opening
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError, exit_code_of, one_line
from lama_edge.files import check_output
from lama_edge.judging.metrics import psnr_db
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.models.config import BIG_LAMA
from lama_edge.retired import add_retired, sets
from lama_edge.runtimes.model_files import located
from lama_edge.spec import Progress, Size, fixed_size, untold


@dataclass(frozen=True)
class GpuJob:
    """What `run_gpu` shall measure, and how.

    Attributes:
        checkpoint: a path or a name; None is big-lama's shape with seeded weights.
        device: ``cuda``, or ``cpu`` for the same without a GPU.
        size: of the picture, and of the exported files.
        entries: names from `gpu_entries.ENTRIES`; empty is all.
        rounds: how often each is measured, every time in a fresh process.
        min_runs: samples a round, at least.
        min_seconds: length of the sampling a round, at least, in seconds.
        min_warmup_ms: length of the warm-up, at least, in milliseconds: clocks have to rise.
        work: a folder for the files that are measured, which keeps them; None is a temporary one.
        timeout_s: how long one process may take, in seconds; None is for ever.
    """

    checkpoint: str | Path | None = EMBEDDED_NAME
    device: Device = "cuda"
    size: Size = DEFAULT_SIZE
    entries: tuple[str, ...] = ()
    rounds: int = 3
    min_runs: int = 30
    min_seconds: float = 3.0
    min_warmup_ms: float = 1000.0
    work: Path | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class GpuResult:
    """What `run_gpu` found.

    Attributes:
        names: the entries that were measured, in the order of the document's runs.
        left_out: the entries that could not be, each with the reason.
        psnr_db: how close each one's picture is to the first one's inside the hole, in whole
            levels; None where it is equal, or there is no picture.
        bench: the document, as `lama-edge bench` writes it, and the pictures.
    """

    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    psnr_db: tuple[float | None, ...]
    bench: BenchResult


def run_gpu(job: GpuJob, progress: Progress = untold) -> GpuResult:
    """Prepare the entries that can be measured here, and measure them interleaved.

    Args:
        job: what to do.
        progress: called with what is done next.

    Raises:
        UsageError: when an entry is unknown, or the work folder is not there.
        MissingBackendError: when nothing of what was asked for can be measured here.
        LamaEdgeError: when the checkpoint cannot be used.
    """
    if job.work is not None and not job.work.is_dir():
        raise UsageError(f"the folder {str(job.work)!r} does not exist: create it first")
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as temporary:
        folder = Path(temporary) if job.work is None else job.work
        checkpoint = _checkpoint(job, folder)
        files: dict[GpuEntry, Path] = {}
        left_out: list[tuple[str, str]] = []
        for entry in chosen(job.device, job.entries):
            try:
                require_runtime(entry)
                path = _file(entry, job.size, checkpoint, folder, files, progress)
                _check_starts(entry, path, job.timeout_s)
                files[entry] = path
            except LamaEdgeError as error:
                left_out.append((entry.name, one_line(error)))
                progress(f"left out: {entry.name}: {left_out[-1][1]}")
        if not files:
            reasons = "; ".join(dict.fromkeys(reason for _, reason in left_out))
            raise MissingBackendError(f"nothing can be measured on {job.device}: {reasons}")
        bench = Bench(
            models=tuple(files.values()),
            sizes=(job.size,),
            providers=tuple(entry.provider for entry in files),
            rounds=job.rounds,
            min_runs=job.min_runs,
            min_seconds=job.min_seconds,
            min_warmup_ms=job.min_warmup_ms,
            prove=False,  # rows in tf32 are meant to differ; the table tells by how much
            timeout_s=job.timeout_s,
        )
        result = run_bench(bench, progress)
    return GpuResult(
        tuple(entry.name for entry in files), tuple(left_out), _closeness(result), result
    )


def _file(
    entry: GpuEntry,
    size: Size,
    checkpoint: Path,
    folder: Path,
    made: Mapping[GpuEntry, Path],
    progress: Progress,
) -> Path:
    """Return the file that an entry measures, exported unless an earlier entry had it made."""
    if entry.form == "checkpoint":
        return checkpoint
    path = exported_path(entry, size, folder)
    if path not in made.values():
        progress(f"preparing {path.name}")
        export(entry, checkpoint, size, path)
    return path


def _check_starts(entry: GpuEntry, path: Path, timeout_s: float | None) -> None:
    """See to it that a provider of ONNX Runtime starts; it names some that then do not.

    Raises:
        LamaEdgeError: saying why it does not.
    """
    if entry.form != "onnx" or entry.provider == "cpu":
        return
    with open_target("local") as target:
        opening = Opening(entry.provider, target.default_threads(), timeout_s=timeout_s)
        target.describe(target.push(path), opening)


def _checkpoint(job: GpuJob, folder: Path) -> Path:
    if job.checkpoint is not None:
        return located(job.checkpoint)
    from lama_edge.models.seeded import save_seeded

    path = folder / "big-lama-shape.safetensors"
    if not path.exists():
        save_seeded(BIG_LAMA, path)
    return path


def _closeness(result: BenchResult) -> tuple[float | None, ...]:
    pictures = {picture.run: picture for picture in result.pictures}
    first = next(iter(pictures.values()), None)
    found: list[float | None] = []
    for index in range(len(result.document["runs"])):
        psnr = math.inf
        if first is not None and index in pictures:
            psnr = psnr_db(first.output[first.hole], pictures[index].output[first.hole])
        found.append(None if psnr == math.inf else psnr)
    return tuple(found)


def lines(result: GpuResult) -> Iterator[str]:
    """Render a result as lines of a table, times over the first row's beside it."""
    runs = result.bench.document["runs"]
    base = next((run["statistics"]["median_ms"] for run in runs if run["statistics"]), None)
    rows = [["entry", "runtime", "median", "spread", "p99", "over the first", "load", "PSNR"]]
    for name, run, psnr in zip(result.names, runs, result.psnr_db, strict=True):
        found = run["statistics"]
        if found is None or base is None:
            rows.append([name, run["runtime"] or figures.UNKNOWN, "failed", *[""] * 5])
            continue
        rows.append(
            [
                name,
                f"{run['runtime']} {run['provider']}",
                figures.duration(found["median_ms"]),
                figures.percent(found["spread"]),
                figures.duration(found["p99_ms"]),
                figures.ratio(found["median_ms"] / base),
                figures.duration(found["cold_load_ms"]),
                figures.decibels(psnr, missing="equal"),
            ]
        )
    yield from figures.table(rows)
    for name, run in zip(result.names, runs, strict=True):
        yield from (f"warning: {name}: {text}" for text in run["warnings"])
    yield from (f"left out: {name}: {reason}" for name, reason in result.left_out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the result.

    Args:
        arguments: the command line's; None takes those of the process.

    Returns:
        The exit code: 0 done; 2 when something was wrong, failed rows included; 3 nothing could
        be measured here; 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.json_out is not None:
        check_output(options.json_out)
    size = fixed_size(options.size)
    if options.seeded and options.checkpoint is not None:
        raise UsageError("--seeded is a checkpoint of its own: leave the other one out")
    job = GpuJob(
        checkpoint=None if options.seeded else options.checkpoint or EMBEDDED_NAME,
        device=options.device,
        size=size,
        entries=tuple(options.entries),
        rounds=options.rounds,
        min_runs=options.min_runs,
        min_seconds=options.min_seconds,
        work=options.work,
        timeout_s=options.timeout,
    )
    result = run_gpu(job, lambda stage: print(f"gpu: {stage}", file=sys.stderr))
    if options.json_out is not None:
        save_document(result.bench.document, options.json_out)
    for line in lines(result):
        print(line)
    failed = [
        (name, run["error"])
        for name, run in zip(result.names, result.bench.document["runs"], strict=True)
        if run["error"] is not None
    ]
    for name, error in failed:
        print(f"lama-edge: error: {name}: {error}", file=sys.stderr)
    return LamaEdgeError.exit_code if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lama_edge.benchmarks.gpu", description=__doc__)
    add = parser.add_argument
    add("checkpoint", nargs="?", help=f"path or name (default: {EMBEDDED_NAME})")
    add("--seeded", action="store_true", help="big-lama's shape with seeded weights instead")
    add("--device", choices=tuple(ENTRIES), default="cuda", help="(default: cuda)")
    add("--size", default="512", metavar="SIZE", help="of the picture (default: 512)")
    add("--entries", nargs="+", default=[], metavar="NAME", help="only these; default: all")
    add("--rounds", type=int, default=GpuJob.rounds, metavar="N", help="(default: 3)")
    add("--min-runs", type=int, default=GpuJob.min_runs, metavar="N", help="samples a round")
    add("--min-seconds", type=float, default=GpuJob.min_seconds, metavar="S", help="a round")
    add("--json-out", type=Path, metavar="RESULT.json", help="write the result, as bench does")
    add_retired(parser, "--out", "--json-out", sets("json_out"), takes=Path)
    add("--work", type=Path, metavar="FOLDER", help="keep the files that are measured here")
    add("--timeout", type=float, metavar="S", help="stop a process after this many seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
