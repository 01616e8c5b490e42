"""Runs a checkpoint's generator in torch, on a processor or a GPU."""

from __future__ import annotations

from typing import Any

from lama_edge.errors import MissingBackendError, needs_extra
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.checkpoints import CheckpointRunner
from lama_edge.runtimes.torch.record import TORCH

with needs_extra("torch"):
    import torch

    from lama_edge.models.torch_modules import build_generator


class TorchRunner(CheckpointRunner):
    """A generator in torch, with torch's own FFT; see `CheckpointRunner`.

    Its providers are ``cpu`` and ``cuda``. ``+compile`` after one runs the generator through
    `torch.compile`, and ``+tf32`` lets a GPU multiply float32 with 10 bits of mantissa; both may
    be given: ``cuda+compile+tf32``.
    """

    runtime = TORCH
    runtime_version = torch.__version__

    def _prepare(self, provider: str, threads: int | None) -> None:
        device, *ways = provider.split("+")
        self._device = _choose_device(device)
        self._ways = sorted(set(ways))
        if "tf32" in ways and self._device != "cuda":
            raise MissingBackendError(f"+tf32 is for cuda: torch on {self._device} has no TF32")
        self.provider = "+".join([self._device, *self._ways])
        if threads is not None:
            torch.set_num_threads(threads)

    def _built(self, checkpoint: Checkpoint) -> torch.nn.Module:
        generator = build_generator(checkpoint)
        if self._device == "cuda":
            _allow_tf32("tf32" in self._ways)
        generator = generator.to(self._device)
        if "compile" in self._ways:
            generator.compile()
        return generator

    @torch.inference_mode()
    def _filled(self, generator: Any, image: Array, mask: Array) -> Array:
        # Torch takes no array that is read backwards, as a flipped view is.
        pixels, marks = (torch.from_numpy(array.copy()).to(self._device) for array in (image, mask))
        hole = marks > 0
        known = pixels.masked_fill(hole, 0)
        predicted = generator(torch.cat([known, hole.float()], dim=1))
        if self.manifest.io.composite:
            predicted = torch.where(hole, predicted, pixels)
        output: Array = predicted.cpu().numpy()
        return output


def _choose_device(provider: str) -> str:
    available = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if provider == "auto":
        return "cpu"
    if provider not in available:
        raise MissingBackendError(
            f"the provider {provider!r} is not available in this torch; "
            f"available: {', '.join(available)}"
        )
    return provider


def _allow_tf32(allowed: bool) -> None:
    """Say, for this process, whether a GPU may compute float32 in TF32; torch's cuDNN does.

    See https://docs.pytorch.org/docs/stable/notes/cuda.html (TensorFloat-32).
    """
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
