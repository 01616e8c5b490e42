"""What a LiteRT file consists of, read with every offset, index and size checked.

LiteRT trusts much of what a file says of itself, and a damaged one can stall it or end its process;
so nothing gets there that was not read here first. The fields' numbers are those of
https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, shown
from lama_edge.manifest import METADATA_KEY
from lama_edge.runtimes.litert.flatbuffer import Table
from lama_edge.wire import map_file

# Of the metadata that holds the digest of the whole file, these digits counted as zeros.
SEAL_KEY = "lama_edge_sha256"
_SEAL_BYTES = 64
_IDENTIFIER = b"TFL3"
_VERSION = 3
_MAX_RANK = 8
_MAX_ELEMENTS = 1 << 40
_CHUNK_BYTES = 1 << 20

# By their numbers in a file, and the bytes an element has; what has none is not used here.
_DTYPES = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int32", 4),
    3: ("uint8", 1),
    4: ("int64", 8),
    6: ("bool", 1),
    7: ("int16", 2),
    9: ("int8", 1),
}
# By their numbers in a file; those beyond belong to StableHLO.
_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
PLACEHOLDER CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE
HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
"""
_OPERATORS = _NAMES.split()
# Some that LiteRT reads without looking whether they are there.
_LEAST_INPUTS = {
    **dict.fromkeys(("ADD", "BATCH_MATMUL", "CONV_2D", "FULLY_CONNECTED", "GREATER", "MUL"), 2),
    **dict.fromkeys(("MIRROR_PAD", "PAD", "SUB", "TRANSPOSE"), 2),
    "SLICE": 3,
}


@dataclass(frozen=True)
class Tensor:
    """A value of the graph.

    Attributes:
        name: its name.
        shape: its extents.
        dtype: its element type by NumPy's name; ``type N`` for others.
        constant: whether the file holds its values.
        values: of a constant with int32 elements, such as axes and paddings; None for others.
        scales: how many scales quantise it: none, one, or one a channel.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool
    values: NDArray[np.int32] | None
    scales: int


@dataclass(frozen=True)
class Operator:
    """A step of the graph.

    Attributes:
        name: its kind, such as ``CONV_2D``; ``operator N`` for those that have no name here.
        version: of its kind.
        inputs: indices of tensors.
        outputs: indices of tensors.
        options: its settings as stored, by their fields' numbers; those left out have the schema's
            defaults.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[int, bytes]

    def option(self, field: int, form: str = "<i", default: int = 0) -> int:
        """Return one of its settings.

        Args:
            field: the field's number.
            form: as `struct` writes it: ``<i`` is an int, ``<b`` an enumeration or a flag.
            default: the schema's, for one that is left out.
        """
        stored = self.options.get(field)
        return default if stored is None else int(struct.unpack_from(form, stored)[0])


@dataclass(frozen=True)
class Structure:
    """What a file consists of.

    Attributes:
        tensors: the graph's values.
        operators: its steps, each after those that it takes from.
        inputs: the signature's, index of the tensor by name.
        outputs: the signature's, index of the tensor by name.
        metadata: entries by name.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    metadata: Mapping[str, bytes]


def read_structure(path: Path) -> Structure:
    """Read what a file consists of, without its weights.

    Args:
        path: a ``.tflite`` file with one graph and one signature.

    Raises:
        ModelError: when it cannot be read, is damaged, or has changed since it was sealed.
    """
    with closing(map_file(path)) as data:
        try:
            structure = _structure(data)
        except (struct.error, ValueError, IndexError, KeyError, OverflowError) as error:
            raise ModelError(
                f"{str(path)!r} is damaged, or no LiteRT file ({_reason(error)}); export it again"
            ) from error
    return structure


def sealed(data: bytes | bytearray | mmap.mmap, at: int) -> bytes:
    """Return the seal of a file: its SHA-256 in hexadecimal, the seal's digits counted as zeros.

    Args:
        data: the file.
        at: where the seal's 64 digits stand in it.
    """
    digest = hashlib.sha256()
    with memoryview(data) as view:
        for span in (view[:at], b"0" * _SEAL_BYTES, view[at + _SEAL_BYTES :]):
            for start in range(0, len(span), _CHUNK_BYTES):
                digest.update(span[start : start + _CHUNK_BYTES])
    return digest.hexdigest().encode()


def _reason(error: Exception) -> str:
    return str(error) if type(error) is ValueError else "it points beyond its end"


def _structure(data: mmap.mmap) -> Structure:
    if data[4:8] != _IDENTIFIER:
        raise ValueError("it does not begin as one")
    model = Table(data, struct.unpack_from("<I", data, 0)[0])
    if model.number(0, "<I") != _VERSION:
        raise ValueError(f"its schema is version {model.number(0, '<I')}, not {_VERSION}")
    buffers = [_buffer(data, one) for one in model.tables(4)]
    metadata = {one.text(0): buffers[one.number(1, "<I")] for one in model.tables(6)}
    if METADATA_KEY in metadata:
        _check_seal(data, metadata.get(SEAL_KEY, (0, 0)))
    codes = [_code(one) for one in model.tables(1)]
    (graph,) = _only(model.tables(2), "graph")
    tensors = tuple(_tensor(data, one, buffers) for one in graph.tables(0))
    operators = tuple(_operator(one, codes, len(tensors)) for one in graph.tables(3))
    inputs = [int(index) for index in graph.numbers(1, "<i4")]
    outputs = [int(index) for index in graph.numbers(2, "<i4")]
    _check_order(tensors, operators, inputs, outputs)
    (signature,) = _only(model.tables(7), "signature")
    if signature.number(4, "<I") != 0:
        raise ValueError("its signature is of a graph that it does not have")
    return Structure(
        tensors,
        operators,
        _signature(signature, 0, inputs),
        _signature(signature, 1, outputs),
        {name: data[start : start + size] for name, (start, size) in metadata.items()},
    )


def _only(found: Iterator[Table], what: str) -> list[Table]:
    tables = list(found)
    if len(tables) != 1:
        raise ValueError(f"it has {len(tables)} {what}s, not one")
    return tables


def _buffer(data: mmap.mmap, buffer: Table) -> tuple[int, int]:
    """Return where a buffer's bytes stand, and how many they are; large files have them apart."""
    start, size = buffer.number(1, "<Q"), buffer.number(2, "<Q")
    if start <= 1:
        return buffer.span(0)
    if start + size > len(data):
        raise ValueError("a buffer ends beyond the file")
    return start, size


