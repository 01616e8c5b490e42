"""The one verdict: each figure that speaks against a model does, at its limit and beyond it."""

from __future__ import annotations

import pytest

from lama_edge.judging.verdict import Reason, Verdict

NAN, INFINITE = float("nan"), float("inf")
FINITE, KNOWN, DIFFERENCE, PSNR = (
    "not finite", "known pixels changed", "difference too large", "PSNR too low",
)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "reasons"),
    [
        (Verdict(0.0, 1e-4, None, None), []),
        (Verdict(1e-4, 1e-4, 80.0, None), []),
        (Verdict(1.01e-4, 1e-4, 80.0, None), [DIFFERENCE]),
        (Verdict(1e-3, 5e-2, 55.0, 55.0), []),
        (Verdict(1e-3, 5e-2, 54.9, 55.0), [PSNR]),
        (Verdict(0.0, 5e-2, None, 55.0), []),
        (Verdict(0.1, 5e-2, 20.0, 55.0), [DIFFERENCE, PSNR]),
        (Verdict(0.0, 1e-4, None, None, 1e-6), [KNOWN]),
        (Verdict(0.1, 1e-4, None, None, 0.5), [KNOWN, DIFFERENCE]),
        (Verdict(NAN, 1e-4, 80.0, None), [FINITE]),
        (Verdict(INFINITE, 1e-4, 80.0, None), [FINITE]),
        (Verdict(1e-5, 1e-4, NAN, 55.0), [FINITE]),
        (Verdict(1e-5, 1e-4, -INFINITE, 55.0), [FINITE]),
        (Verdict(NAN, 1e-4, NAN, 55.0, 0.5), [KNOWN, FINITE]),
    ],
)
def test_a_model_passes_where_nothing_speaks_against_it(
    verdict: Verdict, reasons: list[Reason]
) -> None:
    assert list(verdict.reasons) == reasons
    assert verdict.passed == (not reasons)


def test_the_reasons_are_spelled_with_the_values_seen() -> None:
    assert str(Verdict(0.1, 5e-2, 20.0, 55.0, 0.012)) == (
        "1.2 % of the known values changed and the largest difference is 1.00e-01, the tolerance "
        "is 0.05 and the worst picture has 20.0 dB of at least 55 dB"
    )
    assert str(Verdict(0.0, 5e-2, None, None)) == "passed"
