"""What the trade-off does in a process of its own: export a checkpoint at one precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge.export.formats.record import Export, format_named
from lama_edge.pipeline import export_model
from lama_edge.spec import NEED_RANGES, Size


def export(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Export a checkpoint at one size, without judging it.

    Args:
        payload: ``format``; ``checkpoint``, a path, a name or None; ``output``, the file to write;
            ``precision``; ``size``, height and width; ``io``; and ``calibrate``, a folder for the
        precisions that are made from measured ranges, or None.

    Returns:
        The ``manifest`` as JSON text.
    """
    precision = payload["precision"]
    arithmetic = format_named(payload["format"]).arithmetic(precision)
    calibrate = payload["calibrate"] if arithmetic in NEED_RANGES else None
    done = export_model(
        Export(
            payload["format"],
            payload["checkpoint"],
            Path(payload["output"]),
            sizes=(Size(*payload["size"]),),
            io=payload["io"],
            check_parity=False,
            precision=precision,
            calibrate=None if calibrate is None else Path(calibrate),
        )
    )
    return {"manifest": done.manifest.to_json()}
