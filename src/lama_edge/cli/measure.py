"""`lama-edge parity` and `compare`: does it still compute the same, and as fast."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.benchmarks.targets.registry import add_target, target_options
from lama_edge.cli.opening import add_provider, add_threads
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import decibels, print_json, steps
from lama_edge.errors import LamaEdgeError, UsageError, one_line, worst_exit_code
from lama_edge.runtimes.registry import checkpoint_runtimes

_FAILED = 1


def add_parity(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge parity`."""
    parity = commands.add_parser(
        "parity",
        parents=[common],
        help="check that models compute what a reference computes",
        description="Run models and a reference on the same pictures, each in a process of its "
        "own, and compare the results inside the holes. A package of several sizes is judged part "
        "by part, unless MODEL#PART names one. Exit code 1 when one is out of tolerance.",
    )
    parity.add_argument("models", nargs="+", metavar="MODEL", help="exported models, checkpoints")
    parity.add_argument(
        "--reference",
        metavar="CHECKPOINT",
        help="checkpoint, or another model (default: the one that the models were exported from, "
        "where it is lama-tiny or a fetched one)",
    )
    parity.add_argument(
        "--reference-runtime",
        choices=[*checkpoint_runtimes()],
        help="what runs the reference, a checkpoint (default: numpy)",
    )
    parity.add_argument(
        "--images", type=Path, metavar="DIR", help="judge on these pictures as well"
    )
    parity.add_argument(
        "--masks", type=Path, metavar="DIR", help="their masks, by name (default: seeded ones)"
    )
    add_provider(parity, "of the models; emulated rounds every result as fp16 devices do")
    add_threads(parity)
    add_target(parity)
    add_outputs(parity)
    parity.set_defaults(command=_parity)


def add_compare(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge compare`."""
    compare = commands.add_parser(
        "compare",
        parents=[common],
        help="compare two results of bench, or of a fleet",
        description="Ratio of the medians with a 95 % confidence interval. Exit code 1 when "
        "something became slower.",
    )
    compare.add_argument("base", type=Path, metavar="BASE.json", help="the result to compare with")
    compare.add_argument("new", type=Path, metavar="NEW.json", help="the result to judge")
    compare.add_argument(
        "--threshold",
        type=float,
        default=2.0,
        metavar="PERCENT",
        help="slower by less than this is no regression (default: 2)",
    )
    compare.set_defaults(command=_compare)


def _parity(options: argparse.Namespace) -> int:
    check_outputs(options)
    with steps() as (progress, expect):
        from lama_edge.benchmarks.parity.check import ParityCheck, check_parity

        expect(len(options.models) + 1)
        job = ParityCheck(
            models=tuple(options.models),
            reference=options.reference,
            reference_runtime=options.reference_runtime,
            images=options.images,
            masks=options.masks,
            provider=options.provider,
            threads=options.threads,
            target=options.target,
            options=target_options(options),
        )
        result = check_parity(job, progress)

    def page() -> str:
        from lama_edge.benchmarks.reports.parity_page import parity_page

        return parity_page(result.document, pictures=result.pictures)

    give(options, result.document, page, _parity_lines)
    return 0 if result.passed else _FAILED


def _parity_lines(document: dict[str, Any]) -> Iterator[str]:
    from lama_edge.benchmarks.documents.verdicts import parity_verdict

    reference = document["reference"]
    yield f"against {reference['name']} in {reference['runtime']}, inside the holes:"
    rows = [["model", "runtime", "", "max diff", "tolerance", "PSNR", "SNR", "SSIM", "cases"]]
    for row in document["models"]:
        worst = row["worst"]
        verdict = "passed" if row["passed"] else "FAILED"
        if worst is None:
            rows.append([row["model"]["name"], row["runtime"] or "-", verdict, *["-"] * 6])
            continue
        rows.append(
            [
                row["model"]["name"],
                row["runtime"],
                verdict,
                f"{worst['max_abs_diff']:.1e}",
                f"{row['tolerance']:.0e}",
                decibels(worst["psnr_db"]),
                decibels(worst["snr_db"]),
                "-" if worst["ssim"] is None else f"{worst['ssim']:.5f}",
                str(len(row["cases"])),
            ]
        )
    yield from table(rows)
    for row in document["models"]:
        name = row["model"]["name"]
        if row["error"] is not None:
            yield f"{name}: {one_line(row['error'])}"
        if row["worst"] is not None and not row["passed"]:
            judged = parity_verdict(row)
            yield f"{name}: {judged}"
            if "difference too large" in judged.reasons:
                needed = row["tolerance_needed"]
                yield f"{name}: a tolerance of {needed:.1e} would have been needed"
        first = row["first_difference"]
        if first is not None:
            by = first["max_abs_diff"]
            how = "by its shape or by values not finite" if by is None else f"by {by:.1e}"
            place = f"{first['tensor']} ({first['op']})"
            yield f"{name}: the first tensor that differs is {place}, {how}"


def _compare(options: argparse.Namespace) -> int:
    from lama_edge.benchmarks.bench.compare import compare
    from lama_edge.benchmarks.documents.store import BENCH, FLEET, load_document

    base, new = (load_document(path, BENCH, FLEET) for path in (options.base, options.new))
    if base["kind"] != new["kind"]:
        raise UsageError(
            "one document is of a single device and one of a fleet: compare two of the same kind"
        )
    threshold = options.threshold / 100
    if base["kind"] == FLEET:
        return _compare_fleets(base, new, threshold, as_json=options.json)
    comparison = compare(base, new, threshold=threshold)
    if options.json:
        print_json(comparison.to_dict())
    else:
        for line in comparison.lines():
            print(line)
    return _FAILED if comparison.regressed else 0


def _compare_fleets(
    base: dict[str, Any], new: dict[str, Any], threshold: float, *, as_json: bool
) -> int:
    from lama_edge.benchmarks.fleet.compare import compare_fleets

    found = compare_fleets(base, new, threshold=threshold)
    done = {name: one for name, one in found.items() if not isinstance(one, LamaEdgeError)}
    if as_json:
        print_json({"devices": {name: one.to_dict() for name, one in done.items()}})
    else:
        for name, one in done.items():
            for line in one.lines():
                print(f"{name}: {line}")
    refused = {name: one for name, one in found.items() if isinstance(one, LamaEdgeError)}
    for name, error in refused.items():
        print(f"lama-edge: error: {name}: {one_line(error)}", file=sys.stderr)
    regressed = any(one.regressed for one in done.values())
    return worst_exit_code([_FAILED] * regressed + [one.exit_code for one in refused.values()])
