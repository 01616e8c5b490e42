"""Documents and pictures to report on, with figures as small devices give them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lama_edge.benchmarks.bench.summary import summarise
from lama_edge.benchmarks.documents.pictures import CasePictures, Picture

Document = dict[str, Any]
PICTURES = (
    ("periodic scene 1", "scene"), ("periodic scene 2", "scene"), ("scene 1", "scene"),
    ("astronaut", "photograph"), ("moon", "photograph"),
)  # fmt: skip
# Decibels that each picture is better or worse than the whole.
SPREAD_DB = (0.5, -3.0, 2.0, -1.0, 1.0)
BASE_BYTES, BASE_MS = 4_690_000, 412.0


def _figures(psnr_db: float | None, largest: float) -> Document:
    return {
        "max_abs_diff": largest, "mean_abs_diff": largest / 20, "psnr_db": psnr_db,
        "snr_db": None if psnr_db is None else psnr_db - 20, "levels_differing": 0.05,
        "ssim": 0.9991,
    }  # fmt: skip


def _closeness(psnr_db: float | None, largest: float, least_db: float | None) -> Document:
    by_picture = [None if psnr_db is None else round(psnr_db + off, 1) for off in SPREAD_DB]
    return {
        **_figures(psnr_db, largest), "passed": True, "tolerance": 0.5, "least_psnr_db": least_db,
        "known_changed": 0, "worst_psnr": {"picture": 1, "psnr_db": by_picture[1]},
        "largest": {"picture": 1, "row": 12, "column": 34},
        "pictures": [_figures(found, largest / 2) for found in by_picture],
    }  # fmt: skip


def _latency(speed: float | None) -> Document:
    median = BASE_MS / (speed or 1)
    return {
        "median_ms": median, "p90_ms": 1.1 * median, "spread": 0.02, "count": 30, "load_ms": 81.0,
        "peak_memory_bytes": 310_000_000, "rounds_ms": [[median] * 10] * 3, "warnings": [],
        "speed": None if speed is None
        else {"ratio": speed, "low": speed - 0.04, "high": speed + 0.04},
        "note": None,
    }  # fmt: skip


def precision_row(
    name: str, share: float, psnr_db: float | None, largest: float, speed: float | None
) -> Document:
    least = {"fp32": None, "fp16": 55.0}.get(name, 34.0)
    return {
        "precision": name, "error": None, "size_bytes": round(share * BASE_BYTES),
        "size_share": share, "numerics": {"calibration_pictures": 10} if speed else None,
        "judged_by": "emulator" if name == "fp16" else "onnxruntime",
        "closeness": _closeness(psnr_db, largest, least), "latency": _latency(speed),
    }  # fmt: skip


@pytest.fixture
def tradeoff_document() -> Document:
    """Every precision within tolerance; int8 the fastest, and as small as w8."""
    half = precision_row("fp16", 0.51, 71.8, 2.9e-3, 1.01)
    half["latency"]["note"] = "this runtime computes fp16 in float32"
    document = {
        "kind": "lama_edge.tradeoff", "schema_version": 2, "tool": "lama-edge 0.1.0",
        "measured_on": "2026-01-02",
        "environment": {
            "device": "Raspberry Pi 5 Model B", "chip": "Cortex-A76", "cores": 4,
            "memory_bytes": 8_300_000_000, "os": "Debian GNU/Linux 13", "machine": "aarch64",
            "python": "3.13.5", "packages": {"numpy": "2.3.5", "onnxruntime": "1.31.1"},
        },
        "checkpoint": {
            "name": "lama-tiny", "architecture": "ffc_resnet", "parameters": 1_160_000,
            "source_sha256": "ab" * 32,
        },
        "format": "onnx", "size": "512x512", "io": "float", "calibration": "drawn",
        "pictures": [
            {"name": name, "kind": kind, "hole_share": 0.31} for name, kind in PICTURES
        ],
        "timing": {
            "runtime": "onnxruntime 1.31.1", "provider": "cpu", "threads": 4, "rounds": 3,
            "min_runs": 10, "min_seconds": 3.0, "min_warmup_runs": 3, "min_warmup_ms": 200.0,
            "cool_down_s": 0.0,
        },
        "precisions": [
            precision_row("fp32", 1.0, None, 0.0, None),
            half,
            precision_row("w8", 0.29, 48.2, 0.08, 0.97),
            precision_row("int8", 0.28, 39.1, 0.31, 1.74),
        ],
    }  # fmt: skip
    copied: Document = json.loads(json.dumps(document))
    return copied


@pytest.fixture
def fail_precision() -> Callable[[Document, str, str], None]:
    """Makes a precision's row one that could not be exported or run."""

    def fail(document: Document, precision: str, error: str) -> None:
        (row,) = [row for row in document["precisions"] if row["precision"] == precision]
        row.update(error=error, size_bytes=None, size_share=None, numerics=None)
        row.update(judged_by=None, closeness=None, latency=None)

    return fail


