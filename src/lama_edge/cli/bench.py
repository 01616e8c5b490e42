"""`lama-edge bench`: how fast, how large, and whether it computed the right thing meanwhile."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.benchmarks.documents.verdicts import is_wrong
from lama_edge.benchmarks.reports.figures import table
from lama_edge.benchmarks.targets.registry import add_target, target_options
from lama_edge.cli.opening import add_function, add_provider
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import milliseconds, steps
from lama_edge.errors import UsageError, one_line
from lama_edge.files import join_part
from lama_edge.spec import fixed_size

if TYPE_CHECKING:
    from lama_edge.benchmarks.bench.run import Bench
    from lama_edge.benchmarks.fleet.kept import Kept

_TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def add_bench(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge bench`."""
    bench = commands.add_parser(
        "bench",
        parents=[common],
        help="measure latency and memory",
        description="Measure models, interleaved, each round in a fresh process: first and cold "
        "loading and run, warm latency, peak memory; then judge what the timed processes gave. "
        "Keep the machine quiet meanwhile. Exit code 1 when a row's parity failed.",
    )
    add = bench.add_argument
    add(
        "models",
        nargs="+",
        metavar="MODEL",
        help="exported models, checkpoints; MODEL#PART is one size of several in a package",
    )
    add_target(bench)
    add(
        "--fleet",
        type=Path,
        metavar="DEVICES.toml",
        help="measure all devices of this file at once, into one result and one page, and go on "
        "past dead ones; the same command again measures what is missing",
    )
    add(
        "--with-python",
        action="store_true",
        help="with --worker or --target browser: measure in Python too, interleaved",
    )
    add(
        "--size",
        action="append",
        metavar="SIZE",
        help="picture size for models of dynamic size, such as 512 or 512x768; may repeat",
    )
    add_provider(bench, "where to run, each model by each of them", several=True)
    add_function(bench)
    add(
        "--threads",
        type=int,
        metavar="N",
        help="that work on one operation (default: one a core)",
    )
    add(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="of each model, in turn (default: 3)",
    )
    add(
        "--min-runs",
        type=int,
        default=10,
        metavar="N",
        help="timed runs a round, or more (default: 10)",
    )
    add(
        "--min-seconds",
        type=float,
        default=3.0,
        metavar="S",
        help="of timed runs a round (default: 3)",
    )
    add(
        "--cool-down",
        type=float,
        default=0.0,
        metavar="S",
        help="pause before every round (default: 0)",
    )
    add(
        "--max-temperature",
        type=float,
        metavar="C",
        help="wait before every round until the device is this cool, such as 35: its battery "
        "where it has one, else its hottest sensor",
    )
    add(
        "--cool-timeout",
        type=seconds,
        metavar="TIME",
        help="begin all the same after this time, and say so (default: 5m)",
    )
    add(
        "--sustained",
        type=seconds,
        metavar="TIME",
        help="then run each model without a pause for so long, such as 90s or 10m: how latency "
        "changes as the device warms up",
    )
    add(
        "--reference",
        metavar="CHECKPOINT",
        help="checkpoint, or another model, to judge by what was timed (default: the one that a "
        "model was exported from, where it is lama-tiny or a fetched one)",
    )
    add_outputs(bench)
    add(
        "--show-failed",
        action="store_true",
        help="show the times of rows whose parity failed too, struck through",
    )
    add(
        "--beside",
        action="append",
        type=Path,
        default=[],
        metavar="OTHER.json",
        help="show this result on the page too, of another device for example; may repeat",
    )
    bench.set_defaults(command=_bench)


