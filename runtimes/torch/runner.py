"""Runs a checkpoint's generator in torch, on a processor or a GPU."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from lama_edge.errors import MissingBackendError, ModelError, needs_extra
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.checkpoints import manifest_of, opened
from lama_edge.runtimes.torch.record import TORCH

with needs_extra("torch"):
    import torch

    from lama_edge.models.torch_modules import build_generator


class TorchRunner(Runner):
    """A generator in torch, in the float form, with torch's own FFT; see `Runner`."""

    runtime = TORCH
    runtime_version = torch.__version__

    def __init__(
        self,
        source: Path | Checkpoint,
        *,
        provider: str = "auto",
        threads: int | None = None,
        part: str | None = None,
        ignore: Collection[str] = (),
        composite: bool = True,
    ) -> None:
        """Load a checkpoint.

        Args:
            source: a checkpoint's path, or a checkpoint already loaded.
            provider: ``cpu`` or ``cuda``; ``auto`` is cpu. ``+compile`` after it
                runs the generator through `torch.compile`, and ``+tf32`` lets a GPU multiply
                float32 with 10 bits of mantissa; both may be given: ``cuda+compile+tf32``.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves torch's setting.
            part: the name of the generator in a file with several.
            ignore: parts and tensors to leave out, see `load_checkpoint`.
            composite: whether known pixels come back unchanged; otherwise the raw fill.

        Raises:
            CheckpointError: when the checkpoint cannot be used.
            MissingBackendError: when the provider is not available.
        """
        device, *ways = provider.split("+")
        self._device = _choose_device(device)
        if "tf32" in ways and self._device != "cuda":
            raise MissingBackendError(f"+tf32 is for cuda: torch on {self._device} has no TF32")
        self.provider = "+".join([self._device, *sorted(set(ways))])
        if threads is not None:
            torch.set_num_threads(threads)
        checkpoint = opened(source, part, ignore)
        generator = build_generator(checkpoint)
        self.manifest = manifest_of(
            checkpoint, composite=composite, tools={"torch": torch.__version__}
        )
        if self._device == "cuda":
            _allow_tf32("tf32" in ways)
        generator = generator.to(self._device)
        if "compile" in ways:
            generator.compile()
        self._generator: torch.nn.Module | None = generator

    @torch.inference_mode()
    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        if self._generator is None:
            raise ModelError("the model is closed")
        check_inputs(self.manifest.io, self.manifest.size, image, mask)
        # Torch takes no array that is read backwards, as a flipped view is.
        pixels, marks = (
            torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
            for array in (image, mask)
        )
        hole = marks > 0
        known = pixels.masked_fill(hole, 0)
        predicted = self._generator(torch.cat([known, hole.float()], dim=1))
        if self.manifest.io.composite:
            predicted = torch.where(hole, predicted, pixels)
        output: Array = predicted.cpu().numpy()
        return output

    def close(self) -> None:
        """See `Runner.close`."""
        self._generator = None


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
