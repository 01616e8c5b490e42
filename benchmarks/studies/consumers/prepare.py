"""Exports the matrix's files, each with its inputs and what is to come out of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lama_edge.benchmarks.studies.consumers.cells import SIZE, WIDE, ModelFile
from lama_edge.errors import UsageError, needs_extra
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.seeded import save_seeded
from lama_edge.models.torch_modules import build_generator
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.onnxruntime.session import open_session, run_session
from lama_edge.spec import IoForm, Size, SizePolicy

with needs_extra("torch"):
    import torch

# Beside the top folder of a clone; the wheel has no studies.
_GOLDEN = Path(__file__).resolve().parents[3] / "tests" / "data"
_CPU = ("CPUExecutionProvider",)
_SEED = 7


@dataclass(frozen=True)
class Prepared:
    """A file, what it is given and what it shall give.

    Attributes:
        model: the ``.onnx`` file.
        inputs: an ``.npz`` with `image` and `mask` in its form.
        case: the picture and the hole.
        reference: float32 [H,W,3], the picture with the fill that torch gives.
        plain: what ONNX Runtime gives, in the file's form.
    """

    model: Path
    inputs: Path
    case: ParityCase
    reference: Array
    plain: Array


def source_of(model: str, folder: Path) -> Path | None:
    """Return where the checkpoint of a model of the matrix lies; None is the embedded one.

    Raises:
        UsageError: when it is one of the clone's and this is no clone.
    """
    if model == "lama-tiny":
        return None
    if model == "wide":
        path = folder / "wide.safetensors"
        if not path.exists():
            save_seeded(WIDE, path)
        return path
    if not (_GOLDEN / model).is_dir():
        raise UsageError(f"there is no folder {str(_GOLDEN / model)!r}: run this in a clone")
    return _GOLDEN / model


def export_file(file: ModelFile, source: Path | None, folder: Path) -> Path:
    """Export a file of the matrix from a checkpoint into a folder, without judging it."""
    path = folder / f"{'-'.join(map(str, file.to_dict().values()))}.onnx"
    job = Export(
        "onnx",
        source,
        path,
        sizes=(SIZE if file.size == "fixed" else None,),
        precision=file.precision,
        io=file.io,
        check_parity=False,
        options={"for": file.purpose},
    )
    export_model(job)
    return path


def prepare(
    model: Path, source: Path | None, io: IoForm, folder: Path, *, size: Size = SIZE
) -> Prepared:
    """Draw the inputs of a model, and compute what comes out of it and what should.

    Masks have several values above 0, all of them hole.

    Args:
        model: an ``.onnx`` file.
        source: its checkpoint.
        io: its form.
        folder: where the inputs are written.
        size: of the picture, one that the model takes.
    """
    (case,) = seeded_cases(SizePolicy(size, 1, min(size.height, size.width), None))
    feeds = _feeds(case, io)
    inputs = folder / f"{io}-{size}.npz"
    if not inputs.exists():
        np.savez(inputs, **feeds)  # type: ignore[arg-type]
    session = open_session(str(model), provider_names=_CPU, threads=1)
    (plain,) = run_session(session, ["inpainted"], feeds)
    return Prepared(model, inputs, case, _reference(source, case), plain)


def _feeds(case: ParityCase, io: IoForm) -> dict[str, Array]:
    rng = np.random.default_rng(_SEED)
    levels = case.hole * rng.choice(np.array([1, 128, 255], np.uint8), case.hole.shape)
    if io == "uint8":
        return {"image": case.image[None], "mask": levels[None, ..., None]}
    image = (case.image / np.float32(255)).transpose(2, 0, 1)[None]
    return {"image": np.ascontiguousarray(image), "mask": levels[None, None] / np.float32(255)}


def _reference(source: Path | None, case: ParityCase) -> Array:
    generator = build_generator(load_checkpoint(source))
    image = torch.from_numpy(case.image / np.float32(255)).permute(2, 0, 1)[None]
    hole = torch.from_numpy(case.hole.astype(np.float32))[None, None]
    with torch.inference_mode():
        predicted = generator(torch.cat([image * (1 - hole), hole], dim=1))
        whole = hole * predicted + (1 - hole) * image
    return np.asarray(whole[0].permute(1, 2, 0).numpy())
