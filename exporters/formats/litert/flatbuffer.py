"""A `.tflite` under construction: tensors, constants and operators, and the file made of them.

Written with the classes that `ai-edge-litert` generates from LiteRT's schema; flatbuffers is all
that they need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.manifest import METADATA_KEY

with needs_extra("litert"):
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

__all__ = ["OPERATORS", "GraphWriter", "Scale", "replace_manifest", "schema"]

Array = NDArray[Any]
OPERATORS = schema.BuiltinOperator

# Metadata that holds the digest of the whole file, its own digits counted as zeros; readers refuse
# what differs before LiteRT sees it.
_SEAL_KEY = "lama_edge_sha256"
_UNSEALED = b"0" * 64
_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3
# What readers and delegates map straight into vectors.
_ALIGNMENT = 16
# Operators from here on have their code in a second field; older readers look into the first.
_LAST_SHORT_CODE = 127
# Tables, names and the manifest, in bytes: 64 an operator were seen, and a builder that is too
# small copies all that it holds into one twice as large.
_ROOM = 1 << 21
_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.bool_): schema.TensorType.BOOL,
}


@dataclass(frozen=True)
class Scale:
    """What a tensor's integers stand for: ``(value - zero_point) * scale``.

    Attributes:
        scale: float32 [1], or [C] for each slice along `axis`.
        zero_point: int64, as many.
        axis: of the slices, where there are several.
    """

    scale: Array
    zero_point: Array
    axis: int = 0

    @classmethod
    def one(cls, scale: float, zero_point: int = 0) -> Scale:
        """Return the scale of a whole tensor."""
        return cls(np.array([scale], np.float32), np.array([zero_point], np.int64))


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """Bytes, aligned as the schema asks for and its Python classes do not do.

    Attributes:
        from_end: once they are written, how many bytes before the file's end they begin.
    """

    from_end: int = 0

    def Pack(self, builder: Any) -> Any:  # noqa: N802
        """Write it, by the name that the generated classes call."""
        if self.data is None:
            return super().Pack(builder)
        data = np.ascontiguousarray(self.data).reshape(-1).view(np.uint8)
        builder.StartVector(1, data.size, _ALIGNMENT)
        builder.head -= data.size
        builder.Bytes[builder.head : builder.head + data.size] = data.data
        self.from_end = len(builder.Bytes) - builder.head
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


class GraphWriter:
    """Collects a model's tensors and operators in their order."""

    def __init__(self) -> None:
        self._buffers = [_Buffer()]  # the first stays empty: tensors without contents name it
        self._tensors: list[Any] = []
        self._kinds: list[tuple[np.dtype[Any], Scale | None]] = []
        self._operators: list[Any] = []
        self._codes: dict[tuple[int, int], int] = {}

    def tensor(
        self, name: str, shape: Sequence[int], dtype: Any = np.float32, scale: Scale | None = None
    ) -> int:
        """Add a tensor that is computed, or an input; return its index."""
        return self._add(name, shape, dtype, scale, buffer=0)

    def constant(self, name: str, array: Array, scale: Scale | None = None) -> int:
        """Add a constant, whose memory must stay as it is until `write`; return its index."""
        self._buffers.append(_Buffer(data=array))
        return self._add(name, array.shape, array.dtype, scale, buffer=len(self._buffers) - 1)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's extents."""
        return tuple(self._tensors[tensor].shape)

    def kind(self, tensor: int) -> tuple[np.dtype[Any], Scale | None]:
        """Return a tensor's elements' type, and what its integers stand for."""
        return self._kinds[tensor]

    def operator(
        self,
        code: int,
        inputs: Sequence[int],
        output: int,
        options: Any = None,
        *,
        version: int = 1,
    ) -> int:
        """Add an operator; return its output.

        Args:
            code: one of `OPERATORS`.
            inputs: tensors, by index.
            output: the tensor that it gives.
            options: an object of the schema, such as ``Conv2DOptionsT``.
            version: of the operator.
        """
        added = schema.OperatorT()
        added.opcodeIndex = self._codes.setdefault((code, version), len(self._codes))
        added.inputs, added.outputs = list(inputs), [output]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            added.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            added.builtinOptions = options
        self._operators.append(added)
        return output

    def write(
        self,
        path: Path,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        *,
        description: str,
        manifest: str,
    ) -> None:
        """Write the model: one subgraph, one signature, and the manifest in its metadata.

        Args:
            path: the file.
            inputs: tensors by name, in their order.
            outputs: the same.
            description: for people who look into the file.
            manifest: as JSON.
        """
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [*inputs.values()], [*outputs.values()]
        signature = schema.SignatureDefT()
        signature.signatureKey = "serving_default"
        signature.inputs, signature.outputs = _named(inputs), _named(outputs)
        model = schema.ModelT()
        model.version = _SCHEMA_VERSION
        model.description = description
        model.operatorCodes = [_code(*key) for key in self._codes]
        model.subgraphs, model.signatureDefs = [graph], [signature]
        model.buffers = [*self._buffers]
        model.metadata = []
        _save(model, path, manifest)

    def _add(
        self, name: str, shape: Sequence[int], dtype: Any, scale: Scale | None, buffer: int
    ) -> int:
        added = schema.TensorT()
        added.name, added.shape, added.buffer = name, [int(side) for side in shape], buffer
        added.type = _TYPES[np.dtype(dtype)]
        added.hasRank = True
        if scale is not None:
            added.quantization = schema.QuantizationParametersT()
            added.quantization.scale = scale.scale
            added.quantization.zeroPoint = scale.zero_point
            added.quantization.quantizedDimension = scale.axis
        self._tensors.append(added)
        self._kinds.append((np.dtype(dtype), scale))
        return len(self._tensors) - 1


def replace_manifest(path: Path, manifest: str) -> None:
    """Put another manifest into a model that `GraphWriter.write` wrote."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    model.buffers = [_Buffer(data=one.data) for one in model.buffers]
    _save(model, path, manifest)


def _save(model: Any, path: Path, manifest: str) -> None:
    """Write a model with a manifest; its constants are copied once, into the file's image."""
    _set_metadata(model, METADATA_KEY, manifest.encode())
    seal = _set_metadata(model, _SEAL_KEY, _UNSEALED)
    size = sum(one.data.nbytes + 2 * _ALIGNMENT for one in model.buffers if one.data is not None)
    builder = flatbuffers.Builder(size + _ROOM)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    image = memoryview(builder.Bytes)[builder.Head() :]
    at = len(image) - seal.from_end
    image[at : at + len(_UNSEALED)] = hashlib.sha256(image).hexdigest().encode()
    path.write_bytes(image)


def _set_metadata(model: Any, key: str, text: bytes) -> _Buffer:
    data = np.frombuffer(text, np.uint8)
    for entry in model.metadata:
        if entry.name in (key, key.encode()):
            buffer: _Buffer = model.buffers[entry.buffer]
            buffer.data = data
            return buffer
    entry = schema.MetadataT()
    entry.name, entry.buffer = key, len(model.buffers)
    model.metadata.append(entry)
    model.buffers.append(_Buffer(data=data))
    return model.buffers[-1]  # type: ignore[no-any-return]


def _code(code: int, version: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode, made.version = code, version
    made.deprecatedBuiltinCode = min(code, _LAST_SHORT_CODE)
    return made


def _named(tensors: Mapping[str, int]) -> list[Any]:
    maps = []
    for name, index in tensors.items():
        maps.append(schema.TensorMapT())
        maps[-1].name, maps[-1].tensorIndex = name, index
    return maps
