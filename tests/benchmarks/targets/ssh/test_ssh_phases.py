"""A whole benchmark over SSH that is disturbed in each of its phases: no figure, nothing left."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import DATA
from ssh_server import HERE, SshServer

from lama_edge import cli
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.store import load_bench

pytestmark = pytest.mark.ssh


def job(server: SshServer, model: Path, **more: Any) -> Bench:
    usual = {"rounds": 2, "min_runs": 2, "min_seconds": 0.0, "threads": 1, "provider": "cpu"}
    return Bench((model,), server.address, HERE, reference=str(DATA / "fourier"), **usual | more)


def within(step: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Return what does something once, shortly after a step began, while it is going on."""

    def progress(told: str) -> None:
        if told.endswith(step):
            threading.Timer(0.3, act).start()

    return progress


@pytest.mark.parametrize("phase", ["round 2", "peak memory", "sustained"])
def test_a_row_whose_connection_is_lost_in_any_phase_has_no_figures(
    server: SshServer, model: Path, phase: str
) -> None:
    result = run_bench(job(server, model, sustained_s=60.0), within(phase, server.cut))
    (run,) = result.document["runs"]
    assert "lost" in run["error"]
    assert (run["statistics"], run["parity"]) == (None, None)
    # What came before is kept, raw.
    assert len(run["rounds"]) == (1 if phase == "round 2" else 2)
    assert result.exit_code == 2
    assert server.nothing_left()


@pytest.mark.parametrize("phase", ["opening", "peak memory", "sustained", "judging what was timed"])
def test_an_interrupted_bench_leaves_nothing_in_any_phase(
    server: SshServer, model: Path, phase: str
) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    # The last phase is this machine's, when there is no session any more.
    sustained_s = 60.0 if phase == "sustained" else None
    step = f"opening {model.name}" if phase == "opening" else phase
    with pytest.raises(KeyboardInterrupt):
        run_bench(job(server, model, sustained_s=sustained_s), within(step, interrupt))
    assert server.nothing_left()


# From the first sample on: set half an hour ahead a second later, or asleep most of the time.
_CLOCK = """
import sys, time
whole, begun = time.perf_counter_ns, []
def clock():
    now = whole()  # read once: between two readings the process may be held up, and time went back
    if sys._getframe(1).f_code.co_name == "_repeat":
        begun.append(now)
    passed = now - begun[0] if begun else 0
    return now + {off}
time.perf_counter_ns = clock
"""


@pytest.mark.parametrize(
    ("off", "seconds"),
    [("(passed > 10**9) * 1800 * 10**9", 2.0), ("-passed * 19 // 20", 0.2)],
    ids=["set ahead", "asleep"],
)
def test_a_clock_that_goes_another_way_than_ours_gives_no_figure(
    server: SshServer, model: Path, tmp_path: Path, off: str, seconds: float
) -> None:
    # Beside its home, where nothing shall be left.
    (server.folder / "sitecustomize.py").write_text(_CLOCK.format(off=off))
    python = server.folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={server.folder} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    out = tmp_path / "r.json"
    words = ["bench", model, "--target", server.address, "--remote-python", python, "--size=64"]
    words += ["--rounds=1", "--min-runs=2", "--min-seconds", seconds, "--json-out", out]
    assert cli.main([str(word) for word in words]) == 2
    (run,) = load_bench(out)["runs"]
    assert "the target's clock counted" in run["error"]
    assert (run["statistics"], run["rounds"]) == (None, [])
    assert server.nothing_left()
