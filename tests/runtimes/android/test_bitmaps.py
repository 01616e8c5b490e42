"""The Android part of the Android library, on a JVM, with stand-ins for Android's classes."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.kotlin
def test_bitmaps_assets_documents_and_memory_callbacks(junit: Callable[..., None]) -> None:
    # The one of little heap comes below.
    junit("lama-edge", skipped=1)


@pytest.mark.kotlin
def test_pictures_that_wait_take_no_heap(junit: Callable[..., None]) -> None:
    junit("lama-edge", "BitmapHeapTest", jvm=("-Xmx64m",))
