"""OpenVINO's models: the library, imported silently, and what lies where in a model's files.

A model is an ``.xml`` file, which has the graph and, under ``rt_info``, what is known of it, and a
``.bin`` file beside it with the constants.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from lama_edge.errors import ModelError, needs_extra, reason

# A manifest's `format` has the SHA-256 of the ``.bin`` file under this name.
WEIGHTS_SHA256 = "weights_sha256"
_TELEMETRY = "openvino_telemetry"
_GRAPH = ("layers", "edges")


class Operation(NamedTuple):
    """An operation of a model.

    Attributes:
        name: its name, which lama-edge's models have from the deploy graph.
        kind: its type, such as ``Convolution``.
        opset: the operation set that it is of, such as ``opset1``.
    """

    name: str
    kind: str
    opset: str


def load_openvino() -> Any:
    """Import OpenVINO, silent towards its maker.

    From the moment that it is imported the package tells Google Analytics so, and keeps a number of
    the user in the home folder (its ``openvino/tools/ovc/__init__.py``), where another package,
    which it does without, is installed. So that one seems not to be. Who wants it imports OpenVINO
    first.

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


def read_ir(path: Path) -> ElementTree.Element:
    """Read an ``.xml`` file, and return its root.

    Raises:
        ModelError: when it cannot be read, or is no model of OpenVINO's.
    """
    try:
        # The builder refuses what could grow.
        root = ElementTree.parse(path, ElementTree.XMLParser(target=_Builder())).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise ModelError(
            f"{str(path)!r} cannot be read as XML ({reason(error)}); export it again"
        ) from error
    if root.tag != "net" or any(root.find(part) is None for part in _GRAPH):
        raise ModelError(f"{str(path)!r} is XML, and no OpenVINO model; export it again")
    return root


def rt_info(root: ElementTree.Element, name: str) -> str | None:
    """Return what a model carries under a name of its own; None when it does not."""
    found = root.find(f"rt_info/{name}")
    return None if found is None else found.get("value")


def operations(root: ElementTree.Element) -> Iterator[Operation]:
    """Give a model's operations, without its constants, inputs and outputs."""
    for layer in root.iterfind("layers/layer"):
        one = Operation(*(layer.get(name, "") for name in ("name", "type", "version")))
        if one.kind not in ("Const", "Parameter", "Result"):
            yield one


def graph_sha256(root: ElementTree.Element) -> str:
    """Hash a model's graph: layers and edges as stored, without the ``.bin`` file's constants.

    Returns:
        SHA-256 as lower-case hexadecimal.
    """
    digest = hashlib.sha256()
    for part in _GRAPH:
        for element in root.iterfind(f"{part}//*"):
            facts = (element.tag, sorted(element.items()), (element.text or "").strip())
            digest.update(repr((*facts, len(element))).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def graph_sha256_of(path: Path) -> str:
    """Hash an ``.xml`` file's graph, see `graph_sha256`.

    Raises:
        ModelError: when it cannot be read.
    """
    return graph_sha256(read_ir(path))


class _Builder(ElementTree.TreeBuilder):
    """Builds trees of files without a document type, hence without entities that grow."""

    def doctype(self, *_: object) -> None:
        """Refuse one.

        Raises:
            ValueError: always.
        """
        raise ValueError("it declares a document type")
