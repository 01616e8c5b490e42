"""Checks the stopwatch against known truths here; figures are in docs/explanation/measuring.md.

Run it with ``python -m lama_edge.benchmarks.check_stopwatch [MODEL]``; ``--target ADDRESS``,
``--worker PATH`` and what else `bench` takes for a target check the stopwatch there alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.targets.base import Target, TargetOptions
from lama_edge.benchmarks.targets.registry import add_target, open_target, target_options
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy, measure
from lama_edge.errors import exit_code_of
from lama_edge.spec import Size

_SLEEP_MS, _JITTER_MS = 20.0, 4.0
_MAX_ERROR = 0.02
_MAX_OVERHEAD_US = 50.0
_SEED = 20224


@dataclass(frozen=True)
class Check:
    """One figure: what was found, in words, and whether it is as it has to be."""

    text: str
    passed: bool


def check_sleeper(runs: int = 150) -> Check:
    """Measure a sleep of 20 ms with a known jitter.

    The truth is known without the stopwatch: each sleep was asked for, and how much later than
    asked the system woke it is what the sleeper notes itself, by the wall clock.
    """
    rng = np.random.default_rng(_SEED)
    asked_ms = rng.uniform(_SLEEP_MS - _JITTER_MS, _SLEEP_MS + _JITTER_MS, runs)
    durations_ms = chain([_SLEEP_MS], asked_ms.tolist())
    late_ms: list[float] = []

    def sleeper() -> None:
        duration_ms = next(durations_ms)
        begin = time.time()
        time.sleep(duration_ms / 1e3)
        late_ms.append((time.time() - begin) * 1e3 - duration_ms)

    policy = Policy(min_warmup_runs=1, min_warmup_ms=0, min_runs=runs, min_seconds=0)
    timings = measure(sleeper, policy)
    expected = float(np.median(asked_ms + late_ms[1:]))
    return _slept("", float(np.median(timings.samples_ms)), expected, asked_ms)


def check_target(target: Target, runs: int = 150) -> Check:
    """Let a target measure such sleeps; the truth is its sleeper's own record, by the wall clock.

    Raises:
        LamaEdgeError: when the target fails.
    """
    rng = np.random.default_rng(_SEED)
    asked_ms = rng.uniform(_SLEEP_MS - _JITTER_MS, _SLEEP_MS + _JITTER_MS, runs)
    found = target.sleep([_SLEEP_MS, *asked_ms.tolist()])
    measured, expected = (float(np.median(found[key])) for key in ("samples_ms", "slept_ms"))
    return _slept(f"{target.program} on {target.name}: ", measured, expected, asked_ms)


def _slept(where: str, measured: float, expected: float, asked_ms: NDArray[np.float64]) -> Check:
    error = measured / expected - 1
    return Check(
        f"{where}a sleep of {_SLEEP_MS:g} ± {_JITTER_MS:g} ms: measured {measured:.3f} ms, "
        f"expected {expected:.3f} ms (asked {np.median(asked_ms):.3f}), error {error:+.3%} (at "
        f"most {_MAX_ERROR:.0%})",
        abs(error) <= _MAX_ERROR,
    )


def check_overhead(runs: int = 100_000) -> Check:
    """Measure what the loop takes for itself, with a run that does nothing."""
    policy = Policy(min_warmup_runs=1, min_warmup_ms=0, min_runs=runs, min_seconds=0)
    begin = time.perf_counter()
    timings = measure(lambda: None, policy)
    per_run = (time.perf_counter() - begin) / runs * 1e6
    charged = float(np.median(timings.samples_ms)) * 1e3
    return Check(
        f"the loop's overhead: {per_run:.2f} us per run (at most {_MAX_OVERHEAD_US:g}), of which "
        f"{charged:.2f} us are part of the time measured",
        per_run <= _MAX_OVERHEAD_US,
    )


def check_burner(model: Path) -> Check:
    """Measure a model, and again beside a process that keeps a core busy: that is flagged."""
    alone, _ = _bench(model)
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        beside, warnings = _bench(model)
    finally:
        burner.kill()
        burner.wait()
    flagged = any("other processes used" in warning for warning in warnings)
    return Check(
        f"{model.name} beside a CPU burner: {beside['median_ms']:.1f} ms, others used "
        f"{beside['other_load']:.2f} cores, {'flagged' if flagged else 'NOT FLAGGED'} "
        f"({alone['median_ms']:.1f} ms and {alone['other_load']:.2f} cores before)",
        flagged,
    )


def _bench(model: Path) -> tuple[dict[str, Any], list[str]]:
    run = run_bench(Bench((model,), sizes=(Size(256, 256),), rounds=1, prove=False)).document[
        "runs"
    ][0]
    if run["error"] is not None:
        raise SystemExit(run["error"])
    return {**run["statistics"], "other_load": run["rounds"][0]["other_load"]}, run["warnings"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the three figures; return 1 when one is not as it has to be."""
    parser = argparse.ArgumentParser(prog="check_stopwatch", description=__doc__)
    parser.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="default: lama-tiny, exported"
    )
    add_target(parser)
    options = parser.parse_args(arguments)
    wanted = target_options(options)
    if options.target != "local" or wanted != TargetOptions():
        with open_target(options.target, wanted) as target:
            target.claim()
            found = check_target(target)
        print(found.text)
        return 0 if found.passed else 1
    model = options.model
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        if model is None:
            # Imported here because a model that is given needs no exporter.
            from lama_edge.exporters.formats.record import Export
            from lama_edge.pipeline import export_model

            model = Path(folder, "lama-tiny.onnx")
            export_model(Export("onnx", None, model, check_parity=False))
        passed = True
        for check in (check_sleeper(), check_overhead(), check_burner(model)):
            print(check.text)
            passed &= check.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
