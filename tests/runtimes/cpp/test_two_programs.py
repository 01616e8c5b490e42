"""`docs/reference/worker.md`: `lama-edge-worker` and Python answer the same requests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lama_edge.benchmarks.documents.store import WORKER, check_document

pytestmark = pytest.mark.cpp

TASKS = "lama_edge.benchmarks.targets.tasks"
PROGRAMS = ("worker", "python")
PREFIXES = {"worker": "lama-edge-worker: error: ", "python": "lama-edge: error: "}
OF_TASK: dict[str, dict[str, Any]] = {
    "machine": {},
    "describe": {},
    "measure": {
        "policy": {"min_warmup_runs": 2, "min_warmup_ms": 0, "min_runs": 3, "min_seconds": 0}
    },
    "memory": {},
    "sustain": {"seconds": 0.2},
    "run": {},
    "sleep": {"sleeps_ms": [1.0, 2.0, 1.0]},
}
SAMPLING = ["sampling", "sampled"]
Ended = subprocess.CompletedProcess[str]
# Starts a program on a request; the words before it are put before its command.
Start = Callable[..., Ended]


@pytest.fixture
def start(worker: Path, tmp_path: Path) -> Start:
    commands = {"worker": [str(worker)], "python": [sys.executable, "-m", TASKS]}

    def start(program: str, request: object, *before: str) -> Ended:
        file = tmp_path / "request.json"
        file.write_text(request if isinstance(request, str) else json.dumps(request))
        return subprocess.run(
            [*before, *commands[program], str(file)], capture_output=True, text=True, timeout=120
        )

    return start


@pytest.fixture
def request_of(exported: Callable[..., Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return what makes a task's request; its pictures fit the model."""
    rng = np.random.default_rng(7)
    jobs: list[dict[str, Any]] = []
    for number, (height, width) in enumerate([(64, 96), (48, 64)]):
        files = {name: str(tmp_path / f"{number}.{name}") for name in ("image", "mask", "output")}
        rng.random((3, height, width), np.float32).tofile(files["image"])
        mask = np.zeros((height, width), np.float32)
        mask[20:40, 30:50] = 1
        mask.tofile(files["mask"])
        jobs.append({"height": height, "width": width, **files})

    def request_of(task: str, **rest: Any) -> dict[str, Any]:
        model = {
            "model": str(exported("fourier")),
            "part": None,
            "ignore": [],
            "threads": 1,
            "providers": [{"name": "cpu", "options": {}}],
        }
        pictures = jobs if task == "run" else jobs[:1]
        return {
            **{"schema_version": 1, "task": task, **model, "pictures": pictures},
            **OF_TASK.get(task, {}),
            **rest,
        }

    return request_of


def shape(value: Any) -> Any:
    """Return the names in a document, at their places, without what machines call their parts."""
    if isinstance(value, dict):
        own = {"python", "packages"}  # of Python alone
        return {
            name: None if name in ("temperature_c", "providers") else shape(item)
            for name, item in value.items()
            if name not in own
        }
    if isinstance(value, list):
        return shape(value[0]) if value else None
    return None


@pytest.mark.parametrize("task", OF_TASK)
def test_both_programs_answer_a_task_in_the_same_form(
    start: Start, request_of: Callable[..., dict[str, Any]], task: str
) -> None:
    answers, outputs = [], []
    request = request_of(task)
    for program in PROGRAMS:
        for job in request["pictures"]:
            Path(job["output"]).unlink(missing_ok=True)
        ended = start(program, request)
        assert ended.returncode == 0, ended.stderr
        answers.append(check_document(json.loads(ended.stdout), WORKER))
        steps = [line for line in ended.stderr.splitlines() if line in SAMPLING]
        assert steps == (SAMPLING if task in ("measure", "sustain") else [])
        outputs.append(
            [Path(job["output"]).read_bytes() for job in request["pictures"]]
            if task in ("measure", "run")
            else [Path(job["output"]).exists() for job in request["pictures"]]
        )
    ours, theirs = answers
    assert shape(ours) == shape(theirs)
    assert ours["task"] == theirs["task"] == task
    assert ours["tool"] == theirs["tool"]
    assert ours["model"] == theirs["model"]
    assert outputs[0] == outputs[1]
    assert any(map(any, outputs)) == (task in ("measure", "run"))


def test_both_programs_say_the_same_of_a_machine(
    start: Start, request_of: Callable[..., dict[str, Any]]
) -> None:
    found = [
        json.loads(start(program, request_of("machine")).stdout)["result"]["environment"]
        for program in PROGRAMS
    ]
    assert found[1].pop("python")
    assert found[1].pop("packages")
    assert found[0] == found[1]


