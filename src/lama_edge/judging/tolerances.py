"""How far a model may be from the reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """How far a model may be from the reference, inside the hole.

    Attributes:
        max_abs_diff: the largest absolute difference of the raw output, on the 0-to-1 scale.
        psnr_db: the smallest PSNR; None where the difference alone is judged.
    """

    max_abs_diff: float
    psnr_db: float | None = None
