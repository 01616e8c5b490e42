"""`lama-edge parity`, `bench` and `compare`: does it still compute the same, and how fast."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.benchmarks.targets.registry import add_target, target_options
from lama_edge.cli.opening import add_function, add_provider
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import decibels, milliseconds, print_json, steps
from lama_edge.errors import UsageError, one_line
from lama_edge.files import join_part
from lama_edge.runtimes.registry import checkpoint_runtimes
from lama_edge.spec import fixed_size

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
        help="checkpoint, or another model; default: the one that the models were exported from, "
        "where it is lama-tiny or a fetched one",
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
        "--masks", type=Path, metavar="DIR", help="their masks, by name; default: seeded ones"
    )
    add_provider(parity, "of the models; emulated rounds every result as fp16 devices do")
    add_target(parity)
    add_outputs(parity)
    parity.set_defaults(command=_parity)


def add_bench(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge bench`."""
    bench = commands.add_parser(
        "bench",
        parents=[common],
        help="measure latency and memory",
        description="Measure models, interleaved, each round in a fresh process: load, first run, "
        "warm latency, peak memory. Keep the machine quiet meanwhile.",
    )
    bench.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="exported models, checkpoints; MODEL#PART is one size of several in a package",
    )
    add_target(bench)
    bench.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="picture size for models of dynamic size, such as 512 or 512x768; may repeat",
    )
    add_provider(bench)
    add_function(bench)
    bench.add_argument("--threads", type=int, metavar="N", help="default: one a core")
    bench.add_argument("--rounds", type=int, default=3, metavar="N", help="(default: 3)")
    bench.add_argument(
        "--min-runs", type=int, default=10, metavar="N", help="timed runs a round (default: 10)"
    )
    bench.add_argument(
        "--min-seconds", type=float, default=3.0, metavar="S", help="a round (default: 3)"
    )
    bench.add_argument(
        "--cool-down", type=float, default=0.0, metavar="S", help="pause before every round"
    )
    add_outputs(bench)
    bench.add_argument(
        "--beside",
        action="append",
        type=Path,
        default=[],
        metavar="OTHER.json",
        help="show this result on the page too, of another device for example; may repeat",
    )
    bench.set_defaults(command=_bench)


def add_compare(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge compare`."""
    compare = commands.add_parser(
        "compare",
        parents=[common],
        help="compare two results of bench",
        description="Ratio of the medians with a 95 % confidence interval. Exit code 1 when "
        "something became slower.",
    )
    compare.add_argument("base", type=Path, metavar="BASE.json")
    compare.add_argument("new", type=Path, metavar="NEW.json")
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


def _bench(options: argparse.Namespace) -> int:
    from lama_edge.benchmarks.documents.store import load_bench

    check_outputs(options)
    if options.beside and options.report is None:
        raise UsageError("--beside shows other results on the page: add --report OUT.html")
    others = [load_bench(path) for path in options.beside]
    models = tuple(join_part(model, options.function) for model in options.models)
    sizes = tuple(fixed_size(token) for token in options.size or ())
    with steps() as (progress, expect):
        from lama_edge.benchmarks.bench.run import Bench, run_bench

        expect(len(options.models) * (1 + max(1, len(sizes)) * options.rounds))
        job = Bench(
            models=models,
            target=options.target,
            options=target_options(options),
            sizes=sizes,
            threads=options.threads,
            provider=options.provider,
            rounds=options.rounds,
            min_runs=options.min_runs,
            min_seconds=options.min_seconds,
            cool_down_s=options.cool_down,
        )
        result = run_bench(job, progress)

    def page() -> str:
        from lama_edge.benchmarks.reports.bench_page import bench_page

        return bench_page([result.document, *others], pictures=result.pictures)

    give(options, result.document, page, _bench_lines)
    runs = result.document["runs"]
    for run in () if options.json else runs:
        name = f"{run['model']['name']} at {run['size'] or 'no size'}"
        for warning in run["warnings"]:
            print(f"lama-edge: warning: {name}: {warning}", file=sys.stderr)
    # Everything is written by now; a script shall notice the failure all the same.
    if result.failures:
        first = next(run["error"] for run in runs if run["error"] is not None)
        print(
            f"lama-edge: error: {len(result.failures)} of {len(runs)} measurements failed: {first}",
            file=sys.stderr,
        )
    return result.exit_code


def _bench_lines(document: dict[str, Any]) -> Iterator[str]:
    rows = [["model", "runtime", "size", "median", "spread", "p90", "p99", "load", "peak memory"]]
    for run in document["runs"]:
        figures, purpose = run["statistics"], run["model"].get("for")
        about = [] if purpose is None else [f"for {purpose}"]
        if run["batch"] not in (None, 1):
            about.append(f"batch {run['batch']}")
        name = run["model"]["name"] + (f" ({', '.join(about)})" if about else "")
        if figures is None:
            rows.append([name, "-", run["size"] or "-", "failed", *["-"] * 5])
            continue
        runtime, provider = run["runtime"], run["provider"]
        if runtime.split()[0] != provider:  # NumPy has no devices to choose from
            runtime += f" {provider}"
        label = [name, runtime, run["size"]]
        peak = figures["peak_memory_bytes"]
        rows.append(
            [
                *label,
                milliseconds(figures["median_ms"]),
                f"{figures['spread']:.1%}",
                milliseconds(figures["p90_ms"]),
                milliseconds(figures["p99_ms"]),
                milliseconds(figures["load_ms"]),
                "-" if peak is None else f"{peak / 2**20:.0f} MiB",
            ]
        )
    yield from table(rows)


def _compare(options: argparse.Namespace) -> int:
    from lama_edge.benchmarks.bench.compare import compare
    from lama_edge.benchmarks.documents.store import load_bench

    comparison = compare(
        load_bench(options.base), load_bench(options.new), threshold=options.threshold / 100
    )
    if options.json:
        print_json(comparison.to_dict())
    else:
        for line in comparison.lines():
            print(line)
    return _FAILED if comparison.regressed else 0