MB = 10**6
PACKAGES = {"numpy": "2.3.5", "onnxruntime": "1.31.1", "pillow": "13.0.0"}
BOARD = {
    "device": "Raspberry Pi 5 Model B", "chip": "Cortex-A76", "cores": 4,
    "memory_bytes": 8_300_000_000, "os": "Debian GNU/Linux 13", "machine": "aarch64",
    "python": "3.13.5", "packages": PACKAGES,
}  # fmt: skip
LAPTOP = {
    "device": None, "chip": "AMD Ryzen 7 7840U", "cores": 16, "memory_bytes": 33_000_000_000,
    "os": "Ubuntu 24.04", "machine": "x86_64", "python": "3.12.3", "packages": PACKAGES,
}  # fmt: skip
PHONE = {
    "device": "Pixel 9", "chip": "unknown", "cores": 8, "memory_bytes": 8 << 30, "os": "Android 16",
    "machine": "arm64",
    "browser": {"name": "Chrome", "version": "156.0.8078.5", "isolated": True},
    "gpu": {"vendor": "arm", "architecture": "valhall", "description": "", "shader_f16": True},
}  # fmt: skip
SETTINGS = {
    "min_warmup_ms": 200, "min_warmup_runs": 3, "min_seconds": 3, "min_runs": 10, "rounds": 3,
    "cool_down_s": 0, "max_temperature_c": None, "cool_timeout_s": None, "sustained_s": None,
}  # fmt: skip


def model(name: str, precision: str, size_bytes: int, io: str = "float") -> dict[str, Any]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {
        "name": name, "format": "onnx", "sha256": digest, "size_bytes": size_bytes,
        "precision": precision, "io": io, "dft": "matmul", "architecture": "ffc_resnet",
        "parameters": 27_048_835, "source_sha256": digest[::-1],
    }  # fmt: skip


def quality(largest: float, tolerance: float, psnr: float | None, snr: float | None) -> Any:
    return {
        "reference": "torch-fp32", "max_abs_diff": largest, "tolerance": tolerance,
        "psnr_db": psnr, "snr_db": snr, "sizes": ["64x96", "256x192"], "passed": True,
        "least_psnr_db": None if tolerance == 1e-4 else 55.0,
    }  # fmt: skip


def sensors(clock: float, temperature: float, throttled: int) -> dict[str, Any]:
    return {
        "clock_mhz": [clock, clock + 4], "temperature_c": {"cpu": temperature},
        "throttled": throttled, "power_w": None, "power_mode": None, "governor": "performance",
        "battery": {"percent": 81.0, "status": "Discharging"}, "clocks_pinned": False,
    }  # fmt: skip


def rounds(median: float, share: float, runs: int = 10) -> list[dict[str, Any]]:
    rng = np.random.default_rng(int(median * 1000))
    made = []
    for index in range(3):
        samples = median * (1 + share * rng.gamma(2.0, 1.0, runs) / 2 - share * 0.7)
        made.append(
            {
                "load_ms": median * 2.1, "first_run_ms": float(samples[0] * 1.6),
                "warmup_ms": [float(samples[0] * 1.6), median * 1.1, median * 1.02],
                "samples_ms": [float(sample) for sample in samples], "other_load": 0.03 * index,
                "waited": None,
                "sensors": {"before": sensors(2400, 48, 0), "after": sensors(2392, 63, index)},
            }
        )  # fmt: skip
    return made


