"""A trade-off between four precisions and one that failed, with figures as a small device gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

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
