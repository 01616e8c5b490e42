"""The browser's library: what it fills is what Python fills, in Node and in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lama_edge.spec import Size

from .conftest import FAMILIES, Cases

pytestmark = pytest.mark.browser


@pytest.fixture
def all_cases(
    cases: Cases,
    exported: Callable[..., Path],
    family_case: Callable[[str], tuple[NDArray[Any], NDArray[np.bool_]]],
) -> Path:
    """Every family in both forms, the embedded model in every precision, free sizes."""
    image, hole = family_case("fourier")
    tiny = {"size": Size(64, 64)}
    cases.add("tiny", exported(None, **tiny), image, hole)
    for precision in ("fp16", "w8", "int8"):
        model = exported(None, precision=precision, **tiny)
        cases.add(f"tiny-{precision}", model, image, hole)
    cases.add("tiny-any", exported(None), image, hole)
    cases.add("tiny-batch", exported(None, batch=2, **tiny), image, hole)
    for family in FAMILIES:
        image, hole = family_case(family)
        size = Size(*hole.shape)
        cases.add(family, exported(family, size), image, hole)
        cases.add(f"{family}-uint8", exported(family, size, io="uint8"), image, hole)
    return cases.folder


def test_models_run_in_node(vitest: Callable[..., None], all_cases: Path) -> None:
    vitest("node", "tests/node/model.test.ts", cases=all_cases)


def test_models_run_in_chromium(vitest: Callable[..., None], all_cases: Path) -> None:
    vitest("chromium", "tests/chromium/model.test.ts", cases=all_cases)
    vitest("chromium", "tests/chromium/inpainter.test.ts", cases=all_cases)


def test_without_isolation_one_thread_works(vitest: Callable[..., None], all_cases: Path) -> None:
    vitest("plain", cases=all_cases)
