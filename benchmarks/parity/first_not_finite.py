"""Finds the first value inside an exported model that is infinite or NaN, operator by operator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.arrays import load_arrays
from lama_edge.forms import to_model
from lama_edge.runtimes.emulator.execution import open_observable
from lama_edge.runtimes.emulator.survey import first_not_finite


def first_value_not_finite(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run a model in the emulator up to the first value that is not finite.

    Models of reduced precision are searched for nothing else: their values are scaled otherwise
    than the reference's of the same name.

    Args:
        payload: ``model``, a file or package with a manifest, see `open_runner`; and ``picture``,
            a file with a picture and its hole.

    Returns:
        As `first_difference.first_difference` does; the difference has no
        size and no place.

    Raises:
        ModelError: when the model cannot be read or run.
    """
    picture, hole = load_arrays(Path(payload["picture"]))
    with open_observable(payload["model"]) as runner:
        manifest = runner.manifest
        image, mask = to_model(manifest.io, picture, hole)
        feeds = {manifest.io.image.name: image, manifest.io.mask.name: mask}
        found = first_not_finite(runner.program, feeds)
    if found is None:
        reason = f"every value is finite, and those of {manifest.precision} graphs are not compared"
        return {"first_difference": None, "reason": reason}
    first: dict[str, Any] = {
        "tensor": found.name,
        "op": found.op,
        "max_abs_diff": None,
        "position": [],
        "checked": found.checked,
    }
    return {"first_difference": first, "reason": None}
