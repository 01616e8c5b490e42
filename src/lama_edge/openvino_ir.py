"""What exporter and runner of OpenVINO's models share: the library, and the files of a model.

A model is an ``.xml`` file, with the graph and beside it what is known of it (``rt_info``, where
the manifest stands), and a ``.bin`` file with the constants.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lama_edge.errors import ModelError, needs_extra, reason
from lama_edge.manifest import METADATA_KEY

# A manifest's `format` has the SHA-256 of the ``.bin`` file under this name.
WEIGHTS_SHA256 = "weights_sha256"
_TELEMETRY = "openvino_telemetry"


def load_openvino() -> Any:
    """Import OpenVINO, silent towards its maker.

    The package keeps a number of the user in the home folder and tells Google Analytics, from the
    moment that it is imported (its ``openvino.tools.ovc``), unless another package of its own is
    missing; so that one seems to be. Who wants it imports OpenVINO first.

    Raises:
        MissingBackendError: when it is not installed.
    """
    silent = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
    if silent:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        with needs_extra("openvino"):
            import openvino
    finally:
        if silent:
            del sys.modules[_TELEMETRY]
    return openvino


def read_ir(path: Path) -> ElementTree.ElementTree:
    """Read an ``.xml`` file.

    Raises:
        ModelError: when it cannot be read, or is no model of OpenVINO's.
    """
    try:
        tree = ElementTree.parse(path, ElementTree.XMLParser(target=_Builder()))  # noqa: S314
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise ModelError(
            f"{str(path)!r} cannot be read ({reason(error)}); export it again"
        ) from error
    if tree.getroot().tag != "net":
        raise ModelError(
            f"{str(path)!r} is XML, and no model: it begins with {tree.getroot().tag[:40]!r}"
        )
    return tree


def manifest_text(tree: ElementTree.ElementTree) -> str | None:
    """Return the manifest in a model; None where there is none."""
    found = tree.find(f"rt_info/{METADATA_KEY}")
    return None if found is None else found.get("value")


class _Builder(ElementTree.TreeBuilder):
    """Builds trees of files without a document type, hence without entities that grow."""

    def doctype(self, *_: object) -> None:
        """Refuse one.

        Raises:
            ValueError: always.
        """
        raise ValueError("it declares a document type")