def bench_run(
    of: dict[str, Any],
    figures: tuple[float, float, int | None] | None,
    *,
    size: str = "512x512",
    threads: int = 4,
    judged: Any = None,
    proof: Any = None,
    sustained: Any = None,
    warnings: tuple[str, ...] = (),
    error: str | None = None,
) -> dict[str, Any]:
    """Make a run from its median in ms, its relative spread and its peak memory."""
    made = rounds(*figures[:2]) if figures else []
    first = {"load_ms": made[0]["load_ms"] * 4, "run_ms": made[0]["first_run_ms"]} if made else None
    return {
        "model": of, "target": "local",
        "program": {"name": "python", "version": "0.1.0", "sha256": None},
        "runtime": "onnxruntime 1.31.1", "provider": "cpu",
        "threads": threads, "size": size, "batch": 1, "first": first, "rounds": made,
        "sustained": sustained, "memory_bytes": figures[2] if figures else None,
        "placement": {"providers": {"CPUExecutionProvider": 212}, "fell_back": []},
        "parity": proof,
        "statistics": summarise(made, first=first, sustained=sustained) if made else None,
        "quality": judged, "warnings": list(warnings), "error": error,
    }  # fmt: skip


def bench(environment: dict[str, Any], runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "lama_edge.bench", "schema_version": 3, "protocol": 2, "tool": "lama-edge 0.1.0",
        "measured_on": "2026-11-22", "environment": environment, "settings": SETTINGS,
        "runs": runs,
    }  # fmt: skip


def parity_of(largest: float) -> dict[str, Any]:
    """Return the parity of an fp32 row whose largest difference is this."""
    return {
        "reference": "lama-fourier in numpy 2.3.5", "max_abs_diff": largest, "tolerance": 1e-4,
        "psnr_db": 117.4, "least_psnr_db": None, "passed": largest <= 1e-4,
    }  # fmt: skip


def sustained_run(begin_ms: float, end_ms: float, seconds: float = 600.0) -> dict[str, Any]:
    """Return runs that go from one latency to another after a minute, and stay there."""
    at_s, samples = [0.0], [begin_ms]
    while (now := at_s[-1] + samples[-1] / 1e3) < seconds:
        at_s.append(now)
        risen = min(1.0, max(0.0, (now - 60) / 180))
        samples.append(begin_ms + (end_ms - begin_ms) * risen)
    watched = [
        {"at_s": 0.0, "clock_mhz": [2400.0], "temperature_c": {"cpu": 41.0}, "throttled": 0},
        {"at_s": at_s[-1], "clock_mhz": [1800.0], "temperature_c": {"cpu": 78.0}, "throttled": 9},
    ]
    return {"asked_s": seconds, "at_s": at_s, "samples_ms": samples, "watched": watched}


