"""`lama-edge-worker` under sanitizers: every task, and requests that cannot be used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sanitizers import sanitizing

from lama_edge.benchmarks.documents.store import WORKER, check_document
from lama_edge.spec import Size

pytestmark = pytest.mark.cpp

TASKS = ("machine", "describe", "measure", "memory", "sustain", "run", "sleep")
SHORT = {"min_warmup_runs": 1, "min_warmup_ms": 0, "min_runs": 2, "min_seconds": 0}
ERROR = "lama-edge-worker: error: "
Request = dict[str, Any]


@pytest.fixture(scope="module")
def build_worker(build: Callable[[str], Path]) -> Callable[[str], Path]:
    return lambda name: build(name) / "worker" / "lama-edge-worker"


def start(worker: Path, content: object, folder: Path) -> subprocess.CompletedProcess[bytes]:
    file = folder / "request.json"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(json.dumps(content))
    return subprocess.run([worker, file], capture_output=True, timeout=60, env=sanitizing())


def lines_of(ended: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return what it said, which a terminal can show line by line."""
    lines = ended.stderr.decode("utf-8").splitlines()
    assert all(line.isprintable() for line in lines), lines
    return lines


def check_refused(ended: subprocess.CompletedProcess[bytes], reason: str, code: int = 2) -> None:
    *steps, last = lines_of(ended)
    assert (ended.returncode, ended.stdout) == (code, b""), (steps, last)
    assert last.startswith(ERROR)
    assert reason in last
    assert not [line for line in steps if not re.match("opening|running|warming|sampl", line)]


@pytest.fixture
def whole(exported: Callable[..., Path], tmp_path: Path) -> Request:
    """A request that every task can be given."""
    names = {name: str(tmp_path / name) for name in ("image", "mask", "output")}
    rng = np.random.default_rng(3)
    rng.random((1, 3, 64, 96), np.float32).tofile(names["image"])
    np.pad(np.ones((1, 1, 20, 30), np.float32), ((0, 0), (0, 0), (9, 35), (9, 57))).tofile(
        names["mask"]
    )
    return {
        "schema_version": 1,
        "model": str(exported("fourier")),
        "threads": 2,
        "providers": [{"name": "cpu", "options": {}}],
        "policy": SHORT,
        "seconds": 0.01,
        "pictures": [{"height": 64, "width": 96, **names}],
        "sleeps_ms": [1, 0.5, 0],
    }


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["sanitized", "threads"])
def test_every_task_is_clean(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path, name: str, task: str
) -> None:
    ended = start(build_worker(name), {**whole, "task": task}, tmp_path)
    assert ended.returncode == 0, ended.stderr.decode()
    lines_of(ended)
    assert check_document(json.loads(ended.stdout), WORKER)["task"] == task
    gives = task in ("measure", "run")
    assert Path(whole["pictures"][0]["output"]).exists() == gives


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_a_fixed_batch_is_clean(
    build_worker: Callable[[str], Path],
    exported: Callable[..., Path],
    whole: Request,
    tmp_path: Path,
    form: str,
) -> None:
    (job,) = whole["pictures"]
    for name, channels in (("image", 3), ("mask", 1)):
        Path(job[name]).write_bytes(bytes(2 * channels * 64 * 64 * (4 if form == "float" else 1)))
    whole["model"] = str(exported("fourier", Size(64, 64), io=form, batch=2))
    whole["pictures"] = [{**job, "width": 64}]
    ended = start(build_worker("sanitized"), {**whole, "task": "run"}, tmp_path)
    assert ended.returncode == 0, ended.stderr.decode()
    assert Path(job["output"]).stat().st_size == Path(job["image"]).stat().st_size


CHANGES: list[tuple[str, str, object]] = [
    *(("describe", "threads", value) for value in (None, "1", True, 1.5, -1, 4097, 1 << 62, 1e300)),
    *(("describe", "schema_version", value) for value in ([], 0, 1.0, 1 << 31)),
    *(("describe", name, value) for name in ("task", "model") for value in (None, 7, {})),
    *(("describe", "providers", value) for value in (None, {}, [7], [[]])),
    *(("describe", "providers.0.name", value) for value in (None, "", "\x1b[2J\u2028")),
    *(("describe", "providers.0.options", value) for value in (None, [], {"a": 1}, {"a": "b"})),
    *(("measure", "policy", value) for value in (None, [], {})),
    *(("measure", f"policy.{name}", value) for name in SHORT for value in ("1", -1, 1e300)),
    *(("measure", f"policy.{name}", 0) for name in ("min_runs", "min_warmup_runs")),
    *(("sustain", "seconds", value) for value in (None, True, -1, 1e300)),
    *(("describe", "part", value) for value in (7, "late", {})),
    *(("describe", "ignore", value) for value in (None, "", ["discriminator"])),
    *((task, "pictures", []) for task in ("measure", "memory", "sustain", "run")),
    *(("run", "pictures", value) for value in (None, {}, [None])),
    *(("run", "pictures.0.width", value) for value in (None, 0, 1, 71, 72, 32769, 1 << 62)),
    *(("run", f"pictures.0.{name}", 7) for name in ("image", "mask", "output")),
    *(("sleep", "sleeps_ms", value) for value in (None, {}, [1], [1, -1], [1, 1e300], [1, "1"])),
]
# What the reason names where it is another word.
NAMED = {"width": "", "name": "", "options": "option"}


