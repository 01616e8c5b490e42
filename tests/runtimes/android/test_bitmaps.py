"""The Android part of the Android library, on a JVM, with stand-ins for Android's classes."""

from __future__ import annotations

import pytest
from android_library import JUnit


@pytest.mark.kotlin
def test_bitmaps_assets_documents_and_memory_callbacks(junit: JUnit) -> None:
    junit("lama-edge")
