"""Damaged and hostile files end in one line and exit code 2, quickly and without a trace.

Every case damages one valid input by a seeded chance and runs the real command on it. A failed
case is reproduced by its id: ``pytest "tests/test_mutations.py::…[fourier.ckpt-7]"``.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from PIL import Image
from places import DATA
from safetensors.numpy import save_file

from lama_edge.export.formats.record import Export
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.generators import build_generator
from lama_edge.pipeline import export_model
from lama_edge.spec import Size

SERVER = Path(__file__).with_name("command_server.py")
CHECKPOINTS = ("fourier.ckpt", "regular.ckpt", "dilated.ckpt", "scripted.pt", "plain.safetensors")
CONFIGS = ("fourier.yaml", "regular.yaml", "dilated.yaml")
PICTURES = ("picture.png", "picture.jpg", "picture.webp", "picture.tiff", "picture.bmp")
MASKS = ("mask.png", "mask.tiff", "mask.bmp")
MODELS = ("fixed.onnx", "dynamic.onnx", "uint8.onnx", "dilated.onnx")
KINDS = (*CHECKPOINTS, *CONFIGS, *PICTURES, *MASKS, *MODELS)
FAST_SEEDS, ALL_SEEDS = 2, 13  # 40 fast cases, 220 slow ones
LIMIT_S = 10.0
LIMIT_BYTES = 2 << 30
SIDES = {"dilated": 72}  # the smallest sizes that the generators take
SMALLEST_SIDE = 16
EDGE_BYTES = 4096  # where files keep their headers and directories
HEADER_BYTES = 128

Mutation = Callable[[bytearray, np.random.Generator], bytearray]
CASES = [
    pytest.param(
        kind, seed, id=f"{kind}-{seed}", marks=[pytest.mark.slow] if seed >= FAST_SEEDS else []
    )
    for kind in KINDS
    for seed in range(ALL_SEEDS)
]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


@dataclass(frozen=True)
class Outcome:
    """What became of one command.

    Attributes:
        exit_code: negative when a signal ended it, ours at a limit among them.
        wall_s: how long it took.
        peak_bytes: the most memory that it held, torch and all.
        errors: the lines on stderr.
    """

    exit_code: int
    wall_s: float
    peak_bytes: int
    errors: list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SERVER)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="module")
def originals(
    golden_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One valid file of each kind."""
    folder = tmp_path_factory.mktemp("originals")
    found = {kind: folder / kind for kind in KINDS}
    for family in ("fourier", "regular", "dilated"):
        shutil.copy(DATA / family / "models" / "best.ckpt", found[f"{family}.ckpt"])
        shutil.copy(DATA / family / "config.yaml", found[f"{family}.yaml"])
    generator = build_generator(golden_checkpoint)
    torch.jit.trace(generator, torch.rand(1, 4, 16, 16)).save(str(found["scripted.pt"]))
    metadata = {"config": json.dumps(golden_checkpoint.config.to_dict())}
    save_file(dict(golden_checkpoint.tensors), found["plain.safetensors"], metadata)
    _save_pictures(found)
    for kind, size, io_form in (
        ("fixed.onnx", Size(64, 72), "float"),
        ("dynamic.onnx", None, "float"),
        ("uint8.onnx", None, "uint8"),
        ("dilated.onnx", None, "float"),
    ):
        family = DATA / ("dilated" if kind == "dilated.onnx" else "fourier")
        export_model(
            Export("onnx", family, found[kind], sizes=(size,), io=io_form, check_parity=False)
        )
    return found


