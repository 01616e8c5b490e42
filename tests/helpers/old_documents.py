"""Documents of bench as older releases wrote them, made from new ones."""

from __future__ import annotations

import json
from typing import Any


def in_version_2(document: dict[str, Any]) -> dict[str, Any]:
    """Return what version 2 would have said, peak memory in every round."""
    old: dict[str, Any] = json.loads(json.dumps(document))
    old["schema_version"] = 2
    del old["protocol"]
    for name in ("max_temperature_c", "cool_timeout_s", "sustained_s"):
        del old["settings"][name]
    for run in old["runs"]:
        for name in ("program", "first", "sustained", "placement", "parity"):
            del run[name]
        peak = run.pop("memory_bytes")
        if (found := run["statistics"]) is not None:
            for name in ("first_load_ms", "first_run_ms", "sustained_ratio"):
                del found[name]
            found["load_ms"] = found.pop("cold_load_ms")
            found["first_run_ms"] = found.pop("cold_run_ms")
            found["peak_memory_bytes"] = peak
        for one in run["rounds"]:
            del one["waited"]
            one["peak_memory_bytes"] = peak
            for sensors in one["sensors"].values():
                del sensors["battery"], sensors["clocks_pinned"]
    return old


def in_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """Return what version 1 would have said, which had no verdict on quality."""
    old = in_version_2(document)
    old["schema_version"] = 1
    for run in old["runs"]:
        if run["quality"]:
            for name in ("passed", "least_psnr_db"):
                run["quality"].pop(name, None)
    return old
