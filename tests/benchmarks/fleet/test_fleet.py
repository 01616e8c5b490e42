"""Fleets: devices at once, past dead ones, and again for what is missing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_device import Toys, register

from lama_edge.benchmarks.bench.run import Bench
from lama_edge.benchmarks.documents.store import BENCH, FLEET, check_document
from lama_edge.benchmarks.fleet.devices import Device
from lama_edge.benchmarks.fleet.kept import Kept
from lama_edge.benchmarks.fleet.run import Fleet, FleetResult, run_fleet
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.places.remote import LostError
from lama_edge.errors import LamaEdgeError, MissingBackendError, ModelError
from lama_edge.spec import Size

ROUNDS = 2
# Of threads that wait for each other; nothing waits as long where the code is right.
PATIENCE_S = 10.0


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """Registers the target; the fleet measures in this process."""
    return register(monkeypatch)


@pytest.fixture
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(32, 48))


@pytest.fixture
def measure(model: Path, tmp_path: Path) -> Callable[..., FleetResult]:
    """Measures devices of these names at ``toy://NAME``."""

    def run(*devices: str | Device, progress: Any = lambda step: None, **job: Any) -> FleetResult:
        listed = tuple(Device(d, f"toy://{d}") if isinstance(d, str) else d for d in devices)
        bench = Bench(**{"models": (model,), "rounds": ROUNDS, "min_seconds": 0.0, **job})
        return run_fleet(Fleet(listed, bench, Kept(tmp_path / "f.json.d")), progress)

    return run


def _fail(error: LamaEdgeError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def _later(error: LamaEdgeError, after: int) -> Callable[[], None]:
    """Fail once so many calls were let through."""
    calls = iter(range(after))

    def fail() -> None:
        if next(calls, None) is None:
            raise error

    return fail


def test_a_document_has_each_device_in_the_files_order(
    toys: Toys, measure: Callable[..., FleetResult]
) -> None:
    steps: list[str] = []
    result = measure("b", "a", progress=steps.append)
    check_document(result.document, FLEET)
    assert [d["name"] for d in result.document["devices"]] == ["b", "a"]
    for device in result.document["devices"]:
        assert (device["target"], device["error"]) == ("toy", None)
        (run,) = check_document(device["result"], BENCH)["runs"]
        assert run["statistics"]["median_ms"] == 8
        assert len(run["rounds"]) == ROUNDS
    assert (result.exit_code, result.complete) == (0, True)
    assert sorted(toys.closed) == sorted(toys.opened) == ["toy://a", "toy://b"]
    assert {step.partition(":")[0] for step in steps} == {"a", "b"}


def test_devices_are_measured_at_once_and_those_of_one_address_in_turns(
    toys: Toys, measure: Callable[..., FleetResult]
) -> None:
    meeting = threading.Barrier(2)
    inside: list[int] = []
    together: list[int] = []

    def meet() -> None:
        meeting.wait(PATIENCE_S)

    def alone() -> None:
        inside.append(1)
        time.sleep(0.2)  # for another one to come in, where it can
        together.append(len(inside))
        inside.pop()

    toys.measuring = {"toy://phone": alone, "toy://pi": meet, "toy://pi2": meet}
    cpu = Device("phone-cpu", "toy://phone", provider="cpu")
    nnapi = Device("phone-nnapi", "toy://phone", provider="nnapi")
    result = measure(cpu, nnapi, "pi", "pi2")
    assert result.complete
    assert toys.opened.count("toy://phone") == 2
    assert together == [1] * 2 * ROUNDS


def test_this_machine_is_measured_alone_and_first(
    toys: Toys, measure: Callable[..., FleetResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lama_edge.benchmarks.targets.registry import TARGETS

    monkeypatch.setitem(TARGETS, "local", TARGETS["toy"])
    result = measure("a", Device("here", "local"), Device("here-1", "local", threads=1), "b")
    assert toys.opened[:2] == ["local", "local"]
    assert [d["name"] for d in result.document["devices"]] == ["a", "here", "here-1", "b"]
    threads = [d["result"]["runs"][0]["threads"] for d in result.document["devices"]]
    assert threads == [3, 3, 1, 3]


def test_what_a_device_is_measured_with_is_its_own(
    toys: Toys, measure: Callable[..., FleetResult]
) -> None:
    options = TargetOptions(remote_python="/venv/python", remote_folder="/data/x")
    own = Device("own", "toy://own", options, provider="cpu", threads=2)
    measure(own, "other", threads=1)
    assert toys.options["toy://own"] == options
    assert toys.options["toy://other"] == TargetOptions()


def test_a_model_that_is_not_there_is_refused_before_any_device_is_opened(
    toys: Toys, measure: Callable[..., FleetResult], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        measure("a", models=(tmp_path / "absent.onnx",))
    assert toys.opened == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LamaEdgeError("nobody answers at pi@dead:2222"), 2),
        (MissingBackendError("'adb' is not installed; apt-get install adb"), 3),
    ],
)
def test_a_dead_device_is_named_and_the_others_are_measured(
    toys: Toys, measure: Callable[..., FleetResult], error: LamaEdgeError, code: int
) -> None:
    toys.opening["toy://pi@dead:2222"] = _fail(error)
    result = measure("a", Device("gone", "toy://pi@dead:2222"), "b")
    first, dead, last = result.document["devices"]
    assert (first["error"], last["error"]) == (None, None)
    assert dead["result"] is None
    # The document names no address; the terminal does.
    assert dead["error"] == str(error).replace("pi@dead:2222", "gone")
    assert str(result.devices[1].failure) == str(error)
    assert (result.exit_code, result.complete) == (code, False)


def test_a_device_lost_half_way_has_no_result_and_the_next_run_completes(
    toys: Toys, measure: Callable[..., FleetResult], model: Path
) -> None:
    job = {"models": (model, model)}
    # The first of its two rows has all its rounds by then: half a device is not a result.
    toys.measuring["toy://cut"] = _later(LostError("the connection was lost"), after=3)
    result = measure("a", "cut", **job)
    whole, cut = result.document["devices"]
    assert (whole["error"], cut["result"]) == (None, None)
    assert cut["error"] == "the connection was lost"
    toys.opened.clear()
    toys.measuring.clear()
    again = measure("a", "cut", **job)
    assert (again.exit_code, again.complete) == (0, True)
    assert toys.opened == ["toy://cut"]
    assert again.document["devices"][0] == whole


def test_a_row_that_failed_belongs_to_the_result(
    toys: Toys, measure: Callable[..., FleetResult], model: Path
) -> None:
    failures = iter([ModelError("no beads left")])

    def once() -> None:
        for error in failures:
            raise error

    toys.measuring["toy://a"] = once
    for _ in range(2):
        result = measure("a", models=(model, model))
        (device,) = result.document["devices"]
        assert [run["error"] for run in device["result"]["runs"]] == ["no beads left", None]
        assert (result.exit_code, result.complete) == (2, True)
    assert toys.opened == ["toy://a"]


def test_a_device_that_measured_nothing_failed(
    toys: Toys, measure: Callable[..., FleetResult]
) -> None:
    toys.measuring["toy://a"] = _fail(MissingBackendError("no beads: buy some"))
    for _ in range(2):
        result = measure("a")
        assert result.document["devices"][0]["error"] == "no beads: buy some"
        assert (result.exit_code, result.complete) == (3, False)
    assert toys.opened == ["toy://a", "toy://a"]


def test_what_is_kept_answers_the_same_question_alone(
    toys: Toys, measure: Callable[..., FleetResult], model: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "m.onnx"
    copied.write_bytes(model.read_bytes())
    device = Device("a", "toy://a", TargetOptions(remote_folder="/x"))
    asked: list[tuple[Device, dict[str, Any]]] = [
        (device, {}),
        (device, {"rounds": 3}),
        (device, {"sizes": (Size(64, 64),)}),
        (replace(device, threads=1), {}),
        (replace(device, provider="cpu"), {}),
        (replace(device, target="toy://b"), {}),
        (replace(device, options=TargetOptions()), {}),
    ]
    for one, job in asked:
        before = len(toys.opened)
        for _ in range(2):
            measure(one, models=(copied,), **job)
        assert len(toys.opened) == before + 1
    before = len(toys.opened)
    content = bytearray(copied.read_bytes())
    copied.write_bytes(bytes(content.replace(b"ffc_resnet", b"ffc_RESNET", 1)))
    measure(asked[-1][0], models=(copied,))
    assert len(toys.opened) == before + 1


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"asked": 3}', None], ids=["empty", "cut", "list", "other", "-"]
)
def test_a_damaged_kept_result_is_measured_anew(
    toys: Toys, measure: Callable[..., FleetResult], tmp_path: Path, damage: bytes | None
) -> None:
    measure("a")
    file = tmp_path / "f.json.d/a.json"
    found = json.loads(file.read_text())
    del found["result"]["runs"][0]["rounds"]
    file.write_bytes(json.dumps(found).encode() if damage is None else damage)
    assert measure("a").complete
    assert toys.opened == ["toy://a"] * 2