def _check_seal(data: mmap.mmap, place: tuple[int, int]) -> None:
    start, size = place
    if size != _SEAL_BYTES or data[start : start + size] != sealed(data, start):
        raise ValueError("it was changed after its export")


def _code(code: Table) -> tuple[str, int]:
    # Codes beyond a byte stand in a field of their own.
    number = max(code.number(0, "<b"), code.number(3, "<i"))
    name = _OPERATORS[number] if 0 <= number < len(_OPERATORS) else f"operator {number}"
    return name, code.number(2, "<i", 1)


def _tensor(data: mmap.mmap, tensor: Table, buffers: Sequence[tuple[int, int]]) -> Tensor:
    shape = tuple(int(extent) for extent in tensor.numbers(0, "<i4"))
    name = tensor.text(3)
    count = math.prod(shape)
    if len(shape) > _MAX_RANK or min(shape, default=1) < 1 or count > _MAX_ELEMENTS:
        raise ValueError(f"the tensor {shown(name)} has the shape {shown(shape)}")
    dtype, element = _DTYPES.get(number := tensor.number(1, "<b"), (f"type {number}", 0))
    start, size = buffers[tensor.number(2, "<I")]
    constant = size > 0
    if constant and size != count * element:
        raise ValueError(f"the tensor {shown(name)} has {size} bytes for the shape {shown(shape)}")
    values = None
    if constant and dtype == "int32":
        values = np.frombuffer(data[start : start + size], "<i4").reshape(shape)
    return Tensor(name, shape, dtype, constant, values, _scales(tensor, name, shape))


def _scales(tensor: Table, name: str, shape: tuple[int, ...]) -> int:
    quantisation = tensor.table(4)
    if quantisation is None:
        return 0
    scales, zeros = quantisation.numbers(2, "<f4"), quantisation.numbers(3, "<i8")
    axis = quantisation.number(6, "<i")
    known = {0, 1, shape[axis] if 0 <= axis < len(shape) else 1}
    if len(scales) not in known or len(zeros) != len(scales) or not (scales > 0).all():
        raise ValueError(f"the tensor {shown(name)} is quantised by {len(scales)} scales")
    return len(scales)


def _operator(operator: Table, codes: Sequence[tuple[str, int]], tensors: int) -> Operator:
    name, version = codes[operator.number(0, "<I")]
    inputs = tuple(int(index) for index in operator.numbers(1, "<i4"))
    outputs = tuple(int(index) for index in operator.numbers(2, "<i4"))
    if not all(0 <= index < tensors for index in inputs):
        raise ValueError(f"a {name} takes a tensor that is not there")
    if len(inputs) < _LEAST_INPUTS.get(name, 1) or not outputs:
        raise ValueError(f"a {name} takes {len(inputs)} tensors and gives {len(outputs)}")
    options = operator.table(4)
    return Operator(name, version, inputs, outputs, {} if options is None else options.stored())


def _check_order(
    tensors: Sequence[Tensor],
    operators: Sequence[Operator],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> None:
    """Refuse a graph that takes what it has not made yet, or makes a tensor twice."""
    there = {index for index, tensor in enumerate(tensors) if tensor.constant}
    makes = [(inputs, "the graph"), *((one.outputs, f"a {one.name}") for one in operators)]
    takes = [one.inputs for one in operators]
    for (made, by), taken in zip(makes, [*takes, outputs], strict=True):
        for index in made:
            if not 0 <= index < len(tensors) or index in there:
                raise ValueError(f"{by} makes a tensor that is not there, or a second time")
            there.add(index)
        if not there.issuperset(taken):
            raise ValueError("a tensor is taken before it is made")


def _signature(signature: Table, field: int, indices: Sequence[int]) -> dict[str, int]:
    named = {one.text(0): int(one.number(1, "<I")) for one in signature.tables(field)}
    if sorted(named.values()) != sorted(indices):
        raise ValueError("its signature is another than its graph's")
    return named