def seconds(text: str) -> float:
    """Return the seconds of a time such as ``90``, ``90s``, ``10m`` or ``1h``.

    Raises:
        ArgumentTypeError: when it is none.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one such as 90s, 10m or 1h")
    return float(found["number"]) * _SECONDS[found["unit"]]


def _bench(options: argparse.Namespace) -> int:
    from lama_edge.benchmarks.documents.store import load_bench

    check_outputs(options)
    if options.beside and options.report is None:
        raise UsageError("--beside shows other results on the page: add --report OUT.html")
    others = [load_bench(path) for path in options.beside]
    if options.fleet is not None:
        return _fleet(options, others)
    with steps() as (progress, expect):
        from lama_edge.benchmarks.bench.run import run_bench

        job = _job(options)
        expect(job.steps)
        result = run_bench(job, progress, progress.detail)

    def page() -> str:
        from lama_edge.benchmarks.reports.bench_page import bench_page

        return bench_page(
            [result.document, *others], pictures=result.pictures, show_failed=options.show_failed
        )

    give(options, result.document, page, lambda it: bench_lines(it, options.show_failed))
    _complain(result.document, warnings=not options.json)
    return result.exit_code


def _job(options: argparse.Namespace) -> Bench:
    from lama_edge.benchmarks.bench.run import Bench

    cooling = {} if options.cool_timeout is None else {"cool_timeout_s": options.cool_timeout}
    if cooling and options.max_temperature is None:
        raise UsageError("--cool-timeout ends what --max-temperature C waits for: add that too")
    provider, *others = dict.fromkeys(options.provider or ["auto"])
    models = [
        (join_part(model, options.function), one)
        for model in options.models
        for one in (provider, *others)
    ]
    return Bench(
        models=tuple(model for model, _ in models),
        target=options.target,
        options=target_options(options),
        with_python=options.with_python,
        sizes=tuple(fixed_size(token) for token in options.size or ()),
        threads=options.threads,
        provider=provider,
        providers=tuple(one for _, one in models) if others else (),
        rounds=options.rounds,
        min_runs=options.min_runs,
        min_seconds=options.min_seconds,
        cool_down_s=options.cool_down,
        max_temperature_c=options.max_temperature,
        sustained_s=options.sustained,
        reference=options.reference,
        **cooling,
    )


def _fleet(options: argparse.Namespace, others: Sequence[dict[str, Any]]) -> int:
    from lama_edge.benchmarks.fleet.devices import read_devices
    from lama_edge.benchmarks.fleet.kept import Kept
    from lama_edge.benchmarks.fleet.run import Fleet, run_fleet
    from lama_edge.benchmarks.targets.base import TargetOptions

    if options.json_out is None:
        raise UsageError("--fleet keeps what is done beside its result: add --json-out FLEET.json")
    if options.target != "local" or target_options(options) != TargetOptions():
        raise UsageError(
            f"{str(options.fleet)!r} says of each device where and how models run there: leave "
            "out --target, --worker, --remote-python, --make-venv, --remote-folder, --lan, --port "
            "and --ort-web"
        )
    if len(options.provider or ()) > 1:
        raise UsageError(
            f"--fleet takes one --provider: list a device of {str(options.fleet)!r} again, by "
            "another name, for another one"
        )
    kept = Kept.beside(options.json_out)
    try:
        with steps() as (progress, expect):
            fleet = Fleet(read_devices(options.fleet), _job(options), kept)
            expect(len(fleet.devices) * fleet.job.steps)
            result = run_fleet(fleet, progress)
    except KeyboardInterrupt:
        _tell_kept(kept)
        raise

    def page() -> str:
        from lama_edge.benchmarks.reports.fleet_page import fleet_page

        return fleet_page(result.document, beside=others, show_failed=options.show_failed)

    give(options, result.document, page, lambda it: _fleet_lines(it, options.show_failed))
    for one in result.devices:
        if one.document is not None:
            _complain(one.document, f"{one.device.name}: ", warnings=not options.json)
        if one.failure is not None:
            print(f"lama-edge: error: {one.device.name}: {one_line(one.failure)}", file=sys.stderr)
    if result.complete:
        kept.remove(device.name for device in fleet.devices)
    else:
        _tell_kept(kept)
    return result.exit_code


def _tell_kept(kept: Kept) -> None:
    if kept.folder.is_dir():
        print(
            f"lama-edge: the devices that are done are kept in {str(kept.folder)!r}: the same "
            "command measures the others",
            file=sys.stderr,
        )


def _fleet_lines(document: dict[str, Any], show_failed: bool) -> Iterator[str]:
    for number, device in enumerate(document["devices"]):
        yield from [""] * (number > 0)
        yield f"{device['name']} ({device['target']}):"
        if device["result"] is None:
            yield f"no result: {device['error']}"
        else:
            yield from bench_lines(device["result"], show_failed)


def _complain(document: dict[str, Any], device: str = "", *, warnings: bool) -> None:
    """Print what a bench document warns of, and what failed; all is written by then."""
    for line in warning_lines(document) if warnings else ():
        print(f"lama-edge: warning: {device}{line}", file=sys.stderr)
    # A script shall notice the failure all the same.
    for line in failure_lines(document):
        print(f"lama-edge: error: {device}{line}", file=sys.stderr)


def warning_lines(document: dict[str, Any]) -> Iterator[str]:
    """Spell the warnings of a bench document's rows, one a line."""
    named = [
        (run["model"]["name"], run["size"], run["program"]["name"]) for run in document["runs"]
    ]
    for run, (name, size, program) in zip(document["runs"], named, strict=True):
        by = f" on {run['provider']}" if named.count((name, size, program)) > 1 else ""
        by += "" if program == "python" else f" in {program}"
        for warning in run["warnings"]:
            yield f"{name} at {size or 'no size'}{by}: {warning}"


