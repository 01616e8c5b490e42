"""Measures lama-edge beside the other ways to run big-lama's shape: ``make bench-peers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.store import PEERS, load_document, save_document
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.peers.document import merged
from lama_edge.benchmarks.studies.peers.run import (
    DYNAMIC_SIZES,
    ENTRY_SAMPLING,
    GROWTH_SIZES,
    LIMIT_POLICY,
    SECTION_SAMPLING,
    PeersJob,
    Sampling,
    run_peers,
)
from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.errors import LamaEdgeError, UsageError, exit_code_of
from lama_edge.files import check_output
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.spec import Size, parse_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table and write the result.

    Args:
        arguments: the command line's; None takes those of the process.

    Returns:
        The exit code: 0 done; 2 when something was wrong, failed rows included, after everything
        else was measured and written; 3 missing package; 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.json_out is not None:
        check_output(options.json_out)
    earlier = None
    if options.keep:
        if options.json_out is None:
            raise UsageError("--keep keeps sections of an earlier result: name it with --json-out")
        earlier = load_document(options.json_out, PEERS) if options.json_out.exists() else None
    document = run_peers(_job(options), lambda stage: print(f"peers: {stage}", file=sys.stderr))
    if earlier is not None:
        document = merged(document, earlier)
    if options.json_out is not None:
        save_document(document, options.json_out)
    if options.json:
        # Imported here because the command line stands above the benchmarks.
        import json

        print(json.dumps(document, indent=2, sort_keys=True))
    else:
        for line in lines(document):
            print(line)
    failed = [
        row for name in ("entries", "growth", "dynamic") for row in document[name] if row["error"]
    ]
    for row in failed:
        print(f"lama-edge: error: {row['name']}: {row['error']}", file=sys.stderr)
    return LamaEdgeError.exit_code if failed else 0


def _job(options: argparse.Namespace) -> PeersJob:
    policy = ENTRY_SAMPLING.policy
    section = SECTION_SAMPLING.policy
    return PeersJob(
        config=FfcResnetConfig(ngf=options.ngf, n_blocks=options.blocks),
        size=_size(options.size),
        threads=options.threads,
        entries=None if options.entries is None else tuple(options.entries),
        growth=_sizes(options.growth, GROWTH_SIZES),
        dynamic=_sizes(options.dynamic, DYNAMIC_SIZES),
        sampling=Sampling(
            options.rounds,
            Policy(options.min_warmup_runs, policy.min_warmup_ms, options.min_runs, 0.0),
        ),
        section_sampling=Sampling(
            options.section_rounds,
            Policy(section.min_warmup_runs, 0.0, section.min_runs, options.section_seconds),
        ),
        limit_policy=Policy(
            LIMIT_POLICY.min_warmup_runs,
            LIMIT_POLICY.min_warmup_ms,
            LIMIT_POLICY.min_runs,
            options.limit_seconds,
        ),
        work=options.work,
        timeout_s=options.timeout,
    )


def _sizes(asked: Sequence[str] | None, default: tuple[Size, ...]) -> tuple[Size, ...]:
    """Return the sizes of a section: none without its flag, the usual ones without a value."""
    if asked is None:
        return ()
    return tuple(_size(token) for token in asked) or default


def _size(token: str) -> Size:
    size = parse_size(token)
    if size is None:
        raise UsageError("a measurement needs a size: give 512 or 512x768, not dynamic")
    return size


def lines(document: dict[str, Any]) -> Iterator[str]:
    """Render the document as lines of a table for each section that was measured."""
    headings = {
        "entries": ("entry", "over lama-edge"),
        "growth": ("growth", "per pixel, over the first"),
        "dynamic": ("fixed and dynamic graph", "over fixed"),
    }
    for section, (title, ratio) in headings.items():
        if document[section]:
            head = [title, "median", "spread", ratio, "first run", "peak memory", "file"]
            yield from _aligned([head, *(_cells(row) for row in document[section])])
            yield ""
    for row in document["entries"]:
        if row["limit"] is not None:
            yield (
                f"{row['limit']['gflop']:.1f} GFLOP; the fastest convolution is "
                f"{row['limit']['fastest']}: {row['limit']['gflop_per_s']:.0f} GFLOP/s"
            )
    for one in document["left_out"]:
        yield f"left out: {one['name']}, {one['needs']} is not installed"
    for section in headings:
        for row in document[section]:
            yield from (f"warning: {row['name']}: {text}" for text in row["warnings"])


def _cells(row: dict[str, Any]) -> list[str]:
    if row["error"] is not None:
        return [row["name"], "failed", *[figures.UNKNOWN] * 5]
    first_run_ms = None if row["first_run_s"] is None else row["first_run_s"] * 1e3
    return [
        row["name"],
        figures.duration(row["median_s"] * 1e3),
        figures.percent(row["spread"]),
        figures.ratio(row["ratio"]),
        figures.duration(first_run_ms),
        figures.memory(row["peak_bytes"]),
        figures.file_size(row["file_bytes"]),
    ]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.benchmarks.studies.peers", description=__doc__
    )
    add = parser.add_argument
    add("--entries", nargs="*", metavar="NAME", help="only these; without a name, none")
    add("--growth", nargs="*", metavar="SIZE", help="also time per pixel (512, 1024, 2048)")
    add("--dynamic", nargs="*", metavar="SIZE", help="also the dynamic graph (512, 1024)")
    add("--json-out", type=Path, metavar="RESULT.json", help="write the result")
    add("--keep", action="store_true", help="keep sections of --json-out that are not measured now")
    add("--json", action="store_true", help="print the result as JSON")
    add("--size", default="512", metavar="SIZE", help="of the entries' picture (default: 512)")
    add("--threads", type=int, default=2, metavar="N", help="default: 2")
    add("--rounds", type=int, default=ENTRY_SAMPLING.rounds, metavar="N", help="default: 5")
    policy = ENTRY_SAMPLING.policy
    add("--min-runs", type=int, default=policy.min_runs, metavar="N", help="samples a round")
    add("--min-warmup-runs", type=int, default=policy.min_warmup_runs, metavar="N")
    add("--section-rounds", type=int, default=SECTION_SAMPLING.rounds, metavar="N",
        help="rounds of growth and dynamic (default: 2)")  # fmt: skip
    add("--section-seconds", type=float, default=SECTION_SAMPLING.policy.min_seconds,
        metavar="S", help="their sampling a round, at least")  # fmt: skip
    add("--limit-seconds", type=float, default=LIMIT_POLICY.min_seconds, metavar="S",
        help="sampling of each convolution a round, at least")  # fmt: skip
    add("--blocks", type=int, default=BIG_LAMA.n_blocks, metavar="N", help="residual blocks")
    add("--ngf", type=int, default=BIG_LAMA.ngf, metavar="N", help="channels after the stem")
    add("--work", type=Path, metavar="FOLDER", help="keep the files that are measured here")
    add("--timeout", type=float, metavar="S", help="stop a process after this many seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