def unshared(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as a file gives it, so that a test may change one place alone."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied


@pytest.fixture
def bench_documents() -> list[dict[str, Any]]:
    """Two devices; on the first a warning, a crash and a second size."""
    fourier = model("lama-fourier.onnx", "fp32", 108_300_000)
    half = model("lama-fourier-fp16.onnx", "fp16", 54_300_000, "uint8")
    tiny = model("lama-tiny.onnx", "fp32", 4_210_000)
    big = model("big-lama.onnx", "fp32", 204_100_000)
    close, wide = quality(1.5e-6, 1e-4, 118.2, 96.4), quality(7.1e-3, 2e-2, 57.3, 36.0)
    same = quality(0.0, 1e-4, None, None)
    spread = "the middle half of the samples is spread over 14% of the median: something else ran"
    killed = "the process was killed by SIGKILL: the system may have run out of memory"
    board = [
        bench_run(
            fourier,
            (6210.0, 0.02, 1_610_000_000),
            judged=close,
            proof=parity_of(1.7e-6),
            sustained=sustained_run(6210.0, 9315.0),
        ),
        bench_run(half, (3394.0, 0.14, 910_000_000), judged=wide, warnings=(spread,)),
        bench_run(tiny, (412.0, 0.03, 310_000_000), judged=same),
        bench_run(big, None, error=killed),
        bench_run(tiny, (107.0, 0.03, None), size="256x256", judged=same),
    ]
    laptop = [
        bench_run(fourier, (1180.0, 0.03, 1_700_000_000), threads=8, judged=close),
        bench_run(tiny, (61.5, 0.05, 330_000_000), threads=8, judged=same),
        bench_run(big, (2315.0, 0.02, 3_300_000_000), threads=8, judged=close),
    ]
    documents = [unshared(bench(BOARD, board)), unshared(bench(LAPTOP, laptop))]
    documents[0]["settings"]["sustained_s"] = 600.0
    return documents


@pytest.fixture
def page_document() -> dict[str, Any]:
    """A phone that was measured by its browser, with WebGPU and without."""
    tiny = model("lama-tiny.onnx", "fp32", 4_210_000)
    runs = [bench_run(tiny, (31.0, 0.02, 90_000_000), proof=parity_of(1.7e-6)) for _ in range(2)]
    program = {"name": "lama-edge-web", "version": "0.1.0", "sha256": "ab" * 32}
    for run, provider in zip(runs, ("webgpu", "wasm"), strict=True):
        run |= {"target": "browser", "provider": provider, "program": program}
        run |= {"runtime": "onnxruntime-web 1.30.0"}
    return unshared(bench(PHONE, runs))


def parity_case(name: str, size: str, largest: float, **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "size": size, "hole_share": 0.31, "touches_border": True,
        "max_abs_diff": largest, "mean_abs_diff": largest / 9, "psnr_db": 121.4, "snr_db": 99.2,
        "ssim": 0.99998, "levels_differing": 0.00004, "known_changed": 0.0, **changes,
    }  # fmt: skip


def parity_row(of: dict[str, Any], scale: float, tolerance: float) -> dict[str, Any]:
    cases = [
        parity_case("seeded 64x96", "64x96", 0.8 * scale),
        parity_case("seeded 136x88", "136x88", scale, psnr_db=119.8),
        parity_case("chelsea.png", "304x456", 0.4 * scale, hole_share=0.08, touches_border=False),
    ]
    keys = ("max_abs_diff", "mean_abs_diff", "psnr_db", "snr_db", "ssim", "levels_differing")
    return {
        "model": of, "runtime": "onnxruntime 1.31.1 cpu", "passed": scale <= tolerance,
        "tolerance": tolerance, "tolerance_needed": scale, "least_psnr_db": None, "error": None,
        "worst": {key: cases[1][key] for key in keys}, "cases": cases, "first_difference": None,
    }  # fmt: skip


@pytest.fixture
def parity_document() -> dict[str, Any]:
    """One model that passes, one that fails with its first difference, one that crashed."""
    passing = parity_row(model("lama-fourier.onnx", "fp32", 108_300_000), 1.5e-6, 1e-4)
    failing = parity_row(model("flipped-pad.onnx", "fp32", 108_300_000), 0.21, 1e-4)
    failing["first_difference"] = {
        "tensor": "model.34/conv", "op": "Conv", "max_abs_diff": 0.34, "position": [0, 2, 0, 41],
        "checked": 512,
    }  # fmt: skip
    crashed = parity_row(model("big-lama.onnx", "fp32", 204_100_000), 1.0, 1e-4)
    crashed.update(
        passed=False, tolerance=None, tolerance_needed=None, least_psnr_db=None,
        worst=None, cases=[], runtime=None,
        error="the process was killed by SIGKILL: the system may have run out of memory",
    )  # fmt: skip
    return unshared(
        {
            "kind": "lama_edge.parity", "schema_version": 2, "tool": "lama-edge 0.1.0",
            "environment": LAPTOP,
            "reference": {
                "name": "lama-fourier", "format": "checkpoint", "sha256": "ab" * 32,
                "runtime": "torch 2.13.0 cpu",
            },
            "models": [passing, failing, crashed],
        }
    )  # fmt: skip


def scene(height: int, width: int) -> tuple[Any, Any]:
    """Draw smooth colours and a hole that touches the left border."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / 9 + phase) * np.cos(columns / 13 - phase) for phase in (0.0, 1.0, 2.0)]
    image = np.rint(127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)
    return image, (rows - height / 2) ** 2 + (columns / 2) ** 2 < (height / 3) ** 2


@pytest.fixture
def bench_pictures() -> list[Picture]:
    image, hole = scene(240, 320)
    return [Picture(run=0, image=image, hole=hole, output=image[::-1].copy())]


@pytest.fixture
def case_pictures() -> list[CasePictures]:
    shown = []
    for index, scale in ((0, 1.5e-6), (1, 0.21)):
        image, hole = scene(136, 88)
        rng = np.random.default_rng(index)
        difference = np.where(hole, scale * rng.random(hole.shape) ** 2, 0).astype(np.float32)
        shown.append(CasePictures(index, 1, image, hole, image, image.copy(), difference))
    return shown
