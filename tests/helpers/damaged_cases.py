"""Cases of damaged files: what they are made from, the command that reads them, what came of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from PIL import Image
from places import DATA, TESTS
from safetensors.numpy import save_file

from lama_edge.exporters.formats.record import Export
from lama_edge.files import beside, join_part
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.torch_modules import build_generator
from lama_edge.pipeline import export_model
from lama_edge.spec import Size

SERVER = TESTS / "command_server.py"
WRITTEN = DATA / "written-by-0.1.0"
SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"
CHECKPOINTS = (
    *("fourier.ckpt", "regular.ckpt", "dilated.ckpt"),
    *("scripted.pt", "plain.safetensors", "own.pth", "entries.pth"),
)
CONFIGS = ("fourier.yaml", "regular.yaml", "dilated.yaml")
PICTURES = (
    *("picture.png", "picture.jpg", "picture.webp", "picture.tiff", "picture.bmp"),
    *("alpha-picture.png", "palette-picture.png", "deep-picture.png", "alpha-picture.webp"),
)
MASKS = ("mask.png", "mask.tiff", "mask.bmp", "alpha-mask.png")
MODELS = (
    *("fixed.onnx", "dynamic.onnx", "tiles.onnx", "uint8.onnx", "dilated.onnx", "emulated.onnx"),
)
# Files of a Core ML package; the record beside an engine; a document of measurements.
PACKAGES = {"package.mlmodel": SPECIFICATION, "package.json": "Manifest.json"}
if find_spec("coremltools") is None:
    PACKAGES = {}
# A LiteRT file; both files of an OpenVINO model.
OTHER_MODELS: dict[str, str] = {}
if find_spec("ai_edge_litert") is not None:
    OTHER_MODELS["lite.tflite"] = "litert"
if find_spec("openvino") is not None:
    OTHER_MODELS |= dict.fromkeys(("vino.xml", "vino.bin"), "openvino")
RECORDS = ("engine.json", "bench.json")
KINDS = (
    *(*CHECKPOINTS, *CONFIGS, *PICTURES, *MASKS),
    *(*MODELS, *PACKAGES, *OTHER_MODELS, *RECORDS),
)
MORE_WORDS = {
    "tiles.onnx": ["--strategy", "tiles"],
    "emulated.onnx": ["--provider", "emulated"],
}
LIMIT_BYTES = 2 << 30
SIDES = {"dilated": 72}  # the smallest sizes that the generators take
SMALLEST_SIDE = 16


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


@contextmanager
def command_server() -> Iterator[subprocess.Popen[str]]:
    """Start the server that `run` asks."""
    pipe = subprocess.PIPE
    command = [sys.executable, str(SERVER)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def run(server: subprocess.Popen[str], words: list[str], log: Path, *, limit_s: float) -> Outcome:
    """Run a command in a process of its own, which ends at the limits."""
    assert server.stdin is not None
    assert server.stdout is not None
    limits = {"limit_s": limit_s, "limit_bytes": LIMIT_BYTES}
    print(json.dumps({"words": words, "log": str(log), **limits}), file=server.stdin, flush=True)
    answer: dict[str, Any] = json.loads(server.stdout.readline())
    return Outcome(**answer, errors=log.read_text(errors="replace").splitlines())


def problem_of(outcome: Outcome, *, limit_s: float) -> str | None:
    """Say what is wrong with an outcome that is no single line and exit code 2, nor a success."""
    if outcome.peak_bytes >= LIMIT_BYTES:
        return "memory"
    if outcome.wall_s >= limit_s:
        return "hang"
    if outcome.exit_code < 0:
        return "crash"
    if any(line.startswith("Traceback") for line in outcome.errors):
        return "traceback"
    if not all(line.startswith("lama-edge: ") and line.isprintable() for line in outcome.errors):
        return "noise"
    complaints = [line for line in outcome.errors if line.startswith("lama-edge: error: ")]
    if outcome.exit_code not in (0, 2) or complaints != (
        outcome.errors[-1:] if outcome.exit_code else []
    ):
        return "exit code"
    return None


def make_originals(folder: Path) -> dict[str, Path]:
    """Write one valid file of each kind."""
    found = {kind: folder / kind for kind in KINDS}
    for family in ("fourier", "regular", "dilated"):
        shutil.copy(DATA / family / "models" / "best.ckpt", found[f"{family}.ckpt"])
        shutil.copy(DATA / family / "config.yaml", found[f"{family}.yaml"])
    _save_checkpoints(found)
    _save_pictures(found)
    for kind in MODELS:
        job = Export(
            "onnx",
            DATA / ("dilated" if kind == "dilated.onnx" else "fourier"),
            found[kind],
            sizes=(Size(64, 72) if kind == "fixed.onnx" else None,),
            io="uint8" if kind == "uint8.onnx" else "float",
            check_parity=False,
        )
        export_model(job)
    for kind, name in OTHER_MODELS.items():
        if kind != "vino.bin":  # written with the other file
            job = Export(name, DATA / "fourier", found[kind], precision="fp32", check_parity=False)
            export_model(replace(job, sizes=(Size(64, 72),)))
    for kind, inside in PACKAGES.items():
        shutil.copy(WRITTEN / "dynamic.mlpackage" / inside, found[kind])
    record = json.loads((WRITTEN / "range.engine.json").read_text())
    record["engine"]["engine_sha256"] = hashlib.sha256(_engine(record)).hexdigest()
    found["engine.json"].write_text(json.dumps(record))
    shutil.copy(WRITTEN / "bench.json", found["bench.json"])
    return found


def _engine(record: dict[str, Any]) -> bytes:
    return bytes(record["engine"]["engine_bytes"])


def _save_checkpoints(found: dict[str, Path]) -> None:
    checkpoint = load_checkpoint(DATA / "fourier")
    generator = build_generator(checkpoint)
    scripted = torch.jit.trace(generator, torch.rand(1, 4, 16, 16))  # type: ignore[no-untyped-call]
    scripted.save(str(found["scripted.pt"]))
    metadata = {"config": json.dumps(checkpoint.config.to_dict())}
    save_file(dict(checkpoint.tensors), found["plain.safetensors"], metadata)
    weights = {name: torch.tensor(array) for name, array in checkpoint.tensors.items()}
    wide = {name: tensor.double() for name, tensor in weights.items()}
    own = {
        "epoch": 3,
        "made": datetime(2026, 1, 2, tzinfo=timezone.utc),
        "betas": (0.9, 0.99),
        "settings": argparse.Namespace(lr=1e-3, names=["a", None], where=Path("data")),
        (1, "a"): 2j,
        "model": {"state_dict": wide},
    }
    torch.save(own, found["own.pth"], pickle_protocol=4)
    both = {"params": {name: tensor.half() for name, tensor in weights.items()}}
    torch.save({**both, "params_ema": weights}, found["entries.pth"])


def _save_pictures(found: dict[str, Path]) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[274] = 3  # the orientation: upside down
    exif[271], exif[306] = "a camera", "2026:01:02 03:04:05"
    exif.get_ifd(0x8769).update({0x829A: (1, 125), 0x927C: bytes(range(64)), 0xA002: 70})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 5.5)})
    alpha = Image.fromarray(rng.integers(0, 2, (50, 70), dtype=np.uint8) * 255)
    with_alpha = picture.copy()
    with_alpha.putalpha(alpha)
    deep = Image.fromarray(rng.integers(0, 1 << 16, (50, 70), dtype=np.uint16))
    forms = {"alpha": with_alpha, "deep": deep, "palette": picture.quantize(16)}
    more: dict[str, dict[str, Any]] = {"palette": {"transparency": 3}}
    for kind in PICTURES:
        form = kind.partition("-")[0]
        forms.get(form, picture).save(found[kind], exif=exif, dpi=(72, 72), **more.get(form, {}))
    mask = Image.new("L", (70, 50))
    mask.paste(255, (20, 10, 40, 30))
    for kind in MASKS:
        mask.save(found[kind])
    Image.merge("LA", (Image.new("L", mask.size), mask)).save(found["alpha-mask.png"])


def lay_out(
    kind: str, data: bytes, originals: dict[str, Path], folder: Path
) -> tuple[list[str], Path | None]:
    """Lay out a case's files; return the command's words and the output that it names."""
    outputs = folder / "outputs"
    outputs.mkdir()
    output: Path | None = outputs / "picture.png"
    words: list[Any]
    if kind in CHECKPOINTS or kind in CONFIGS:
        output = outputs / "model.onnx"
        checkpoint = _checkpoint(kind, data, originals, folder)
        size = SIDES.get(Path(kind).stem, SMALLEST_SIDE)
        words = ["export", "onnx", checkpoint, "-o", output, "--no-parity", "--size", size]
    elif kind in RECORDS:
        words, output = _record(kind, data, originals, folder), None
    else:
        damaged = folder / kind
        damaged.write_bytes(data)
        paths = {"model": originals["fixed.onnx"], "picture": originals["picture.png"]}
        paths["mask"] = originals["mask.png"]
        if kind in OTHER_MODELS:
            paths["model"] = damaged
            if damaged.suffix in (".xml", ".bin"):
                other = damaged.with_suffix(".bin" if damaged.suffix == ".xml" else ".xml")
                shutil.copy(originals[other.name], other)
                paths["model"] = damaged.with_suffix(".xml")
        elif kind in PACKAGES:
            paths["model"] = damaged = shutil.copytree(
                WRITTEN / "dynamic.mlpackage", folder / "damaged.mlpackage"
            )
            (damaged / PACKAGES[kind]).write_bytes(data)
        else:
            paths["model" if kind in MODELS else Path(kind).stem.rpartition("-")[2]] = damaged
        if kind in PICTURES:
            output = outputs / f"picture{damaged.suffix}"
        words = ["inpaint", paths["model"], paths["picture"], paths["mask"], "-o", output]
        words += MORE_WORDS.get(kind, [])
    return [str(word) for word in words], output


def _checkpoint(kind: str, data: bytes, originals: dict[str, Path], folder: Path) -> str | Path:
    """Lay out a checkpoint with its config beside it, or alone where it needs none."""
    if Path(kind).suffix not in (".ckpt", ".yaml"):
        path = folder / kind
        path.write_bytes(data)
        return join_part(path, "params_ema") if kind == "entries.pth" else path
    family = Path(kind).stem
    (folder / "models").mkdir()
    for name, target in ((".ckpt", "models/best.ckpt"), (".yaml", "config.yaml")):
        whole = originals[f"{family}{name}"].read_bytes()
        (folder / target).write_bytes(data if kind.endswith(name) else whole)
    return folder


def _record(kind: str, data: bytes, originals: dict[str, Path], folder: Path) -> list[Any]:
    damaged = folder / kind
    damaged.write_bytes(data)
    if kind == "bench.json":
        return ["compare", damaged, originals[kind], "--threshold", "1000"]
    engine = folder / "damaged.engine"
    engine.write_bytes(_engine(json.loads(originals[kind].read_text())))
    damaged.rename(beside(engine))
    return ["inspect", engine]


def content_of(output: Path) -> str:
    """Load what a command wrote, which must be whole and finite; return what tells it apart."""
    if output.suffix == ".onnx":
        ort.InferenceSession(str(output), providers=["CPUExecutionProvider"])
        graph = onnx.load(output).graph
        for tensor in graph.initializer:
            assert np.isfinite(numpy_helper.to_array(tensor)).all(), tensor.name
        return hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest()
    with Image.open(output) as picture:
        return hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()
