"""The pictures that models are judged on: of sizes that they take, with holes that show faults."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.errors import ModelError
from lama_edge.judging.cases import ParityCase, seeded_cases, shared_policy
from lama_edge.spec import Size, SizePolicy

DYNAMIC = SizePolicy(None, 8, 16)
FIXED = SizePolicy(Size(64, 96), 8, 16)


def test_seeded_cases_are_named_by_size_and_touch_the_border() -> None:
    cases = seeded_cases(FIXED) + seeded_cases(DYNAMIC)
    assert [case.name for case in cases[:3]] == ["seeded 64x96", "seeded 16x16", "seeded 64x96"]
    assert all(case.touches_border for case in cases)
    inner = np.zeros((16, 16), dtype=bool)
    inner[1:-1, 1:-1] = True
    assert not ParityCase(cases[1].image, inner).touches_border


def test_two_models_are_judged_at_sizes_that_both_take() -> None:
    assert shared_policy(DYNAMIC, SizePolicy(None, 8, 72)) == SizePolicy(None, 8, 72)
    assert shared_policy(SizePolicy(None, 32, 64), SizePolicy(None, 8, 72)) == SizePolicy(
        None, 32, 96
    )
    assert shared_policy(FIXED, DYNAMIC).fixed == shared_policy(DYNAMIC, FIXED).fixed == FIXED.fixed


def test_no_model_is_judged_beyond_its_largest_side() -> None:
    bounded = shared_policy(SizePolicy(None, 8, 64, 104), DYNAMIC)
    assert bounded == shared_policy(DYNAMIC, bounded) == SizePolicy(None, 8, 64, 104)
    assert shared_policy(bounded, SizePolicy(None, 32, 32, 512)) == SizePolicy(None, 32, 64, 96)
    cases = seeded_cases(bounded)
    assert len(cases) == len(seeded_cases(DYNAMIC))
    assert all(bounded.problem_with(case.size.height, case.size.width) is None for case in cases)
    assert max(case.size.height for case in cases) == 104


@pytest.mark.parametrize(
    ("least", "most", "count"),
    [(256, 1024, 5), (64, None, 5), (32, 64, 4), (96, 112, 3), (512, 512, 1)],
)
def test_a_large_smallest_side_leaves_several_sizes_to_judge(
    least: int, most: int | None, count: int
) -> None:
    """As that of an engine for 256:512:1024, whose pictures were all 256 x 256."""
    policy = SizePolicy(None, 8, least, most)
    sizes = [case.size for case in seeded_cases(policy)]
    assert len(set(sizes)) == len(sizes) == count
    assert all(policy.problem_with(size.height, size.width) is None for size in sizes)


def test_models_without_a_size_in_common_are_refused() -> None:
    with pytest.raises(ModelError, match="no size in common: at 64x96, the model takes 64x64"):
        shared_policy(FIXED, SizePolicy(Size(64, 64), 8, 16))
    with pytest.raises(ModelError, match="at 64x96, height and width must be at most 64"):
        shared_policy(SizePolicy(None, 8, 16, 64), FIXED)
    with pytest.raises(ModelError, match="begins at 72 a side and the other ends at 64"):
        shared_policy(SizePolicy(None, 8, 16, 64), SizePolicy(None, 8, 72))
    with pytest.raises(ModelError, match="at least 72"):
        shared_policy(SizePolicy(None, 8, 72), FIXED)
