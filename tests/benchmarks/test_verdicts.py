"""A parity row and a trade-off's row pass by one rule: each fault makes both fail, and no other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lama_edge.benchmarks.parity.rows import Side, judged_row
from lama_edge.benchmarks.tradeoff.figures import closeness
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.tolerances import Tolerance

NAN = float("nan")
USUAL = Tolerance(0.1, psnr_db=40)


@dataclass(frozen=True)
class _Outputs:
    """A large picture that is `spread` off in its hole, and a little one that is `small` off."""

    tolerance: Tolerance = USUAL
    spread: float = 0.001
    small: float = 0.01
    known_changed: tuple[float | None, float | None] = (0.0, None)

    def judged(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the row of a parity document, and a trade-off's closeness."""
        cases, wanted, got = [], [], []
        for side, off in ((64, self.spread), (8, self.small)):
            hole = np.zeros((side, side), dtype=bool)
            hole[: side // 2] = True
            cases.append(ParityCase(np.zeros((side, side, 3), dtype=np.uint8), hole))
            wanted.append(np.full((side, side, 3), 100, dtype=np.float32))
            got.append(wanted[-1] + np.float32(255 * off))
        sides = Side(wanted, rounded=False), Side(got, rounded=False)
        return (
            judged_row(cases, *sides, self.known_changed, self.tolerance),
            closeness(cases, *sides, self.tolerance, known_changed=self.known_changed),
        )


SOUND = _Outputs()
FAULTS = {
    "a difference beyond the tolerance": replace(SOUND, tolerance=Tolerance(0.0099, psnr_db=40)),
    "one picture below the PSNR, the others far above": replace(SOUND, small=0.0102),
    "known pixels changed": replace(SOUND, known_changed=(0.0, 1e-6)),
    "known pixels of the first picture changed": replace(SOUND, known_changed=(1e-6, 0.0)),
    "NaN in the first picture": replace(SOUND, spread=NAN),
    "NaN in the last picture": replace(SOUND, small=NAN),
    "NaN where the difference alone is judged": replace(SOUND, small=NAN, tolerance=Tolerance(1)),
}


@pytest.mark.parametrize(
    "outputs",
    [SOUND, replace(SOUND, tolerance=Tolerance(0.01)), _Outputs(spread=0, small=0)],
    ids=["at the limits", "without a PSNR", "equal"],
)
def test_what_is_within_all_limits_passes(outputs: _Outputs) -> None:
    assert [found["passed"] for found in outputs.judged()] == [True, True]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_each_fault_alone_fails(fault: _Outputs) -> None:
    assert [found["passed"] for found in fault.judged()] == [False, False]
