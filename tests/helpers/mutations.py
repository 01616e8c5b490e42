"""Damages files by a seeded chance: on their surface, or below the checksums that would tell."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

EDGE_BYTES = 4096  # where files keep their headers and directories
HEADER_BYTES = 128

Mutation = Callable[[bytearray, np.random.Generator], bytearray]


def damaged(kind: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged copy of a file whose suffix tells its kind."""
    suffix = Path(kind).suffix
    below = _BELOW_THE_SURFACE.get(suffix)
    if below is not None and rng.random() < (0.8 if suffix == ".yaml" else 0.5):
        return below(data, rng)
    return _mutated(data, rng)


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    copy = bytearray(data)
    for _ in range(rng.integers(1, 3)):
        copy = _MUTATIONS[rng.integers(len(_MUTATIONS))](copy, rng)
    return bytes(copy)


def _position(data: bytearray, rng: np.random.Generator) -> int:
    """Draw a place: the first bytes, the first kilobytes, the last ones, or anywhere."""
    size = len(data)
    edge = min(size, EDGE_BYTES)
    starts_and_spans = ((0, min(size, HEADER_BYTES)), (0, edge), (size - edge, edge), (0, size))
    start, span = starts_and_spans[rng.integers(len(starts_and_spans))]
    return int(start + rng.integers(max(1, span)))