@pytest.mark.parametrize(("task", "path", "value"), CHANGES)
def test_a_request_with_one_wrong_value_is_refused_by_its_name(
    build_worker: Callable[[str], Path],
    whole: Request,
    tmp_path: Path,
    task: str,
    path: str,
    value: object,
) -> None:
    asked: Any = {**json.loads(json.dumps(whole)), "task": task}
    place: Any = asked
    *folders, last = path.split(".")
    for folder in folders:
        place = place[int(folder) if folder.isdigit() else folder]
    place[last] = value
    ended = start(build_worker("sanitized"), asked, tmp_path)
    check_refused(ended, NAMED.get(last, last.partition("_")[0]))
    assert not Path(whole["pictures"][0]["output"]).exists()


@pytest.mark.parametrize("task", TASKS)
def test_each_value_that_a_task_takes_is_missed_by_its_name(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path, task: str
) -> None:
    taken = {
        "describe": ["model", "threads", "providers"],
        "measure": ["model", "threads", "providers", "policy", "pictures"],
        "sustain": ["model", "threads", "providers", "seconds", "pictures"],
        "machine": [],
        "sleep": ["sleeps_ms"],
    }
    for name in ["schema_version", "task", *taken.get(task, [*taken["describe"], "pictures"])]:
        asked = {**whole, "task": task}
        del asked[name]
        ended = start(build_worker("sanitized"), asked, tmp_path)
        check_refused(ended, f"{name} is missing")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema_version": 1, "task": "\xff"}', "no UTF-8"),
        (b'{"schema_version": 1, "task": "a\x00b"}', "control character"),
        (b'{"schema_version": 1, "task": "run", "threads": NaN}', "a value was expected"),
        (b'{"schema_version": 1e999}', "too large"),
        (b"9" * 500, "too large"),
        (b" " * ((16 << 20) + 1), "more than 16 MiB"),
        (b"\xff\xfe{", "a value was expected"),
    ],
)
def test_what_is_no_json_is_refused(
    build_worker: Callable[[str], Path], tmp_path: Path, content: bytes, reason: str
) -> None:
    check_refused(start(build_worker("sanitized"), content, tmp_path), reason)


def test_files_that_cannot_be_read_or_written_are_named(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path
) -> None:
    worker = build_worker("sanitized")
    for path in (tmp_path, Path("/dev/zero"), tmp_path / "none"):
        ended = subprocess.run([worker, path], capture_output=True, timeout=60, env=sanitizing())
        check_refused(ended, f"'{path}'" if path != Path("/dev/zero") else "more than 16 MiB")
    (job,) = whole["pictures"]
    cases = [
        *((name, str(tmp_path), f"cannot read '{tmp_path}'") for name in ("image", "mask")),
        ("image", "/dev/zero", "image has more; the model takes 73728 at this size"),
        ("mask", "/dev/null", "mask has 0 bytes; the model takes 24576 at this size"),
        ("mask", job["image"], "mask has more"),
        ("image", job["mask"], "image has 24576 bytes; the model takes 73728"),
        ("output", str(tmp_path), f"cannot write '{tmp_path}'"),
        ("output", "/dev/full", "cannot write '/dev/full'"),
        ("output", str(tmp_path / "none" / "output"), "cannot write"),
    ]
    for name, path, reason in cases:
        asked = {**whole, "task": "run", "pictures": [{**job, name: path}]}
        check_refused(start(worker, asked, tmp_path), reason)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "mask", "request.json"]


def test_numbers_that_are_not_finite_go_in_and_out(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path
) -> None:
    image = np.fromfile(whole["pictures"][0]["image"], np.float32)
    image[::7], image[1::7], image[2::7] = np.nan, np.inf, -3e38
    image.tofile(whole["pictures"][0]["image"])
    np.full(64 * 96, np.nan, np.float32).tofile(whole["pictures"][0]["mask"])
    ended = start(build_worker("sanitized"), {**whole, "task": "run"}, tmp_path)
    assert ended.returncode == 0, ended.stderr.decode()
    assert Path(whole["pictures"][0]["output"]).stat().st_size == image.nbytes


def test_an_answer_that_nobody_takes_is_an_error(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path
) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({**whole, "task": "describe"}))
    with Path("/dev/full").open("wb") as full:
        command = [build_worker("sanitized"), file]
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, timeout=60, env=sanitizing()
        )
    assert ended.returncode == 2
    assert lines_of(ended)[-1] == f"{ERROR}the answer cannot be written to standard output"


def test_a_sensor_that_cannot_be_read_is_null(
    build_worker: Callable[[str], Path], whole: Request, tmp_path: Path
) -> None:
    # A folder opens as a file does and fails to be read, as a sensor that is switched off.
    (tmp_path / "none").mkdir()
    zones = tmp_path / "zones"
    (zones / "thermal_zone0" / "temp").mkdir(parents=True)
    (zones / "thermal_zone1").mkdir()
    (zones / "thermal_zone0" / "type").write_text("off\n")
    (zones / "thermal_zone1" / "temp").write_text("40500\n")
    (zones / "thermal_zone1" / "type").write_bytes(b"\xb0C \x01\n")
    file = tmp_path / "request.json"
    file.write_text(json.dumps({**whole, "task": "measure"}))
    mount = 'cd "$0" && mount --bind zones /sys/class/thermal && '
    mount += '{ [ ! -d /sys/class/hwmon ] || mount --bind none /sys/class/hwmon; } && exec "$@"'
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    sandbox = ["unshare", *user, "--mount", "sh", "-c", mount, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*sandbox, "true"]).returncode != 0:
        pytest.skip("no mount namespace may be made here")
    environment = sanitizing() | {"ASAN_OPTIONS": "detect_leaks=0"}  # it traces, which fails there
    ended = subprocess.run(
        [*sandbox, build_worker("sanitized"), file],
        capture_output=True,
        timeout=60,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    sensors = json.loads(ended.stdout)["result"]["round"]["sensors"]
    assert sensors["before"]["temperature_c"] == {"?C \x01": 40.5}
