"""An address as a QR code in a terminal."""

from __future__ import annotations

import io

from lama_edge.errors import needs_extra

with needs_extra("web"):
    import segno


def qr_text(address: str) -> str:
    """Return a QR code of an address in lines of half blocks, with the quiet zone around it.

    Dark and light are set by the terminal's codes, so that it scans on any background.
    """
    out = io.StringIO()
    segno.make_qr(address, error="l").terminal(out, compact=True)
    return out.getvalue()
