"""The page of a fleet: that of a benchmark, with the devices called as the user calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lama_edge.benchmarks.documents.store import FLEET
from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.benchmarks.reports.page import device_name, require
from lama_edge.benchmarks.reports.runs import Document


def fleet_page(
    document: Document, *, beside: Sequence[Document] = (), show_failed: bool = False
) -> str:
    """Return one self-contained HTML page about a fleet's document.

    Args:
        document: a fleet's that fits its schema.
        beside: benchmark documents to show as further devices.
        show_failed: whether to show the times of runs whose parity failed, struck through.

    Raises:
        DocumentError: when a document does not fit its schema.
        MissingBackendError: when jinja2 is not installed.
    """
    devices = require(document, FLEET)["devices"]
    results = [_named(device) for device in devices if device["result"] is not None]
    missing = {device["name"]: device["error"] for device in devices if device["result"] is None}
    return bench_page([*results, *beside], missing=missing, show_failed=show_failed)


def _named(device: Document) -> dict[str, Any]:
    """Return a device's result, whose device is called by both names."""
    environment = device["result"]["environment"]
    name = f"{device['name']} ({device_name(environment)})"
    return {**device["result"], "environment": {**environment, "device": name}}
