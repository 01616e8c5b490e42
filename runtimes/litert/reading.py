"""What a `.tflite` says of itself, read without the interpreter and without its constants."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError, needs_extra, reading
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import ValueSeen, read_manifest

with needs_extra("litert"):
    from ai_edge_litert import schema_py_generated as schema

_DTYPES = {schema.TensorType.FLOAT32: "float32", schema.TensorType.UINT8: "uint8"}


@dataclass(frozen=True)
class LitertFile:
    """What a file says of itself.

    Attributes:
        manifest: compared with its inputs and outputs.
        inputs: the names of its inputs, in its order.
    """

    manifest: Manifest
    inputs: tuple[str, ...]


def read_file(path: Path) -> LitertFile:
    """Read a file that lama-edge exported.

    Raises:
        ModelError: when it is no LiteRT file, is damaged, carries no manifest, or has other inputs
            and outputs than its manifest says.
    """
    with opened(path) as model:
        with reading("flatbuffer"):
            graph = model.Subgraphs(0)
            inputs = _values(graph, graph.InputsAsNumpy())
            outputs = _values(graph, graph.OutputsAsNumpy())
            text = _manifest(model)
        manifest = read_manifest(path, text, inputs=inputs, outputs=outputs)
    return LitertFile(manifest, tuple(value.name for value in inputs))


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Map a file and give the schema's ``Model``, for as long as the block runs.

    Raises:
        ModelError: when it is no LiteRT file.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[4:8] != b"TFL3":
                raise ModelError(f"{str(path)!r} is no LiteRT file: it does not begin like one")
            # What numpy made of a part of it must be gone before the map can go.
            yield schema.Model.GetRootAs(bytes(data), 0)
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error}") from error


def _values(graph: Any, indices: Sequence[int]) -> list[ValueSeen]:
    values = []
    for index in indices:
        tensor = graph.Tensors(int(index))
        shape = [int(side) for side in tensor.ShapeAsNumpy()]
        dtype = _DTYPES.get(tensor.Type(), str(tensor.Type()))
        values.append(ValueSeen(tensor.Name().decode(), dtype, shape))
    return values


def _manifest(model: Any) -> str | None:
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == METADATA_KEY.encode():
            return bytes(model.Buffers(entry.Buffer()).DataAsNumpy()).decode()
    return None
