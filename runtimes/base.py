"""What every runner is, and how a file finds the runner that opens it."""

from __future__ import annotations

import contextlib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, UsageError
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import CHECKPOINT_SUFFIXES, is_zoo_name
from lama_edge.spec import IoSpec, SizePolicy, TensorSpec

Array = NDArray[Any]


class Runner(ABC):
    """An open model. Use it as a context manager; it is released at the end of the block.

    Attributes:
        manifest: the model's self-description.
        provider: the provider in use, by its short name.
        version: the runtime's name, version and provider, such as ``onnxruntime 1.31.1 cpu``.
    """

    manifest: Manifest
    provider: str
    version: str

    @abstractmethod
    def run(self, image: Array, mask: Array) -> Array:
        """Inpaint arrays in the model's own form, and wait until the result is on the host.

        Args:
            image: as `manifest.io.image` says: float32 [N,3,H,W] in [0,1] or uint8 [N,H,W,3].
            mask: as `manifest.io.mask` says; any value above 0 is hole.

        Returns:
            As `manifest.io.output` says, of the image's shape.

        Raises:
            ModelError: when the arrays do not fit the model (see `check_inputs`).
        """

    def tiled(self, tile: int | None = None) -> Runner:
        """Return a runner of the same model that works in tiles, in bounded memory.

        Args:
            tile: side of a tile in pixels; None is a good one.

        Returns:
            A runner of its own, to be closed by the caller, with the same manifest; its `run`
            takes one picture at a time.

        Raises:
            ModelError: when this model cannot.
        """
        raise ModelError(
            f"a {self.manifest.format['name']} model cannot run in tiles: export it to ONNX with "
            "--size dynamic"
        )

    @abstractmethod
    def close(self) -> None:
        """Release the model; calling it again does nothing."""

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Entry:
    module: str
    opener: str
    describe: str
    # What is imported while a model is opened, as far as it is installed.
    modules: tuple[str, ...] = ()
    has_functions: bool = False


_COREML_EMULATED = _Entry(
    "lama_edge.runtimes.coreml_emulated_runner",
    "CoremlEmulatedRunner",
    "Core ML, emulated",
    ("coremltools",),
    has_functions=True,
)
_EXPORTED = {
    ".onnx": _Entry("lama_edge.runtimes.onnxruntime_runner", "OnnxRuntimeRunner", "ONNX Runtime"),
    ".mlpackage": _Entry(
        "lama_edge.runtimes.coreml_runner",
        "open_package",
        "Core ML",
        ("coremltools",),
        has_functions=True,
    ),
    ".engine": _Entry(
        "lama_edge.runtimes.tensorrt_runner",
        "TensorrtRunner",
        "TensorRT",
        ("tensorrt", "tensorrt_rtx"),
    ),
}
_BY_SUFFIX = {
    **_EXPORTED,
    **{
        suffix: _Entry(
            "lama_edge.runtimes.torch_runner", "TorchRunner", "torch", ("safetensors", "yaml")
        )
        for suffix in CHECKPOINT_SUFFIXES
    },
}
_EMULATED = {
    ".onnx": _Entry("lama_edge.runtimes.emulated_runner", "EmulatedRunner", "the emulator"),
    ".mlpackage": _COREML_EMULATED,
}
EXPORTED_SUFFIXES = frozenset(_EXPORTED)


def open_runner(
    path: str | Path,
    *,
    provider: str = "auto",
    threads: int | None = None,
    function: str | None = None,
) -> Runner:
    """Open a model with the runtime that its file name calls for.

    Args:
        path: an exported model, or a checkpoint (a folder, a file or a zoo's name) for the
            torch reference.
        provider: the runtime's device or execution provider by its short name (``cpu``,
            ``cuda``, …); ``auto`` is the best one of those available that needs no set-up.
            ``emulated`` is lama-edge's own executor for ONNX files and Core ML packages, which
            rounds every operator's result to the file's element type.
        threads: processor threads that work on one operation; None leaves it to the runtime.
            For torch it holds for the whole process.
        function: which function of a Core ML package that holds several sizes, such as
            ``size_512x768``; None is the default one.

    Returns:
        A runner, to be used as a context manager.

    Raises:
        ModelError: when the path does not exist, no runtime opens it, it has no such function, or
            opening fails.
        UsageError: for a function of a format that has none.
        MissingBackendError: when the runtime or the provider is not installed here.
    """
    path = Path(path)
    entry = _entry(path, provider)
    chosen = {} if function is None else {"function": function}
    if chosen and not entry.has_functions:
        raise UsageError(
            f"only Core ML packages have functions to choose from, and {str(path)!r} is none: "
            f"leave {function!r} out"
        )
    opener = getattr(importlib.import_module(entry.module), entry.opener)
    runner: Runner = opener(path, provider=provider, threads=threads, **chosen)
    return runner


