"""What the figures in a document come to; documents, pages and the command line go by these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lama_edge.judging.verdict import Verdict


def parity_verdict(row: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a parity document's row with figures."""
    worst = row["worst"]
    return Verdict(
        worst["max_abs_diff"],
        row["tolerance"],
        worst["psnr_db"],
        row["least_psnr_db"],
        max(case["known_changed"] or 0.0 for case in row["cases"]),
    )


def is_wrong(run: Mapping[str, Any]) -> bool:
    """Say whether a bench document's run computed something else than its reference."""
    return run["parity"] is not None and not run["parity"]["passed"]


def closeness_verdict(found: Mapping[str, Any]) -> Verdict:
    """Return the verdict on the ``closeness`` of a trade-off's row."""
    return Verdict(
        found["max_abs_diff"],
        found["tolerance"],
        found["worst_psnr"]["psnr_db"],
        found["least_psnr_db"],
        found["known_changed"],
    )
