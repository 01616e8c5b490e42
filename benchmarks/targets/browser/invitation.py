"""What the terminal says while a page is awaited; on standard error, between bars of progress."""

from __future__ import annotations

import sys

from tqdm import tqdm

from lama_edge.web.qr import qr_text


def invite(address: str, fingerprint: str | None) -> None:
    """Say where the page is, and how it is known.

    Args:
        address: what a person opens, with the token.
        fingerprint: SHA-256 of the certificate of a page on the network, whose address is shown as
            a code to be scanned too, where this is a terminal.
    """
    tell(f"the page is at {address}")
    if fingerprint is not None:
        if sys.stderr.isatty():
            tqdm.write(qr_text(address), file=sys.stderr)
        tell(f"the browser asks once, since the certificate is of this run: SHA-256 {fingerprint}")
    tell("waiting for a page; nothing runs before its start is pressed")


def tell(line: str) -> None:
    """Print a line."""
    tqdm.write(f"lama-edge: {line}", file=sys.stderr)
