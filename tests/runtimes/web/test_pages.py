"""The pure parts of the pages: strokes to masks, views, undo; figures, progress, messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.browser


def test_the_pure_parts_of_the_pages(vitest: Callable[..., None]) -> None:
    vitest("node", "tests/node/pages")
