"""Measures lama-edge beside the other ways to run big-lama's shape: ``make bench-peers``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.store import save_document
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.peers.document import SECTIONS, cells
from lama_edge.benchmarks.studies.peers.run import (
    DYNAMIC_SIZES,
    ENTRY_SAMPLING,
    GROWTH_SIZES,
    SECTION_SAMPLING,
    PeersJob,
    prepare_peers,
    run_peers,
)
from lama_edge.errors import LamaEdgeError, UsageError, exit_code_of
from lama_edge.files import check_output, make_folder
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.spec import Size, fixed_size


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
    if options.prepare and options.files is None:
        raise UsageError("--prepare makes files for later: name their folder with --files")
    if options.json_out is not None:
        check_output(options.json_out)
    if options.files is not None:
        make_folder(options.files)

    def progress(stage: str) -> None:
        print(f"peers: {stage}", file=sys.stderr)

    if options.prepare:
        unmade = prepare_peers(_job(options), progress)
        for name, error in unmade.items():
            print(f"lama-edge: error: {name}: {error}", file=sys.stderr)
        return LamaEdgeError.exit_code if unmade else 0
    document = run_peers(_job(options), progress)
    if options.json_out is not None:
        save_document(document, options.json_out)
    for line in lines(document):
        print(line)
    failed = [row for name in SECTIONS for row in document[name] if row["error"]]
    for row in failed:
        print(f"lama-edge: error: {row['name']}: {row['error']}", file=sys.stderr)
    return LamaEdgeError.exit_code if failed else 0


def _job(options: argparse.Namespace) -> PeersJob:
    return PeersJob(
        config=FfcResnetConfig(ngf=options.ngf, n_blocks=options.blocks),
        size=fixed_size(options.size),
        threads=options.threads,
        entries=None if options.entries is None else tuple(options.entries),
        growth=_sizes(options.growth, GROWTH_SIZES),
        dynamic=_sizes(options.dynamic, DYNAMIC_SIZES),
        sampling=replace(ENTRY_SAMPLING, rounds=options.rounds),
        section_sampling=replace(SECTION_SAMPLING, rounds=options.section_rounds),
        files=options.files,
        timeout_s=options.timeout,
    )


def _sizes(asked: Sequence[str] | None, default: tuple[Size, ...]) -> tuple[Size, ...]:
    """Return the sizes of a section: none without its flag, the usual ones without a value."""
    if asked is None:
        return ()
    return tuple(fixed_size(token) for token in asked) or default


def lines(document: dict[str, Any]) -> Iterator[str]:
    """Render the document as lines of a table for each section that was measured."""
    headings = {
        "entries": ("entry", "over lama-edge"),
        "growth": ("growth", "per pixel, over the first"),
        "dynamic": ("fixed and dynamic graph", "over fixed"),
    }
    for section, (title, ratio) in headings.items():
        if document[section]:
            heads = [title, "Median", "Spread", ratio, "First run", "Peak memory", "File"]
            yield from figures.table(cells(document[section], heads))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.benchmarks.studies.peers", description=__doc__
    )
    add = parser.add_argument
    add("--entries", nargs="*", metavar="NAME", help="only these; without a name, none")
    add("--growth", nargs="*", metavar="SIZE", help="also time per pixel (512, 1024, 2048)")
    add("--dynamic", nargs="*", metavar="SIZE", help="also the dynamic graph (512, 1024)")
    add("--json-out", type=Path, metavar="RESULT.json", help="write the result")
    add("--files", type=Path, metavar="DIR",
        help="keep the files there; those that are there already are not made again")  # fmt: skip
    add("--prepare", action="store_true", help="make the files and measure nothing")
    add("--size", default="512", metavar="SIZE", help="of the entries' picture (default: 512)")
    add("--threads", type=int, default=2, metavar="N", help="default: 2")
    add("--rounds", type=int, default=ENTRY_SAMPLING.rounds, metavar="N", help="default: 5")
    add("--section-rounds", type=int, default=SECTION_SAMPLING.rounds, metavar="N",
        help="rounds of growth and dynamic (default: 2)")  # fmt: skip
    add("--blocks", type=int, default=BIG_LAMA.n_blocks, metavar="N", help="residual blocks")
    add("--ngf", type=int, default=BIG_LAMA.ngf, metavar="N", help="channels after the stem")
    add("--timeout", type=float, metavar="S", help="stop a process after this many seconds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