def test_removing_what_is_kept_leaves_what_is_somebody_elses(
    toys: Toys, measure: Callable[..., FleetResult], tmp_path: Path
) -> None:
    kept = Kept.beside(tmp_path / "f.json")
    measure("a", "b")
    (kept.folder / "notes.txt").write_text("mine")
    kept.remove(["a"])
    assert {path.name for path in kept.folder.iterdir()} == {"b.json", "notes.txt"}
    (kept.folder / "notes.txt").unlink()
    kept.remove(["b", "never-there"])
    assert not kept.folder.exists()


def test_another_release_or_worker_measures_anew(
    toys: Toys,
    measure: Callable[..., FleetResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, worker = tmp_path / "b/lama-edge-worker", tmp_path / "b/lib/worker"
    worker.parent.mkdir(parents=True)
    for file in (script, worker):
        file.write_text("one")
    device = Device("a", "toy://a", TargetOptions(worker=script))
    measure(device)
    measure(device)
    assert toys.opened == ["toy://a"]
    worker.write_text("two")
    measure(device)
    assert toys.opened == ["toy://a"] * 2
    monkeypatch.setattr("lama_edge.__version__", "9.9.9")
    measure(device)
    assert toys.opened == ["toy://a"] * 3


def test_what_was_changed_while_a_device_was_measured_is_no_result_and_not_kept(
    toys: Toys, measure: Callable[..., FleetResult], model: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "m.onnx"
    copied.write_bytes(model.read_bytes())
    content = copied.read_bytes().replace(b"ffc_resnet", b"ffc_RESNET", 1)
    toys.measuring["toy://a"] = lambda: copied.write_bytes(content)
    result = measure("a", models=(copied,))
    (device,) = result.document["devices"]
    assert device["result"] is None
    assert "was changed while this device was measured" in device["error"]
    assert (result.exit_code, result.complete) == (2, False)
    assert not (tmp_path / "f.json.d" / "a.json").exists()
    toys.measuring.clear()
    assert measure("a", models=(copied,)).complete
