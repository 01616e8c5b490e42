"""What every runner is, and how a file finds the runner that opens it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError
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


_BY_SUFFIX = {
    ".onnx": _Entry("lama_edge.runtimes.onnxruntime_runner", "OnnxRuntimeRunner", "ONNX Runtime"),
    **{
        suffix: _Entry("lama_edge.runtimes.torch_runner", "TorchRunner", "torch")
        for suffix in CHECKPOINT_SUFFIXES
    },
}


def open_runner(path: str | Path, *, provider: str = "auto", threads: int | None = None) -> Runner:
    """Open a model with the runtime that its file name calls for.

    Args:
        path: an exported model, or a checkpoint (a folder, a file or a zoo's name) for the
            torch reference.
        provider: the runtime's device or execution provider by its short name (``cpu``,
            ``cuda``, …); ``auto`` is the best one of those available that needs no set-up.
        threads: processor threads that work on one operation; None leaves it to the runtime.
            For torch it holds for the whole process.

    Returns:
        A runner, to be used as a context manager.

    Raises:
        ModelError: when the path does not exist, no runtime opens it, or opening fails.
        MissingBackendError: when the runtime or the provider is not installed here.
    """
    path = Path(path)
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
    opener = getattr(importlib.import_module(entry.module), entry.opener)
    runner: Runner = opener(path, provider=provider, threads=threads)
    return runner


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
