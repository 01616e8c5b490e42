"""What becomes of a benchmark when files, sensors or room go away while it measures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from same_process import without_processes

from lama_edge.benchmarks.bench import cooling
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.device import DeviceTarget
from lama_edge.benchmarks.targets.programs.python import TASKS
from lama_edge.spec import Size

QUICK: dict[str, Any] = {"rounds": 2, "min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0}


@pytest.fixture
def models(exported: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """Two files of one model."""
    source = exported("fourier", Size(32, 48))
    names = tmp_path / "first.onnx", tmp_path / "second.onnx"
    for name in names:
        shutil.copy(source, name)
    return names


def _at(step: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Return what does something as a step begins."""

    def progress(told: str) -> None:
        if told.endswith(step):
            act()

    return progress


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_model_that_does_not_stay_what_it_was_has_no_figures(
    models: tuple[Path, Path], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    first, _ = models
    steps: list[str] = []

    def act() -> None:
        if how == "removed":
            first.unlink()
            return
        other = onnx.load(first)
        other.producer_name = "somebody"
        onnx.save(other, first)

    def progress(step: str) -> None:
        steps.append(step)
        _at("first.onnx at 32x48, round 2", act)(step)

    result = run_bench(Bench(models, prove=False, **QUICK), progress)
    changed, left = result.document["runs"]
    assert steps.count("first.onnx at 32x48, round 2") == 1
    wanted = "was changed meanwhile" if how == "replaced" else "first.onnx"
    assert wanted in changed["error"]
    assert changed["statistics"] is None
    assert (left["error"], left["statistics"]["count"]) == (None, 4)
    assert result.exit_code == 2
    assert str(first.parent) not in str(result.document)


# Python in a worker's clothes.
WORKER = f"""#!/bin/sh
[ $# = 0 ] && {{ echo "lama-edge-worker: error: usage" >&2; exit 2; }}
exec {sys.executable} -P -m {TASKS} "$@"
"""


def test_a_worker_that_does_not_stay_what_it_was_gives_no_figures(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    worker = tmp_path / "lama-edge-worker"
    worker.write_text(WORKER)
    worker.chmod(0o755)
    options = TargetOptions(worker=worker)
    job = Bench(models[:1], options=options, with_python=True, prove=False, **QUICK)
    act = _at("lama-edge-worker, round 2", lambda: worker.write_text(f"{WORKER}# newer\n"))
    result = run_bench(job, act)
    changed, python = result.document["runs"]
    assert "the worker 'lama-edge-worker' was changed meanwhile" in changed["error"]
    assert (changed["statistics"], python["error"]) == (None, None)
    assert result.exit_code == 2


def test_a_sensor_that_goes_away_ends_its_row_alone(
    models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    whole = DeviceTarget.sensors
    # Looked at once before anything is opened; then before each round of either row.
    told = iter([{"cpu": 30.0}, {"cpu": 31.0}, None])

    def sensors(self: DeviceTarget) -> dict[str, Any]:
        return {**whole(self), "temperature_c": next(told, {"cpu": 32.0})}

    monkeypatch.setattr(DeviceTarget, "sensors", sensors)
    monkeypatch.setattr(cooling.time, "sleep", lambda seconds: None)
    result = run_bench(Bench(models, prove=False, max_temperature_c=35.0, **QUICK))
    found, lost = result.document["runs"]
    assert [one["waited"]["temperature_c"] for one in found["rounds"]] == [31.0, 32.0]
    assert "this target tells no temperature" in lost["error"]
    assert (lost["statistics"], lost["rounds"]) == (None, [])
    assert result.exit_code == 2


@pytest.mark.parametrize("task", ["measure", "sustain"])
def test_runs_that_took_no_time_are_no_figures(
    models: tuple[Path, Path], task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    whole = getattr(DeviceTarget, task)

    def stopped(self: DeviceTarget, *words: Any, **more: Any) -> Any:
        found = whole(self, *words, **more)
        times = found[0] if task == "measure" else found
        times["samples_ms"][1:] = [0.0] * (len(times["samples_ms"]) - 1)
        return found

    monkeypatch.setattr(DeviceTarget, task, stopped)
    result = run_bench(Bench(models[:1], prove=False, sustained_s=0.2, **QUICK))
    (run,) = result.document["runs"]
    assert "a run took no time by the target's clock" in run["error"]
    assert (run["statistics"], run["sustained"]) == (None, None)
    assert result.exit_code == 2


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small /tmp wants root on Linux"
)
@pytest.mark.parametrize(
    ("room", "said"),
    [
        ("20k", "cannot write to this machine's temporary folder (No space left on device): free"),
        ("130k", "No space left on device"),
    ],
)
def test_a_full_temporary_folder_is_told_and_left_empty(
    exported: Callable[..., Path], tmp_path: Path, room: str, said: str
) -> None:
    small, out = tmp_path / "small", tmp_path / "r.json"
    small.mkdir()
    words = ["bench", exported("fourier", Size(64, 64)), "--rounds=1", "--min-runs=2"]
    words += ["--min-seconds=0", "--json-out", out]
    script = (
        f"mount -t tmpfs -o size={room} tmpfs {small} && TMPDIR={small} "
        '"$0" -P -m lama_edge.cli "$@"; code=$?; ls -A '
        f"{small} >{tmp_path}/left; exit $code"
    )
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, *map(str, words)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    (told,) = ended.stderr.splitlines()
    assert said in told
    assert ended.returncode == 2
    (run,) = load_bench(out)["runs"]
    assert (run["statistics"], run["rounds"]) == (None, [])
    # ONNX Runtime's own.
    assert set((tmp_path / "left").read_text().split()) <= {".ses"}
