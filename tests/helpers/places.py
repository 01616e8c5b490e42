"""Where the tests' files are, wherever the test that reads them lies."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
