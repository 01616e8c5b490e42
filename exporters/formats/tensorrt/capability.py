"""Which nodes of an ONNX file TensorRT's parser takes, without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lama_edge.engines import Flavor, FlavorChoice, load_library
from lama_edge.errors import ModelError
from lama_edge.exporters.formats.tensorrt.parser import RefusedNode, open_parser


@dataclass(frozen=True)
class Capability:
    """What a parser makes of a file.

    Attributes:
        flavor: the library.
        tensorrt_version: its version.
        nodes: how many nodes the graph has.
        refused: those that the parser does not take, in the graph's order.
    """

    flavor: Flavor
    tensorrt_version: str
    nodes: int
    refused: tuple[RefusedNode, ...]


def inspect_capability(path: Path, flavor: FlavorChoice = "auto") -> Capability:
    """Ask a library's parser about a file.

    A graph that the parser takes can still be refused by the builder, which looks at shapes and
    kernels.

    Args:
        path: an ``.onnx`` file, ours or any other.
        flavor: the library to ask.

    Raises:
        ModelError: when the file cannot be read as ONNX.
        MissingBackendError: when the library is not installed, or finds no driver and needs one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{str(path)!r} cannot be read ({error.strerror}): give an ONNX file"
        ) from error
    opened = open_parser(load_library(flavor))
    parser, library = opened.parser, opened.library
    parser.supports_model_v2(content, str(path))
    refused = opened.refused_nodes()
    nodes = sum(len(parser.get_subgraph_nodes(i)) for i in range(parser.num_subgraphs))
    nodes += len(refused)
    if not nodes:
        # The parser finds nothing to object to in a file that holds no graph.
        raise ModelError(f"{library.title} finds no graph in {str(path)!r}: give an ONNX file")
    return Capability(library.flavor, library.version, nodes, refused)
