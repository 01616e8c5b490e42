"""The rows of the GPU comparison: what each opens, with which provider, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lama_edge.engines import ProfileSizes, load_library
from lama_edge.errors import MissingBackendError, UsageError, needs_extra
from lama_edge.exporters.formats.record import Export, SizeChoice
from lama_edge.nvidia import current_gpu
from lama_edge.pipeline import export_model
from lama_edge.runtimes.tensorrt.cuda import Cuda
from lama_edge.spec import Precision, Size

Device = Literal["cuda", "cpu"]
Form = Literal["checkpoint", "onnx", "engine"]


@dataclass(frozen=True)
class GpuEntry:
    """One row of the comparison.

    Attributes:
        name: what the command line calls it.
        form: the kind of file that is measured.
        precision: of the exported file; a checkpoint is fp32.
        provider: see `open_runner`.
        tf32: whether the engine may compute float32 in TF32; other forms say so in `provider`.
    """

    name: str
    form: Form
    precision: Precision
    provider: str
    tf32: bool = False


ENTRIES: dict[Device, tuple[GpuEntry, ...]] = {
    "cuda": (
        GpuEntry("torch-eager", "checkpoint", "fp32", "cuda"),
        GpuEntry("torch-eager-tf32", "checkpoint", "fp32", "cuda+tf32"),
        GpuEntry("torch-compiled", "checkpoint", "fp32", "cuda+compile"),
        GpuEntry("torch-compiled-tf32", "checkpoint", "fp32", "cuda+compile+tf32"),
        GpuEntry("onnx-cuda-fp32", "onnx", "fp32", "cuda"),
        GpuEntry("onnx-cuda-fp16", "onnx", "fp16", "cuda"),
        # ONNX Runtime's provider has no way to turn TF32 off.
        GpuEntry("onnx-tensorrt-tf32", "onnx", "fp32", "tensorrt"),
        GpuEntry("onnx-tensorrt-fp16", "onnx", "fp16", "tensorrt"),
        GpuEntry("engine-fp32", "engine", "fp32", "auto"),
        GpuEntry("engine-tf32", "engine", "fp32", "auto", tf32=True),
        GpuEntry("engine-fp16", "engine", "fp16", "auto"),
        GpuEntry("engine-int8", "engine", "int8", "auto"),
    ),
    # The same comparison without a GPU: for a look at the harness, and for boards without one.
    "cpu": (
        GpuEntry("torch-eager", "checkpoint", "fp32", "cpu"),
        GpuEntry("torch-compiled", "checkpoint", "fp32", "cpu+compile"),
        GpuEntry("onnx-cpu-fp32", "onnx", "fp32", "cpu"),
        GpuEntry("onnx-cpu-fp16", "onnx", "fp16", "cpu"),
    ),
}


def chosen(device: Device, names: tuple[str, ...]) -> list[GpuEntry]:
    """Return the entries of these names, all for none.

    Raises:
        UsageError: when there is no entry of a name.
    """
    known = {entry.name: entry for entry in ENTRIES[device]}
    for name in names:
        if name not in known:
            raise UsageError(f"unknown entry {name!r}; known: {', '.join(known)}")
    return [entry for entry in known.values() if not names or entry.name in names]


def require_runtime(entry: GpuEntry) -> None:
    """See to it that an entry can be measured here.

    Raises:
        MissingBackendError: saying what is missing.
    """
    if entry.form == "engine":
        load_library()
        if current_gpu() is None:
            raise MissingBackendError("there is no NVIDIA GPU, or no driver for it")
        Cuda().require_device()
    elif entry.form == "onnx":
        from lama_edge.runtimes.onnxruntime.providers import available_providers

        if entry.provider not in available_providers():
            raise MissingBackendError(
                f"this ONNX Runtime has no provider {entry.provider!r}: install onnxruntime-gpu"
            )
    else:
        with needs_extra("torch"):
            import torch

        if entry.provider.startswith("cuda") and not torch.cuda.is_available():
            raise MissingBackendError("this torch finds no GPU: install its CUDA build")


def exported_path(entry: GpuEntry, size: Size, folder: Path) -> Path:
    """Return where the file of an entry that is no checkpoint belongs; entries may share it."""
    kind = "tf32" if entry.tf32 else entry.precision
    return folder / f"{kind}-{size}.{entry.form}"


def export(entry: GpuEntry, checkpoint: str | Path, size: Size, path: Path) -> None:
    """Write the file that an entry measures.

    Parity is judged by whoever exports for use; here every row's picture is compared afterwards.

    Raises:
        LamaEdgeError: when it cannot be made.
    """
    form = "onnx"
    choice: SizeChoice = size
    # Left to itself, an export of a wide generator is shaped for processors.
    options: dict[str, Any] = {"for": "gpu"}
    if entry.form == "engine":
        form, choice = "tensorrt", ProfileSizes(size, size, size)
        options = {"compute_capability": ("current",), "tf32": entry.tf32}
    export_model(
        Export(
            form,
            checkpoint,
            path,
            sizes=(choice,),
            precision=entry.precision,
            options=options,
            check_parity=False,
            overwrite=True,
        )
    )
