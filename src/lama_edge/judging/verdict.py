"""What "passed" means: one verdict for manifests, `parity`, `tradeoff`, documents and pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Reason = Literal["not finite", "known pixels changed", "difference too large", "PSNR too low"]


@dataclass(frozen=True)
class Verdict:
    """The figures that decide whether a model passed, over all pictures it was judged on.

    A model passes when its values are finite, it changed no known pixel, the largest difference
    is within the tolerance, and the PSNR of the worst picture is no lower than asked.

    Attributes:
        max_abs_diff: largest absolute difference inside the holes, on the 0-to-1 scale.
        tolerance: the largest difference allowed.
        psnr_db: the lowest PSNR of a picture, with peak 1; None where all are equal to the
            reference.
        least_psnr_db: the lowest PSNR allowed; None where the difference alone is judged.
        known_changed: the largest share of known values that changed in a picture, 0 to 1.
    """

    max_abs_diff: float
    tolerance: float
    psnr_db: float | None
    least_psnr_db: float | None
    known_changed: float = 0.0

    @property
    def reasons(self) -> dict[Reason, str]:
        """Why the model did not pass, each spelled with the value seen; empty where it did."""
        found: dict[Reason, str] = {}
        if self.known_changed:
            found["known pixels changed"] = (
                f"{100 * self.known_changed:.2g} % of the known values changed"
            )
        if not all(math.isfinite(value or 0) for value in (self.max_abs_diff, self.psnr_db)):
            found["not finite"] = "values are not finite"
            return found
        if self.max_abs_diff > self.tolerance:
            found["difference too large"] = (
                f"the largest difference is {self.max_abs_diff:.2e}, the tolerance is "
                f"{self.tolerance:g}"
            )
        least = self.least_psnr_db
        if least is not None and self.psnr_db is not None and self.psnr_db < least:
            found["PSNR too low"] = (
                f"the worst picture has {self.psnr_db:.1f} dB of at least {least:g} dB"
            )
        return found

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the model."""
        return not self.reasons

    def __str__(self) -> str:
        return " and ".join(self.reasons.values()) or "passed"