def _flip_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 65) if data else 0):
        data[_position(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: _position(data, rng)]


def _swap_blocks(data: bytearray, rng: np.random.Generator) -> bytearray:
    size = int(rng.integers(1, EDGE_BYTES))
    first, second = sorted((_position(data, rng), _position(data, rng)))
    size = min(size, second - first, len(data) - second)
    head, tail = data[first : first + size], data[second : second + size]
    data[first : first + size], data[second : second + size] = tail, head
    return data


def _huge_field(data: bytearray, rng: np.random.Generator) -> bytearray:
    width = int(rng.choice([2, 4, 8]))
    order: Literal["little", "big"] = "little" if rng.random() < 0.5 else "big"
    value = (1 << int(rng.integers(8, 8 * width + 1))) - 1
    start = _position(data, rng) // width * width
    data[start : start + width] = value.to_bytes(width, order)
    return data


def _insert_bytes(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = _position(data, rng)
    data[start:start] = rng.bytes(int(rng.integers(1, 65)))
    return data


def _retype_number(data: bytearray, rng: np.random.Generator) -> bytearray:
    numbers = list(re.finditer(rb"[0-9]+", data))
    if numbers:
        start, end = numbers[rng.integers(len(numbers))].span()
        data[start:end] = b"9" * (end - start)
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _truncate,
    _swap_blocks,
    _huge_field,
    _insert_bytes,
    _retype_number,
)


def _zip_member_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage one member of a torch file, the pickle as a rule, and zip all of it again."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(result, "w") as copy:
        names = source.namelist()
        pickle = next(name for name in names if name.endswith("/data.pkl"))
        storages = [name for name in names if "/data/" in name]
        change = rng.random()
        chosen = pickle if change < 0.6 else names[rng.integers(len(names))]
        mutate = _mutated
        if change > 0.8:
            chosen, mutate = storages[rng.integers(len(storages))], _one_number_extreme
        for name in names:
            member = source.read(name)
            copy.writestr(name, mutate(member, rng) if name == chosen else member)
    return result.getvalue()


_EXTREMES = (-1.0, -3e38, 3e38, 1e30, 1e-42, np.inf, np.nan)


def _one_number_extreme(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace a number among float32 ones by one that no weight is."""
    numbers = np.frombuffer(data[: len(data) // 4 * 4], np.float32).copy()
    if numbers.size:
        numbers[rng.integers(numbers.size)] = _EXTREMES[rng.integers(len(_EXTREMES))]
    return numbers.tobytes() + data[numbers.nbytes :]


def _png_chunks_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage one chunk of a PNG and give it the right length and checksum again."""
    chunks, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append(data[at + 4 : at + 8 + size])
        at += 12 + size
    chosen = int(rng.integers(len(chunks)))
    result = data[:8]
    for index, chunk in enumerate(chunks):
        whole = chunk[:4] + (_mutated(chunk[4:], rng) if index == chosen else chunk[4:])
        size, checksum = len(whole) - 4, zlib.crc32(whole)
        result += size.to_bytes(4, "big") + whole + checksum.to_bytes(4, "big")
    return result


def _safetensors_header_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    size = int.from_bytes(data[:8], "little")
    if rng.random() < 0.3:
        return data[: 8 + size] + _one_number_extreme(data[8 + size :], rng)
    header = _text_damaged(data[8 : 8 + size].decode(), rng).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _onnx_parts_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage what the file says of itself, or a value or name of the graph."""
    model = onnx.load_from_string(data)
    nodes = model.graph.node
    change = rng.integers(5)
    if change == 0:
        entry = model.metadata_props[rng.integers(len(model.metadata_props))]
        entry.value = _text_damaged(entry.value, rng)
    elif change == 1:
        nodes[rng.integers(len(nodes))].input[0] = nodes[rng.integers(len(nodes))].output[0]
    elif change == 2:
        lists = [fact.ints for node in nodes for fact in node.attribute if fact.ints]
        chosen = lists[rng.integers(len(lists))]
        chosen[rng.integers(len(chosen))] = _odd_number(rng)
    elif change == 3:
        kind = onnx.TensorProto.FLOAT
        weights = [tensor for tensor in model.graph.initializer if tensor.data_type == kind]
        tensor = weights[rng.integers(len(weights))]
        tensor.raw_data = _one_number_extreme(tensor.raw_data, rng)
    else:
        kind = onnx.TensorProto.INT64
        sizes = [tensor for tensor in model.graph.initializer if tensor.data_type == kind]
        values = bytearray((tensor := sizes[rng.integers(len(sizes))]).raw_data)
        start = int(rng.integers(len(values) // 8)) * 8
        values[start : start + 8] = _odd_number(rng).to_bytes(8, "little", signed=True)
        tensor.raw_data = bytes(values)
    serialized: bytes = model.SerializeToString()
    return serialized


def _odd_number(rng: np.random.Generator) -> int:
    return int(rng.choice([-(1 << 63), -1, 0, 7, 1 << 16, (1 << 31) - 1, 1 << 40, (1 << 63) - 1]))


_WORDS = (
    "9" * 400,
    "9" * 5000,
    "9223372036854775808",
    "1e300",
    '"\\ud800"',
    "999999999999999999999",
    "-1",
    "0",
    "1e400",
    "0.5",
    "4096",
    "NaN",
    "Infinity",
    "null",
    "true",
    '"text"',
    "[]",
    "{}",
    "[" * 2000,
    "[1, [2, {3: 4}]]",
    "2026-02-30",
)
_YAML_WORDS = (
    "&a [*a]",
    "*missing",
    "!!python/object/apply:os.system [id]",
    "!!binary AAAA",
    ".inf",
    ".nan",
    "${generator.ngf}",
    "${generator}",
    "${env:HOME}",
    "0x" + "f" * 5000,
    "1:" * 200 + "1",
    "? {a: b}",
    "<<: 1",
    "|\n  text",
)


def _text_damaged(text: str, rng: np.random.Generator, words: tuple[str, ...] = _WORDS) -> str:
    """Replace one or two values of a YAML or JSON text."""
    for _ in range(rng.integers(1, 3)):
        values = list(re.finditer(r'(?<=[:\[])( *)("[^"]*"|\$\{[^}]*\}|[\w.\-]+)', text))
        if values:
            chosen = values[rng.integers(len(values))]
            word = chosen.group(1) + words[rng.integers(len(words))]
            text = text[: chosen.start()] + word + text[chosen.end() :]
    return text


def _yaml_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.decode().splitlines()
    # What stands outside the generator's section is not used.
    first = lines.index("generator:")
    at = int(rng.integers(first, len(lines)))
    change = rng.integers(6)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines[at] = lines[at].replace(":", "_x:", 1)
    elif change == 2:
        lines.insert(at, lines[at])
    else:
        lines[at] = _text_damaged(lines[at], rng, _WORDS + _YAML_WORDS)
    return "\n".join(lines).encode()


def _json_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    return _text_damaged(data.decode(), rng).encode()


def _package_file_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage one field of a Core ML specification, wherever it lies in the tree of messages."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(data)
    fields = list(_fields(spec))
    for _ in range(rng.integers(1, 3)):
        message, field, index = fields[rng.integers(len(fields))]
        value = getattr(message, field.name)
        if field.type == field.TYPE_STRING:
            text = value if index is None else value[index]
            new = _text_damaged(text, rng)
            new = _WORDS[rng.integers(len(_WORDS))] if new == text else new
        elif field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
            new = _EXTREMES[rng.integers(len(_EXTREMES))]
        else:
            new = _odd_number(rng)
        try:
            if index is None:
                setattr(message, field.name, new)
            else:
                value[index] = new
        except (TypeError, ValueError):  # no such number in this field: it is missing then
            message.ClearField(field.name)
    serialized: bytes = spec.SerializeToString()
    return serialized


def _fields(message: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield every field that is set, of this message and those in it, with its place in a list."""
    for field, value in message.ListFields():
        several = hasattr(value, "__len__") and not isinstance(value, str | bytes)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in value:
                if isinstance(value[key], str):
                    yield message, field, key
                elif hasattr(value[key], "ListFields"):
                    yield from _fields(value[key])
        elif field.message_type is not None:
            for one in value if several else [value]:
                yield from _fields(one)
        elif several:
            yield from ((message, field, index) for index in range(min(len(value), 4)))
        else:
            yield message, field, None


_XML_VALUES = (
    *(b"-1", b"0", b"", b"1,1", b"1,1,1,1,1,1,1,1,1", b"512", b"65536", b"4294967295"),
    *(b"9223372036854775807", b"9" * 400, b"1e400", b"NaN", b"?", b"f16", b"i64", b"u1"),
    *(b"string", b"undefined", b"dynamic", b"opset1", b"opset99", b"Convolution", b"A" * 5000),
)


def _xml_values_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace one or two attributes by odd values, or by others of the file."""
    for _ in range(rng.integers(1, 3)):
        values = list(re.finditer(rb'(?<==")[^"<>]*(?=")', data))
        start, end = values[rng.integers(len(values))].span()
        value = _XML_VALUES[rng.integers(len(_XML_VALUES))]
        if rng.random() < 0.3:
            value = values[rng.integers(len(values))].group()
        data = data[:start] + value + data[end:]
    return data


_BELOW_THE_SURFACE: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    ".ckpt": _zip_member_damaged,
    ".pt": _zip_member_damaged,
    ".png": _png_chunks_damaged,
    ".safetensors": _safetensors_header_damaged,
    ".onnx": _onnx_parts_damaged,
    ".yaml": _yaml_damaged,
    ".json": _json_damaged,
    ".mlmodel": _package_file_damaged,
    ".pth": _zip_member_damaged,
    ".xml": _xml_values_damaged,
}
