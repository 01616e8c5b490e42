"""Compares two results of a fleet, device by device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lama_edge.benchmarks.bench.compare import THRESHOLD, Comparison, compare
from lama_edge.errors import LamaEdgeError, UsageError


def compare_fleets(
    base: Mapping[str, Any], new: Mapping[str, Any], *, threshold: float = THRESHOLD
) -> dict[str, Comparison | LamaEdgeError]:
    """Compare what each device did in two documents of a fleet.

    Args:
        base: the older one.
        new: the newer one.
        threshold: smallest relative change that counts.

    Returns:
        By the names of the base's devices: the comparison of the two results, see `compare`, or
        why there is none, such as conditions that differ or a result that is missing.

    Raises:
        UsageError: when no device is in both.
    """
    later = {device["name"]: device for device in new["devices"]}
    if not any(device["name"] in later for device in base["devices"]):
        raise UsageError(
            "no device is in both documents: "
            f"{_names(base)} against {_names(new)}; give devices the same names"
        )
    return {
        device["name"]: _compared(device, later.get(device["name"]), threshold)
        for device in base["devices"]
    }


def _compared(
    base: Mapping[str, Any], new: Mapping[str, Any] | None, threshold: float
) -> Comparison | LamaEdgeError:
    if new is None:
        return UsageError("it is not in the new document")
    for document, which in ((base, "base"), (new, "new")):
        if document["result"] is None:
            return UsageError(f"it has no result in the {which} document: {document['error']}")
    try:
        return compare(base["result"], new["result"], threshold=threshold)
    except LamaEdgeError as error:
        return error


def _names(document: Mapping[str, Any]) -> str:
    return ", ".join(device["name"] for device in document["devices"])
