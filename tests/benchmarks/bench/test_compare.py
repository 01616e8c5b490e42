"""Comparison of two bench documents: found regressions, silence, and refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lama_edge.benchmarks.bench.bootstrap import ratio_interval
from lama_edge.benchmarks.bench.compare import Comparison, compare
from lama_edge.errors import UsageError

IDLE = {
    "power_mode": "MAXN", "governor": "performance", "clocks_pinned": True,
    "battery": {"percent": 80, "status": "Charging"},
}  # fmt: skip
TRIALS, SAMPLES, NOISE, PLANTED = 100, 30, 0.03, 1.05
# Of 2000 trials, seeds 0 to 1999: 1997 planted ones were found, and 19 where none was planted.
FOUND_AT_LEAST, SILENT_AT_LEAST = 95, 95


def _document(*rows: tuple[str, list[Any]]) -> dict[str, Any]:
    return {
        "protocol": 2,
        "environment": {
            "device": "a board",
            "chip": "a chip",
            "cores": 4,
            "memory_bytes": 1 << 30,
            "os": "an OS",
            "machine": "x86_64",
            "python": "3.11.7",
        },
        "runs": [_run(name, rounds) for name, rounds in rows],
    }


def _run(name: str, rounds: list[Any]) -> dict[str, Any]:
    return {
        "model": {
            "name": name,
            "format": "onnx",
            "size_bytes": 1000,
            "precision": "fp32",
            "io": "float",
            "dft": "matmul",
            "architecture": "ffc_resnet",
            "parameters": 10,
        },
        "target": "local",
        "program": {"name": "python", "version": "0.1.0", "sha256": None},
        "runtime": "onnxruntime 1.31.1",
        "provider": "cpu",
        "threads": 4,
        "size": "512x512",
        "batch": 1,
        "rounds": [
            {"samples_ms": list(samples), "sensors": {"before": dict(IDLE), "after": dict(IDLE)}}
            for samples in rounds
        ],
        "statistics": {"cold_load_ms": 80.0},
        "memory_bytes": 4000,
        "parity": None,
        "warnings": [],
        "error": None,
    }


def _noise(seed: int, factor: float = 1.0, count: int = SAMPLES) -> Any:
    rng = np.random.default_rng(seed)
    return 100 * factor * (1 + NOISE * rng.standard_normal(count))


def _trial(seed: int, factor: float) -> Comparison:
    base = _document(("t.onnx", [_noise(2 * seed)]))
    return compare(base, _document(("t.onnx", [_noise(2 * seed + 1, factor)])))


def test_a_planted_regression_is_found() -> None:
    found = sum(_trial(seed, PLANTED).regressed for seed in range(TRIALS))
    assert found >= FOUND_AT_LEAST


def test_without_a_planted_regression_it_is_silent() -> None:
    silent = sum(not _trial(seed, 1.0).regressed for seed in range(TRIALS))
    assert silent >= SILENT_AT_LEAST


def test_a_planted_gain_is_called_faster_and_is_no_regression() -> None:
    comparison = _trial(0, 1 / PLANTED)
    assert [row.verdict for row in comparison.rows] == ["faster"]
    assert not comparison.regressed


def test_a_document_against_itself_is_the_same() -> None:
    document = _document(("a.onnx", [_noise(0), _noise(1)]), ("b.onnx", [_noise(2)]))
    comparison = compare(document, document)
    for row in comparison.rows:
        assert row.ratio == row.peak_memory_ratio == row.load_ratio == row.size_ratio == 1
        assert row.ratio_low <= 1 <= row.ratio_high
        assert row.verdict == "same"
    assert not comparison.regressed
    assert comparison.notes == ()


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(200):
        low, high = ratio_interval([_noise(2 * seed)], [_noise(2 * seed + 1, 1.2)], seed=seed)
        hits += low <= 1.2 <= high
    assert (
        180 <= hits <= 199
    )  # 1926 of 2000 were measured, so 193 here, give or take 2.7 (one sigma)


def test_rounds_that_disagree_widen_the_interval() -> None:
    """Many samples of few processes are not many independent ones."""
    steady = [_noise(seed, count=200) for seed in range(3)]
    jumping = [_noise(seed, 1 + 0.05 * seed, count=200) for seed in range(3)]
    narrow = ratio_interval(steady, steady, seed=0)
    wide = ratio_interval(steady, jumping, seed=0)
    pooled = ratio_interval(steady, [np.concatenate(jumping)], seed=0)
    assert wide[1] - wide[0] > 5 * (narrow[1] - narrow[0])
    assert wide[1] - wide[0] > 2 * (pooled[1] - pooled[0])


def test_rounds_of_different_length_are_drawn_from_whole() -> None:
    low, high = ratio_interval(
        [np.array([1.0])], [np.array([2.0, 2.0, 2.0]), np.array([3.0])], seed=0
    )
    assert (low, high) == (2.0, 3.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    pair = ([_noise(0)], [_noise(1)])
    assert ratio_interval(*pair, seed=1) == ratio_interval(*pair, seed=1)
    assert ratio_interval(*pair, seed=1) != ratio_interval(*pair, seed=2)


@pytest.mark.parametrize(("threshold", "verdict"), [(0.02, "slower"), (0.08, "same")])
def test_a_change_below_the_threshold_is_no_regression(threshold: float, verdict: str) -> None:
    base = _document(("t.onnx", [_noise(0, count=2000)]))
    new = _document(("t.onnx", [_noise(1, 1.05, count=2000)]))
    comparison = compare(base, new, threshold=threshold)
    assert comparison.rows[0].verdict == verdict
    assert comparison.rows[0].ratio_low > 1


def test_a_change_within_the_noise_is_no_regression() -> None:
    base = _document(("t.onnx", [100 + 40 * np.sin(np.arange(30))]))
    new = _document(("t.onnx", [104 + 40 * np.sin(np.arange(30))]))
    assert compare(base, new).rows[0].ratio > 1.02
    assert not compare(base, new).regressed


def test_rows_are_paired_by_name_and_lonely_ones_are_noted() -> None:
    base = _document(("a.onnx", [_noise(0)]), ("b.onnx", [_noise(1)]))
    new = _document(("c.onnx", [_noise(2)]), ("b.onnx", [_noise(3, 1.5)]), ("a.onnx", [_noise(4)]))
    comparison = compare(base, new)
    assert [row.base for row in comparison.rows] == [
        "a.onnx at 512x512 on cpu",
        "b.onnx at 512x512 on cpu",
    ]
    assert [row.verdict for row in comparison.rows] == ["same", "slower"]
    assert comparison.notes == ("c.onnx at 512x512 on cpu is in the new document only",)


def test_two_single_rows_are_a_pair_whatever_they_are_called() -> None:
    new = _document(("b.onnx", [_noise(1, 0.5)]))
    new["runs"][0]["model"].update(precision="fp16", size_bytes=500)
    new["runs"][0]["memory_bytes"] = None
    comparison = compare(_document(("a.onnx", [_noise(0)])), new)
    [row] = comparison.rows
    assert (row.base, row.new) == ("a.onnx at 512x512 on cpu", "b.onnx at 512x512 on cpu")
    assert (row.size_ratio, row.peak_memory_ratio) == (0.5, None)
    assert "precision is fp32 in the base and fp16" in comparison.notes[0]
    [line, note] = comparison.lines()
    assert line.startswith("faster  b.onnx at 512x512 on cpu against a.onnx")
    assert "load 1.000, model size 0.500" in line
    assert "peak memory" not in line
    assert note == f"note: {comparison.notes[0]}"


def test_a_stranger_s_names_reach_no_terminal_as_they_are() -> None:
    document = _document(("t\x1b[2J\ud800.onnx", [_noise(0)]))
    document["runs"][0]["warnings"] = ["\x07"]
    assert all(line.isprintable() for line in compare(document, document).lines())


def test_another_version_is_compared_and_noted() -> None:
    new = _document(("t.onnx", [_noise(1)]))
    new["runs"][0]["runtime"] = "onnxruntime 1.32.0"
    new["environment"]["python"] = "3.12.1"
    notes = compare(_document(("t.onnx", [_noise(0)])), new).notes
    assert notes == (
        "onnxruntime is 1.31.1 in the base and 1.32.0 in the new document",
        "python is 3.11.7 in the base and 3.12.1 in the new document",
    )


def test_a_machine_without_python_is_noted() -> None:
    new = _document(("t.onnx", [_noise(1)]))
    del new["environment"]["python"]
    notes = compare(_document(("t.onnx", [_noise(0)])), new).notes
    assert notes == ("python is 3.11.7 in the base and unknown in the new document",)


CHROMIUM = {"name": "Chromium", "version": "156.0", "isolated": True}
GPU = {"vendor": "qualcomm", "architecture": "adreno-7xx", "description": "", "shader_f16": True}


def test_pages_are_compared_in_one_browser_on_one_gpu_whatever_its_version() -> None:
    base, new = (_document(("t.onnx", [_noise(seed)])) for seed in (0, 1))
    base["environment"] |= {"browser": CHROMIUM, "gpu": GPU}
    new["environment"] |= {"browser": {**CHROMIUM, "version": "157.0"}, "gpu": None}
    assert compare(base, new).notes == (
        "browser is 156.0 in the base and 157.0 in the new document",
    )
    for change, said in (
        ({"browser": {**CHROMIUM, "name": "Firefox"}}, "browser is 'Chromium'.*'Firefox'"),
        ({"browser": {**CHROMIUM, "isolated": False}}, "'Chromium'.*'Chromium, not isolated'"),
        ({"gpu": {**GPU, "architecture": "adreno-6xx"}}, "gpu is .*7xx.*6xx"),
    ):
        new["environment"].update({"browser": CHROMIUM, "gpu": GPU, **change})
        with pytest.raises(UsageError, match=said):
            compare(base, new)


def test_warnings_of_either_side_are_passed_on() -> None:
    new = _document(("t.onnx", [_noise(1)]))
    new["runs"][0]["warnings"] = ["only 9 samples"]
    assert compare(_document(("t.onnx", [_noise(0)])), new).notes == (
        "new, t.onnx at 512x512 on cpu: only 9 samples",
    )


def _environment(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["environment"].update({name: value})


def _row(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["runs"][0].update({name: value})


def _model(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["runs"][0]["model"].update({name: value})


def _sensed(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Change what the sensors say at the end of the last round alone."""
    return lambda document: document["runs"][0]["rounds"][-1]["sensors"]["after"].update(
        {name: value}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_environment("device", None), "environment.device is 'a board' in the base and None"),
        (_environment("chip", "B"), "environment.chip is 'a chip' in the base and 'B'"),
        (_environment("cores", 8), "environment.cores is 4 in the base and 8"),
        (_environment("machine", "aarch64"), "environment.machine is 'x86_64'.*'aarch64'"),
        (_row("target", "ssh"), "target is 'local' in the base and 'ssh'"),
        (_row("provider", "cuda"), "provider is 'cpu' in the base and 'cuda'"),
        (_row("runtime", "torch 2.13.0"), "runtime is 'onnxruntime' in the base and 'torch'"),
        (_row("threads", 1), "threads is 4 in the base and 1"),
        (_row("size", "64x64"), "size is '512x512' in the base and '64x64'"),
        (_row("batch", 2), "batch is 1 in the base and 2"),
        (_model("io", "uint8"), "io is 'float' in the base and 'uint8'"),
        (_model("architecture", "pix2pixhd"), "architecture is 'ffc_resnet'.*'pix2pixhd'"),
        (_sensed("clocks_pinned", False), "clocks_pinned is 'True' in the base and 'False, True'"),
        (_sensed("power_mode", "15W"), "power_mode is 'MAXN' in the base and '15W, MAXN'"),
        (_sensed("governor", "schedutil"), "governor is 'performance'.*'performance, schedutil'"),
        (
            _sensed("battery", {"percent": 80, "status": "Discharging"}),
            "charging is 'True' in the base and 'False, True'",
        ),
    ],
)
def test_what_is_not_comparable_is_refused_with_both_values(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    change(new)
    with pytest.raises(UsageError, match=f"not comparable: .*{message}"):
        compare(base, new)


@pytest.mark.parametrize(
    ("name", "value", "note"),
    [
        (
            "clocks_pinned",
            None,
            "clocks_pinned is True in the base and unknown in the new document",
        ),
        ("battery", None, "charging is True in the base and unknown in the new document"),
        (
            "battery",
            {"percent": 80, "status": "Unknown"},
            "charging is True in the base and unknown in the new document",
        ),
    ],
)
def test_a_condition_that_one_side_does_not_tell_is_noted(name: str, value: Any, note: str) -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    for moment in new["runs"][0]["rounds"][0]["sensors"].values():
        moment[name] = value
    assert compare(base, new).notes == (note,)
    assert compare(new, new).notes == ()


@pytest.mark.parametrize("status", ["Full", "Not charging", "charging"])
def test_a_battery_that_is_not_drained_is_on_the_mains(status: str) -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    _sensed("battery", {"percent": 99, "status": status})(new)
    assert compare(base, new).notes == ()


def test_between_protocols_memory_and_loading_have_no_ratio_and_that_is_said() -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    base["protocol"] = 1
    comparison = compare(base, new)
    [row] = comparison.rows
    assert (row.ratio, row.size_ratio) == (1, 1)
    assert row.peak_memory_ratio is row.load_ratio is None
    [note] = comparison.notes
    assert "the protocol is 1 in the base and 2 in the new document: memory and loading" in note
    assert "peak memory" not in next(comparison.lines())


def test_a_row_whose_parity_failed_is_refused() -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    new["runs"][0]["parity"] = {"reference": "lama-tiny in numpy 2.3.5", "passed": False}
    with pytest.raises(
        UsageError, match=r"the new row of t\.onnx .* something else than .*lama-tiny"
    ):
        compare(base, new)
    new["runs"][0]["parity"]["passed"] = True
    assert not compare(base, new).regressed


def _by_worker(document: dict[str, Any], factor: float = 1.0) -> dict[str, Any]:
    run = copy.deepcopy(document["runs"][0])
    run["program"]["name"] = "lama-edge-worker"
    run["rounds"][0]["samples_ms"] = [factor * one for one in run["rounds"][0]["samples_ms"]]
    return run


def test_rows_of_a_worker_are_compared_with_pythons() -> None:
    base = _document(("t.onnx", [_noise(0)]), ("u.onnx", [_noise(1)]))
    new = copy.deepcopy(base)
    for run in new["runs"]:
        run["program"]["name"] = "lama-edge-worker"
    comparison = compare(base, new)
    assert [row.ratio for row in comparison.rows] == [1, 1]
    assert (
        "t.onnx at 512x512 on cpu: run by python in the base and by lama-edge-worker"
        in (comparison.notes[0])
    )


def test_rows_of_both_programs_are_compared_each_with_its_own() -> None:
    base = _document(("t.onnx", [_noise(0)]))
    new = copy.deepcopy(base)
    base["runs"].append(_by_worker(base))
    new["runs"].insert(0, _by_worker(new, 2.0))
    comparison = compare(base, new)
    assert [(row.base.rpartition(" in ")[2], row.ratio) for row in comparison.rows] == [
        ("python", 1), ("lama-edge-worker", 2),
    ]  # fmt: skip
    assert comparison.notes == ()


def test_rows_without_figures_or_partner_are_refused() -> None:
    base = _document(("t.onnx", [_noise(0)]))
    failed = copy.deepcopy(base)
    failed["runs"][0].update(statistics=None, error="killed by SIGKILL")
    with pytest.raises(UsageError, match=r"new row of t\.onnx.* no figures: killed by SIGKILL"):
        compare(base, failed)
    with pytest.raises(UsageError, match=r"base row of t\.onnx.* no figures"):
        compare(failed, base)
    others = _document(("a.onnx", [_noise(0)]), ("b.onnx", [_noise(0)]))
    with pytest.raises(UsageError, match=r"no row in common: t\.onnx.* against a\.onnx.*b\.onnx"):
        compare(base, others)
    twice = _document(("t.onnx", [_noise(0)]), ("t.onnx", [_noise(0)]))
    with pytest.raises(UsageError, match=r"the new document has two rows of t\.onnx"):
        compare(base, twice)


@pytest.mark.parametrize("threshold", [-0.01, float("nan"), float("inf")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    document = _document(("t.onnx", [_noise(0)]))
    with pytest.raises(UsageError, match="threshold"):
        compare(document, document, threshold=threshold)


def test_samples_of_no_duration_are_refused() -> None:
    document = _document(("t.onnx", [[0.0, 1.0]]))
    with pytest.raises(UsageError, match="no duration"):
        compare(document, document)
