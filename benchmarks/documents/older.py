"""Documents of older versions, brought to the next one: what they do not tell becomes None."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from lama_edge.benchmarks.documents.verdicts import closeness_verdict

_WORKER = "lama-edge-worker"
# How versions 1 and 2 marked the runtime of rows that were measured without Python.
_BY_WORKER = "(C++ worker)"


def newer(document: dict[str, Any], version: int) -> dict[str, Any]:
    """Return a copy of a document of the version before `version` in that version.

    Of reduced precisions, bench's version 1 cannot tell whether the figures passed: ``passed``
    becomes None. Its versions 1 and 2 become documents of protocol 1: their memory is that of the
    measuring process, and the first loading, placement, parity and the program's version are None.
    """
    document = deepcopy(document)
    document["schema_version"] = version
    if version == 2:
        _second(document)
    elif version == 3:
        _third(document)
    return document


def _second(document: dict[str, Any]) -> None:
    if document["kind"] == "lama_edge.tradeoff":
        document["format"] = "onnx"  # the one that version 1 could weigh
    for run in document.get("runs", ()):
        if (quality := run["quality"]) is not None:
            # Of reduced precisions a PSNR was asked that the document does not tell.
            within = quality["max_abs_diff"] <= quality["tolerance"]
            known = run["model"]["precision"] == "fp32" or not within
            quality.update(least_psnr_db=None, passed=within if known else None)
    for row in document.get("precisions", ()):
        if (found := row["closeness"]) is not None:
            # Version 1 went by the PSNR over all pictures together.
            found["passed"] = closeness_verdict(found).passed


def _third(document: dict[str, Any]) -> None:
    """Bench alone has a third version."""
    document["protocol"] = 1
    document["settings"].update(dict.fromkeys(("max_temperature_c", "cool_timeout_s")))
    document["settings"]["sustained_s"] = None
    usual = "python" if "python" in document["environment"] else "unknown"
    for run in document["runs"]:
        name = _WORKER if (run["runtime"] or "").endswith(_BY_WORKER) else usual
        run["program"] = {"name": name, "version": None, "sha256": None}
        run.update(dict.fromkeys(("first", "sustained", "memory_bytes", "placement", "parity")))
        if (found := run["statistics"]) is not None:
            run["memory_bytes"] = found.pop("peak_memory_bytes")
            found["cold_load_ms"] = found.pop("load_ms")
            found["cold_run_ms"] = found.pop("first_run_ms")
            found.update(dict.fromkeys(("first_load_ms", "first_run_ms", "sustained_ratio")))
        for one in run["rounds"]:
            del one["peak_memory_bytes"]
            one["waited"] = None
            for sensors in one["sensors"].values():
                sensors.update(battery=None, clocks_pinned=None)
