"""Python runs this at its start: torch is not installed then, for it and all that it starts."""

import sys

sys.modules["torch"] = None  # type: ignore[assignment]
