"""An ONNX file read into a TensorRT network, and checked against what its manifest says."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.engines import Library, ProfileSizes
from lama_edge.errors import ModelError
from lama_edge.exporters.formats.tensorrt.messages import Messages
from lama_edge.exporters.formats.tensorrt.parser import RefusedNode, open_parser
from lama_edge.spec import IoSpec, TensorSpec

_log = logging.getLogger(__name__)
_DTYPES = {"float32": "FLOAT", "uint8": "UINT8"}
_FREE = -1
_MAX_NAMED = 3
_CONVOLUTION_TYPES = {"fp32": "FLOAT", "fp16": "HALF", "int8": "FLOAT"}


@dataclass(frozen=True)
class TensorSeen:
    """An input or output of a network.

    Attributes:
        name: its name.
        dtype: its element type by TensorRT's name, such as ``FLOAT``.
        shape: its extents; -1 is free.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class NetworkSummary:
    """What a network consists of.

    Attributes:
        inputs: in the graph's order.
        outputs: in the graph's order.
        layers: how many there are of each kind, by TensorRT's name and the element type that they
            give, such as ``("CONVOLUTION", "HALF")``.
    """

    inputs: tuple[TensorSeen, ...]
    outputs: tuple[TensorSeen, ...]
    layers: Mapping[tuple[str, str], int]

    def count(self, kind: str) -> int:
        """Return how many layers of a kind there are, whatever they give."""
        return sum(number for (name, _), number in self.layers.items() if name == kind)


@dataclass(frozen=True)
class Network:
    """A network and what has to live as long as it.

    Attributes:
        library: the library that read it.
        messages: what the library says.
        builder: the library's `Builder`.
        definition: the library's `INetworkDefinition`.
    """

    library: Library
    messages: Messages
    builder: Any
    definition: Any


def read_network(library: Library, path: Path) -> Network:
    """Read an ONNX file into a strongly typed network.

    Args:
        library: the library to read it with.
        path: the ``.onnx`` file.

    Raises:
        ModelError: when the parser refuses it, naming the nodes.
        MissingBackendError: when the library is too old, or finds no driver and needs one.
    """
    opened = open_parser(library)
    if not opened.parser.parse_from_file(str(path)):
        refused = opened.refused_nodes()
        if refused:
            raise _refusal(library, refused)
        raise opened.messages.failure(f"cannot read {str(path)!r}")
    if not opened.definition.num_inputs:
        # The parser finds nothing to object to in a file that holds no graph.
        raise ModelError(f"{library.title} finds no graph in {str(path)!r}: give an ONNX file")
    return Network(library, opened.messages, opened.builder, opened.definition)


def fix_shapes(network: Network, io: IoSpec, profiles: Sequence[ProfileSizes]) -> None:
    """Make the inputs those of one picture, of one size where only one is asked for.

    The graph computes what depends on the sizes; with fixed ones TensorRT computes it once, when
    it builds.

    Args:
        network: of a graph that takes these sizes.
        io: its contract.
        profiles: the sizes to build for.
    """
    for spec in (io.image, io.mask):
        _input(network, spec.name).shape = _shape(spec, profiles)


def check_network(
    network: Network, io: IoSpec, profiles: Sequence[ProfileSizes], precision: str
) -> NetworkSummary:
    """Refuse a network that is not what its manifest says.

    Args:
        network: after `fix_shapes`.
        io: inputs and outputs as the manifest has them.
        profiles: the sizes to build for.
        precision: as the manifest has it, ``fp32``, ``fp16`` or ``int8``.

    Returns:
        What the network consists of.

    Raises:
        ModelError: naming what differs.
    """
    summary = summarise(network)
    for what, seen, specs in (
        ("inputs", summary.inputs, (io.image, io.mask)),
        ("outputs", summary.outputs, (io.output,)),
    ):
        wanted = {
            TensorSeen(spec.name, _DTYPES[spec.dtype], _shape(spec, profiles)) for spec in specs
        }
        if set(seen) != wanted:
            raise ModelError(
                f"the network's {what} are {_spell(seen)}, and the manifest says {_spell(wanted)}: "
                "export the model again"
            )
    types = {dtype for (kind, dtype) in summary.layers if kind == "CONVOLUTION"}
    integers = summary.count("QUANTIZE")
    if types != {_CONVOLUTION_TYPES[precision]} or (integers > 0) != (precision == "int8"):
        raise ModelError(
            f"the network's convolutions give {' and '.join(sorted(types))} and {integers} layers "
            f"quantise, which is not {precision} as the manifest says: export the model again"
        )
    _log.info("%d layers: %s", sum(summary.layers.values()), dict(summary.layers))
    return summary


def summarise(network: Network) -> NetworkSummary:
    """Return what a network consists of.

    Raises:
        ModelError: when its shapes contradict each other.
    """
    definition = network.definition
    layers: Counter[tuple[str, str]] = Counter()
    for index in range(definition.num_layers):
        layer = definition.get_layer(index)
        layers[layer.type.name, layer.get_output(0).dtype.name] += 1
    inputs = [definition.get_input(index) for index in range(definition.num_inputs)]
    outputs = [definition.get_output(index) for index in range(definition.num_outputs)]
    try:
        return NetworkSummary(
            tuple(_seen(tensor) for tensor in inputs),
            tuple(_seen(tensor) for tensor in outputs),
            layers,
        )
    except RuntimeError as error:
        raise network.messages.failure("cannot work out the shapes of the graph") from error


def profile_shapes(spec: TensorSpec, profile: ProfileSizes) -> tuple[tuple[int, ...], ...]:
    """Return an input's smallest, best and largest shape, of one picture each."""
    return tuple(spec.shape(size.height, size.width) for size in profile.sizes)


def _refusal(library: Library, refused: tuple[RefusedNode, ...]) -> ModelError:
    named = ", ".join(f"{node.name} ({node.operator})" for node in refused[:_MAX_NAMED])
    more = f" and {len(refused) - _MAX_NAMED} more" if len(refused) > _MAX_NAMED else ""
    return ModelError(
        f"{library.title} refuses {len(refused)} node{'s' if len(refused) > 1 else ''} of the "
        f"model: {named}{more}: {refused[0].reason}; see all of them with: lama-edge support "
        "--tensorrt MODEL.onnx"
    )


def _input(network: Network, name: str) -> Any:
    inputs = map(network.definition.get_input, range(network.definition.num_inputs))
    found = next((one for one in inputs if one.name == name), None)
    if found is None:
        raise ModelError(f"the network has no input {name!r}: export the model again")
    return found


def _shape(spec: TensorSpec, profiles: Sequence[ProfileSizes]) -> tuple[int, ...]:
    only = profiles[0].fixed if len(profiles) == 1 else None
    return spec.shape(_FREE, _FREE) if only is None else spec.shape(only.height, only.width)


def _seen(tensor: Any) -> TensorSeen:
    return TensorSeen(tensor.name, tensor.dtype.name, tuple(tensor.shape))


def _spell(tensors: Sequence[TensorSeen] | set[TensorSeen]) -> str:
    return ", ".join(
        sorted(f"{one.name} {one.dtype} {list(one.shape)}".replace("'", "") for one in tensors)
    )
