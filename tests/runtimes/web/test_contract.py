"""The browser's library does to pictures what Python does, bit for bit: the shared vectors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("where", ["node", "chromium"])
def test_the_shared_vectors_agree(vitest: Callable[..., None], where: str) -> None:
    vitest(where, "tests/contract")
