"""An address as a QR code in a terminal."""

from __future__ import annotations

import io

from lama_edge.errors import needs_extra

with needs_extra("web"):
    import segno

# Bright white on black: scanners want dark on light, whatever the terminal's own colours are.
_COLOURS, _RESET = "\x1b[97;40m", "\x1b[0m"


def qr_text(address: str) -> str:
    """Return a QR code of an address for a terminal with colours: lines of half blocks."""
    out = io.StringIO()
    segno.make_qr(address, error="l").terminal(out, compact=True)
    return "".join(f"{_COLOURS}{line}{_RESET}\n" for line in out.getvalue().splitlines())
