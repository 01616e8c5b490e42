"""What an OpenVINO model says of itself, read without OpenVINO."""

from __future__ import annotations

from pathlib import Path

from lama_edge.containers.openvino import read_ir, rt_info
from lama_edge.manifest import METADATA_KEY, Manifest


def read_manifest_of(path: Path) -> Manifest | None:
    """Return an ``.xml`` file's manifest; None when it has none.

    Raises:
        ModelError: when the file cannot be read, or its manifest cannot.
    """
    text = rt_info(read_ir(path), METADATA_KEY)
    return None if text is None else Manifest.from_json(text)