def _save_pictures(found: dict[str, Path]) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[274] = 3  # the orientation: upside down
    for kind in PICTURES:
        picture.save(found[kind], exif=exif)
    mask = Image.new("L", (70, 50))
    mask.paste(255, (20, 10, 40, 30))
    for kind in MASKS:
        mask.save(found[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_undamaged_files_work(
    kind: str, server: subprocess.Popen[str], originals: dict[str, Path], tmp_path: Path
) -> None:
    words, output = _command(kind, originals[kind].read_bytes(), originals, tmp_path)
    outcome = _run(server, words, tmp_path / "log")
    assert (outcome.exit_code, outcome.errors) == (0, [])
    _check_loads(output)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_a_damaged_file_is_one_line_or_harmless(
    kind: str,
    seed: int,
    server: subprocess.Popen[str],
    originals: dict[str, Path],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    damaged = _damaged(kind, originals[kind].read_bytes(), rng)
    words, output = _command(kind, damaged, originals, tmp_path)
    outcome = _run(server, words, tmp_path / "log")
    _check_harmless(outcome)
    if outcome.exit_code == 0:
        assert list(output.parent.iterdir()) == [output]
        _check_loads(output)
    else:
        assert list(output.parent.iterdir()) == []
    if words[0] == "export" or kind in MODELS:
        model = words[2] if words[0] == "export" else words[1]
        _check_harmless(_run(server, ["inspect", model], tmp_path / "inspect_log"))


def _check_harmless(outcome: Outcome) -> None:
    """One error with exit code 2, or none with 0, on a line of printable characters each."""
    assert outcome.exit_code in (0, 2), outcome
    assert outcome.wall_s < LIMIT_S
    assert outcome.peak_bytes < LIMIT_BYTES
    for line in outcome.errors:
        assert line.startswith("lama-edge: "), outcome
        assert line.isprintable(), outcome
    complaints = [line for line in outcome.errors if line.startswith("lama-edge: error: ")]
    assert complaints == (outcome.errors[-1:] if outcome.exit_code else []), outcome


def _command(
    kind: str, data: bytes, originals: dict[str, Path], folder: Path
) -> tuple[list[str], Path]:
    """Lay out a case's files; return the command's words and the output that it names."""
    outputs = folder / "outputs"
    outputs.mkdir()
    if kind in CHECKPOINTS or kind in CONFIGS:
        output = outputs / "model.onnx"
        checkpoint = _checkpoint(kind, data, originals, folder)
        size = SIDES.get(Path(kind).stem, SMALLEST_SIDE)
        words = ["export", "onnx", checkpoint, "-o", output, "--no-parity", "--size", size]
    else:
        damaged = folder / kind
        damaged.write_bytes(data)
        paths = {"fixed": originals["fixed.onnx"], "picture": originals["picture.png"]}
        paths["mask"] = originals["mask.png"]
        paths["fixed" if kind in MODELS else Path(kind).stem] = damaged
        suffix = ".png" if kind in MODELS or kind in MASKS else damaged.suffix
        output = outputs / f"picture{suffix}"
        words = ["inpaint", paths["fixed"], paths["picture"], paths["mask"], "-o", output]
    return [str(word) for word in words], output


def _checkpoint(kind: str, data: bytes, originals: dict[str, Path], folder: Path) -> Path:
    """Lay out a checkpoint with its config beside it, or alone where it needs none."""
    if Path(kind).suffix not in (".ckpt", ".yaml"):
        path = folder / kind
        path.write_bytes(data)
        return path
    family = Path(kind).stem
    (folder / "models").mkdir()
    for name, target in ((".ckpt", "models/best.ckpt"), (".yaml", "config.yaml")):
        whole = originals[f"{family}{name}"].read_bytes()
        (folder / target).write_bytes(data if kind.endswith(name) else whole)
    return folder


def _run(server: subprocess.Popen[str], words: list[str], log: Path) -> Outcome:
    assert server.stdin is not None
    assert server.stdout is not None
    limits = {"limit_s": LIMIT_S, "limit_bytes": LIMIT_BYTES}
    print(json.dumps({"words": words, "log": str(log), **limits}), file=server.stdin, flush=True)
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return Outcome(**answer, errors=log.read_text(errors="replace").splitlines())


def _check_loads(output: Path) -> None:
    if output.suffix == ".onnx":
        ort.InferenceSession(str(output), providers=["CPUExecutionProvider"])
        return
    with Image.open(output) as picture:
        picture.load()


def _damaged(kind: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file: on its surface, or below the checksums and lengths that would tell."""
    suffix = Path(kind).suffix
    below = _BELOW_THE_SURFACE.get(suffix)
    if below is not None and rng.random() < (0.8 if suffix == ".yaml" else 0.5):
        return below(data, rng)
    return _mutated(data, rng)


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 3)):
        damaged = _MUTATIONS[rng.integers(len(_MUTATIONS))](damaged, rng)
    return bytes(damaged)


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
    order = "little" if rng.random() < 0.5 else "big"
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
        chosen = pickle if rng.random() < 0.8 else names[rng.integers(len(names))]
        for name in names:
            member = source.read(name)
            copy.writestr(name, _mutated(member, rng) if name == chosen else member)
    return result.getvalue()


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
    header = _text_damaged(data[8 : 8 + size].decode(), rng).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _onnx_parts_damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage what the file says of itself, or a value or name of the graph."""
    model = onnx.load_from_string(data)
    nodes = model.graph.node
    change = rng.integers(4)
    if change == 0:
        entry = next(entry for entry in model.metadata_props if entry.key == "lama_edge")
        entry.value = _text_damaged(entry.value, rng)
    elif change == 1:
        nodes[rng.integers(len(nodes))].input[0] = nodes[rng.integers(len(nodes))].output[0]
    elif change == 2:
        lists = [fact.ints for node in nodes for fact in node.attribute if fact.ints]
        chosen = lists[rng.integers(len(lists))]
        chosen[rng.integers(len(chosen))] = _odd_number(rng)
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


_BELOW_THE_SURFACE: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    ".ckpt": _zip_member_damaged,
    ".pt": _zip_member_damaged,
    ".png": _png_chunks_damaged,
    ".safetensors": _safetensors_header_damaged,
    ".onnx": _onnx_parts_damaged,
    ".yaml": _yaml_damaged,
}
