"""OpenCV's dnn module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Read a model; its uint8 outputs can come as float32, with whole numbers."""
    import cv2

    net = cv2.dnn.readNetFromONNX(str(model))
    for name, value in feeds.items():
        net.setInput(value, name)
    return net.forward("inpainted"), ""