def failure_lines(document: dict[str, Any]) -> Iterator[str]:
    """Say how many rows of a bench document have no figures, and of how many parity failed."""
    runs = document["runs"]
    errors = [run["error"] for run in runs if run["error"] is not None]
    if errors:
        yield f"{len(errors)} of {len(runs)} measurements failed: {errors[0]}"
    wrong = [run for run in runs if is_wrong(run)]
    if wrong:
        found = wrong[0]["parity"]
        yield (
            f"{len(wrong)} of {len(runs)} rows failed parity, their times mean nothing: "
            f"{wrong[0]['model']['name']} differs by {found['max_abs_diff']:.1e} (tolerance "
            f"{found['tolerance']:.0e}) from {found['reference']}"
        )


def bench_lines(document: dict[str, Any], show_failed: bool = False) -> Iterator[str]:
    """Spell a bench document as a table.

    Args:
        document: of the newest version.
        show_failed: whether to show the times of rows whose parity failed, struck through.
    """
    sustained = document["settings"]["sustained_s"] is not None
    head = ["model", "runtime", "size", "parity", "median", "spread", "p90", "p99"]
    head += ["first run", "cold load", "cold run"] + ["sustained"] * sustained + ["peak memory"]
    rows = [head]
    for run in document["runs"]:
        figures, label = run["statistics"], _label(run)
        if figures is None:
            rows.append([*label, "-", "failed", *["-"] * (len(head) - 5)])
            continue
        ratio, memory = figures["sustained_ratio"], run["memory_bytes"]
        cells = [
            milliseconds(figures["median_ms"]),
            f"{figures['spread']:.1%}",
            *(milliseconds(figures[key]) for key in ("p90_ms", "p99_ms")),
            _time(figures["first_run_ms"]),
            *(milliseconds(figures[key]) for key in ("cold_load_ms", "cold_run_ms")),
            *(["-" if ratio is None else f"{ratio:.2f}x"] * sustained),
        ]
        if is_wrong(run):
            cells = [f"~~{cell}~~" if show_failed else "-" for cell in cells]
        peak = "-" if memory is None else f"{memory / 2**20:.0f} MiB"
        rows.append([*label, _parity(run["parity"]), *cells, peak])
    yield from table(rows)


def _label(run: dict[str, Any]) -> list[str]:
    purpose = run["model"].get("for")
    about = [] if purpose is None else [f"for {purpose}"]
    if run["batch"] not in (None, 1):
        about.append(f"batch {run['batch']}")
    name = run["model"]["name"] + (f" ({', '.join(about)})" if about else "")
    runtime, provider = run["runtime"], run["provider"]
    if run["statistics"] is None or runtime is None:
        # What was asked for tells rows of one model apart.
        return [name, "-" if provider == "auto" else provider, run["size"] or "-"]
    if runtime.split()[0] != provider:  # NumPy has no devices to choose from
        runtime += f" {provider}"
    return [name, runtime, run["size"]]


def _parity(parity: dict[str, Any] | None) -> str:
    if parity is None:
        return "-"
    return "passed" if parity["passed"] else "FAILED"


def _time(value_ms: float | None) -> str:
    return "-" if value_ms is None else milliseconds(value_ms)
