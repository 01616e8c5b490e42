"""Where the tests' files are, wherever the test that reads them lies."""

from __future__ import annotations

import os
from pathlib import Path

TESTS = Path(__file__).parent.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
# Where the scripts in `.ci` unpack tools.
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lama-edge"