def import_runtime(path: str | Path, *, provider: str = "auto") -> None:
    """Import what `open_runner` needs for a model, and open nothing.

    Args:
        path: as there.
        provider: as there.

    Raises:
        ModelError: when the path does not exist, or no runtime opens it.
        MissingBackendError: when the runtime is not installed here.
    """
    entry = _entry(Path(path), provider)
    importlib.import_module(entry.module)
    for module in entry.modules:
        # What is missing is told, with advice, when the model is opened.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(module)


def _entry(path: Path, provider: str) -> _Entry:
    named = is_zoo_name(path)
    if not named and not path.exists():
        raise ModelError(
            f"the model {str(path)!r} does not exist; give an exported model, a checkpoint or a "
            "name from: lama-edge models list"
        )
    entry = _BY_SUFFIX.get(path.suffix.lower())
    if entry is None and (named or path.is_dir()):
        entry = _BY_SUFFIX[".ckpt"]
    if entry is None:
        known = ", ".join(f"{name} ({e.describe})" for name, e in _BY_SUFFIX.items())
        raise ModelError(f"no runtime opens {str(path)!r}; known: {known}, a checkpoint's folder")
    if provider == "emulated":
        entry = _EMULATED.get(path.suffix.lower())
        if entry is None:
            known = " and ".join(_EMULATED)
            raise ModelError(f"the emulator opens {known} models only, not {str(path)!r}")
    return entry


def check_inputs(io: IoSpec, size: SizePolicy, image: Array, mask: Array) -> None:
    """Refuse arrays that do not fit a model.

    Args:
        io: the model's contract; arrays must have exactly its dtypes and layouts.
        size: the sizes it accepts.
        image: [N,3,H,W] or [N,H,W,3], as `io.image` says.
        mask: [N,1,H,W] or [N,H,W,1], as `io.mask` says.

    Raises:
        ModelError: naming what does not fit, what was seen and what is expected.
    """
    _check_array(io.image, image)
    _check_array(io.mask, mask)
    height, width = spatial_size(io.image, image)
    if image.shape[0] != mask.shape[0] or (height, width) != spatial_size(io.mask, mask):
        raise ModelError(
            f"image {image.shape} and mask {mask.shape} differ in batch or picture size"
        )
    problem = size.problem_with(height, width)
    if problem is not None:
        raise ModelError(f"the picture is {height}x{width} (height x width): {problem}")


@dataclass(frozen=True)
class ValueSeen:
    """An input or output as a file declares it.

    Attributes:
        name: its name.
        dtype: its element type by numpy's name, such as ``float32``.
        shape: its extents, numbers or not; None where the file gives none.
    """

    name: str
    dtype: str
    shape: Sequence[object] | None


def read_manifest(
    path: Path, text: str | None, *, inputs: Sequence[ValueSeen], outputs: Sequence[ValueSeen]
) -> Manifest:
    """Read an exported model's manifest and check that the model is what it says.

    Args:
        path: the model, for messages.
        text: the manifest as the file holds it; None when it holds none.
        inputs: what the file takes.
        outputs: what it gives.

    Raises:
        ModelError: when there is no manifest, or it describes another model.
    """
    if text is None:
        format_name = "coreml" if path.suffix.lower() == ".mlpackage" else "onnx"
        raise ModelError(
            f"{str(path)!r} carries no lama-edge manifest; export it with: lama-edge export "
            f"{format_name}"
        )
    manifest = Manifest.from_json(text)
    io = manifest.io
    for what, seen, specs in (
        ("inputs", inputs, (io.image, io.mask)),
        ("outputs", outputs, (io.output,)),
    ):
        by_name = {value.name: value for value in seen}
        if set(by_name) != {spec.name for spec in specs} or not all(
            _declares(by_name[spec.name], spec, manifest.size) for spec in specs
        ):
            raise ModelError(
                f"{str(path)!r} has other {what} than its manifest says; export it again"
            )
    return manifest


def _declares(value: ValueSeen, spec: TensorSpec, size: SizePolicy) -> bool:
    """Tell whether a graph's input or output is what the manifest says of it."""
    if value.dtype != spec.dtype:
        return False
    if size.fixed is None or value.shape is None:
        return True
    return tuple(value.shape[1:]) == spec.shape(size.fixed.height, size.fixed.width)[1:]


def spatial_size(spec: TensorSpec, array: Array) -> tuple[int, int]:
    """Return (height, width) of an array in the spec's layout."""
    axes = (2, 3) if spec.layout == "NCHW" else (1, 2)
    return array.shape[axes[0]], array.shape[axes[1]]


def _check_array(spec: TensorSpec, array: Array) -> None:
    channel_axis = 1 if spec.layout == "NCHW" else 3
    if array.dtype != np.dtype(spec.dtype):
        raise ModelError(f"{spec.name} has dtype {array.dtype}; the model takes {spec.dtype}")
    if array.ndim != 4 or array.shape[channel_axis] != spec.channels or 0 in array.shape:
        expected = ",".join(str(spec.channels) if axis == "C" else axis for axis in spec.layout)
        raise ModelError(f"{spec.name} has shape {array.shape}; the model takes [{expected}]")
