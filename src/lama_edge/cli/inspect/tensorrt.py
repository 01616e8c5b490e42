"""`lama-edge support --tensorrt`: which nodes of an ONNX file TensorRT's parser takes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.rendering import print_json
from lama_edge.engines import FLAVOR_TITLES
from lama_edge.errors import UsageError, printable

if TYPE_CHECKING:
    from lama_edge.exporters.formats.tensorrt.capability import Capability

_NODES_SHOWN = 20


def print_capability(options: argparse.Namespace) -> None:
    """Ask the parser about a file and print what it says.

    Raises:
        UsageError: when it is no ONNX file.
        ModelError: when it cannot be read as one.
        MissingBackendError: when the library is not installed, or finds no driver and needs one.
    """
    if Path(options.model).suffix.lower() != ".onnx":
        raise UsageError(
            f"--tensorrt is about ONNX files, and {options.model!r} is none: give MODEL.onnx"
        )
    from lama_edge.exporters.formats.tensorrt.capability import inspect_capability

    capability = inspect_capability(Path(options.model), options.flavor or "auto")
    if options.json:
        print_json(
            {
                "flavor": capability.flavor,
                "tensorrt_version": capability.tensorrt_version,
                "nodes": capability.nodes,
                "refused": [vars(node) for node in capability.refused],
            }
        )
        return
    for line in _lines(capability):
        print(printable(line))


def _lines(capability: Capability) -> Iterator[str]:
    title = f"{FLAVOR_TITLES[capability.flavor]} {capability.tensorrt_version}"
    refused = capability.refused
    if not refused:
        yield f"{title} takes all {capability.nodes} nodes"
        return
    yield f"{title} refuses {len(refused)} of {capability.nodes} nodes:"
    shown = refused[:_NODES_SHOWN]
    yield from table(
        [["node", "operator", "why"], *([node.name, node.operator, node.reason] for node in shown)]
    )
    if len(refused) > len(shown):
        yield f"and {len(refused) - len(shown)} more: --json shows all"