def test_both_programs_count_what_was_asked_for(
    start: Start, request_of: Callable[..., dict[str, Any]]
) -> None:
    for program in PROGRAMS:
        described = json.loads(start(program, request_of("describe")).stdout)["result"]
        assert described["load_ms"] > 0
        assert described["placement"]["providers"].keys() == {"CPUExecutionProvider"}
        assert described["placement"]["providers"]["CPUExecutionProvider"] > 50
        assert described["placement"]["fell_back"] == []
        measured = json.loads(start(program, request_of("measure")).stdout)["result"]["round"]
        assert len(measured["warmup_ms"]) == 2
        assert len(measured["samples_ms"]) == 3
        assert measured["first_run_ms"] == measured["warmup_ms"][0] > 0
        memory = json.loads(start(program, request_of("memory")).stdout)["result"]
        assert 5e6 < memory["peak_memory_bytes"] < 1e9
        sustained = json.loads(start(program, request_of("sustain")).stdout)["result"]["sustained"]
        assert sustained["asked_s"] == 0.2
        assert len(sustained["at_s"]) == len(sustained["samples_ms"])
        assert sustained["at_s"][0] >= 0
        assert sustained["at_s"] == sorted(sustained["at_s"])
        last = sustained["at_s"][-1] + sustained["samples_ms"][-1] / 1e3
        assert 0.2 <= last <= sustained["watched"][-1]["at_s"] + 0.05
        assert sustained["watched"][0]["at_s"] == 0
        slept = json.loads(start(program, request_of("sleep")).stdout)["result"]
        assert len(slept["samples_ms"]) == len(slept["slept_ms"]) == 2


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("{", 2),
        ({"schema_version": 2}, 2),
        ({"task": "fly"}, 2),
        ({"model": "/nowhere.onnx"}, 2),
        ({"threads": -1}, 2),
        ({"providers": [{"name": "beads", "options": {}}]}, 2),
        ({"providers": [{"name": "qnn", "options": {}}]}, 3),
        ({"task": "sustain", "seconds": -1}, 2),
        ({"task": "sleep", "sleeps_ms": [1]}, 2),
        ({"task": "measure", "policy": {"min_warmup_runs": 0}}, 2),
        ({"task": "run", "pictures": []}, 2),
        ({"task": "run", "pictures": [{"height": 1, "width": 1}]}, 2),
    ],
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_both_programs_refuse_in_the_same_way(
    start: Start,
    request_of: Callable[..., dict[str, Any]],
    program: str,
    given: Any,
    code: int,
) -> None:
    asked = given if isinstance(given, str) else request_of(**{"task": "describe", **given})
    ended = start(program, asked)
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(PREFIXES[program])
    assert len(last) > len(PREFIXES[program]) + 10
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("field", [{"part": "late"}, {"ignore": ["discriminator"]}])
def test_the_worker_opens_no_parts_and_no_checkpoints(
    start: Start, request_of: Callable[..., dict[str, Any]], field: dict[str, Any]
) -> None:
    ended = start("worker", request_of("describe", **field))
    assert ended.returncode == 2
    assert f"{next(iter(field))} is" in ended.stderr


@pytest.fixture
def jetson(tmp_path: Path) -> tuple[str, ...]:
    """Return what starts a program on a board of two cores that never was: as its files say it.

    The files of the system that the programs read lie over its own, in a namespace of the test.
    """
    files = {
        "sys/class/hwmon/hwmon0/name": "soc_thermal",
        "sys/class/hwmon/hwmon0/temp1_input": "41500",
        "sys/class/hwmon/hwmon0/temp1_label": "CPU-therm",
        "sys/class/hwmon/hwmon0/temp2_input": "-256000",
        "sys/class/hwmon/hwmon0/temp3_input": "39250",
        "sys/class/power_supply/A/type": "Battery",
        "sys/class/power_supply/A/scope": "Device",
        "sys/class/power_supply/A/capacity": "12",
        "sys/class/power_supply/BAT0/type": "Battery",
        "sys/class/power_supply/BAT0/capacity": "87",
        "sys/class/power_supply/BAT0/status": "Discharging",
        "sys/class/power_supply/BAT0/power_now": "9500000",
        "lib/nvpmodel/status": "pmode:0002",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=MODE_30W >\n",
        "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
        "cpuinfo": "".join(
            f"processor\t: {core}\nmodel name\t: Cortex-A78AE  (rev 1)\ncpu MHz\t\t: 1984.000\n\n"
            for core in range(2)
        ),
    }
    for core in range(2):
        folder = f"sys/devices/system/cpu/cpu{core}"
        for name in ("scaling_cur_freq", "scaling_min_freq", "scaling_max_freq"):
            files[f"{folder}/cpufreq/{name}"] = "1984000"
        files[f"{folder}/cpufreq/scaling_governor"] = "schedutil"
        files[f"{folder}/topology/core_cpus_list"] = "0-1"
    root = tmp_path / "jetson"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content if content.endswith("\n") else content + "\n")
    over = {"sys": "/sys", "lib": "/var/lib", "etc": "/etc", "cpuinfo": "/proc/cpuinfo"}
    mounts = " && ".join(f"mount --bind '{root / name}' {path}" for name, path in over.items())
    command = ("unshare", "-rm", "sh", "-c", f'{mounts} && exec "$@"', "sh")
    if shutil.which("unshare") is None:
        pytest.skip("unshare is missing: apt-get install util-linux")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=60)
    if tried.returncode != 0:
        pytest.skip(f"no mount namespace may be made here: {tried.stderr.strip()}")
    return command


@pytest.mark.parametrize("program", PROGRAMS)
def test_both_programs_read_a_board_alike(
    start: Start,
    request_of: Callable[..., dict[str, Any]],
    jetson: tuple[str, ...],
    program: str,
) -> None:
    ended = start(program, request_of("machine"), *jetson)
    assert ended.returncode == 0, ended.stderr
    found = check_document(json.loads(ended.stdout), WORKER)["result"]
    assert found["sensors"] == {
        "clock_mhz": [1984, 1984],
        "temperature_c": {"CPU-therm": 41.5, "soc_thermal": 39.25},
        "throttled": None,
        "power_w": 9.5,
        "power_mode": "nvpmodel MODE_30W",
        "governor": "schedutil",
        "clocks_pinned": True,
        "battery": {"percent": 87, "status": "Discharging"},
    }
    assert found["environment"]["device"] is None
    assert found["environment"]["chip"] == "Cortex-A78AE (rev 1)"
    assert found["environment"]["cores"] == 1
    assert found["environment"]["os"].startswith("Ubuntu 22.04.5 LTS, Linux ")
