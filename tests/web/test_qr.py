"""The address as a code that phones read."""

from __future__ import annotations

import re

import cv2
import numpy as np

from lama_edge.web.qr import qr_text

ADDRESS = "https://192.168.178.123:65535/bench/#token=abcdefghijklmnopqrst-_"


def shown() -> list[str]:
    """Return the lines without their colours, which every line sets and resets."""
    lines = []
    for line in qr_text(ADDRESS).splitlines():
        found = re.fullmatch(r"\x1b\[97;40m([█▀▄ ]+)\x1b\[0m", line)
        assert found, line
        lines.append(found[1])
    return lines


def test_the_code_is_the_address_to_who_scans_it() -> None:
    halves = [[[c in "█▀" for c in line], [c in "█▄" for c in line]] for line in shown()]
    light = np.array(halves).reshape(2 * len(halves), -1)
    picture = np.kron(255 * light.astype(np.uint8), np.ones((8, 8), np.uint8))
    found, _, _ = cv2.QRCodeDetector().detectAndDecode(picture)
    assert found == ADDRESS


def test_it_fits_a_terminal() -> None:
    assert len(shown()) <= 24
    assert max(map(len, shown())) <= 80
