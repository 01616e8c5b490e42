"""Runs exported ncnn models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.errors import MissingBackendError, ModelError, naming, needs_extra, parameter
from lama_edge.files import weights_beside
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.ncnn.reading import manifest_of
from lama_edge.runtimes.ncnn.record import NCNN
from lama_edge.spec import IoSpec

with needs_extra("ncnn"):
    import ncnn

# Of ncnn's `Option`: to store and to compute in fewer bits where the processor or GPU can.
_HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")


class NcnnRunner(Runner):
    """An ncnn model that is open; see `Runner`."""

    runtime = NCNN
    runtime_version = ncnn.__version__

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a model that lama-edge exported.

        An fp16 one is computed as ncnn does by itself, in fp16 where the device can; an fp32 one in
        float32, which ncnn has to be told.

        Args:
            path: the ``.param`` file, with its ``.bin`` file beside it.
            provider: ``cpu``, which ``auto`` is too, or ``vulkan``.
            threads: the processor's threads that work on one operation; None is one for each core
                of the fast ones.

        Raises:
            MissingBackendError: when there is no Vulkan device.
            ModelError: when the model cannot be opened, carries no manifest, or is not as it was
                exported.
        """
        manifest = manifest_of(path)
        self.provider = "cpu" if provider == "auto" else provider
        if self.provider == "vulkan" and not ncnn.get_gpu_count():
            raise MissingBackendError(
                "the provider 'vulkan' did not start here: there is no such device, or its driver "
                f"or libvulkan is missing; use {parameter('provider', 'cpu')}"
            )
        net = ncnn.Net()
        net.opt.use_vulkan_compute = self.provider == "vulkan"
        for name in _HALF:
            setattr(net.opt, name, manifest.precision == "fp16")
        if threads is not None:
            net.opt.num_threads = threads
        if net.load_param(str(path)) or net.load_model(str(weights_beside(path))):
            raise ModelError(f"ncnn cannot open {str(path)!r}: its own lines say why")
        self._net: Any = net
        # ncnn has no types, and no shapes but those of what runs.
        self.manifest = read_manifest(
            path,
            manifest.to_json(),
            inputs=[ValueSeen(name, "float32", None) for name in net.input_names()],
            outputs=[ValueSeen(name, "float32", None) for name in net.output_names()],
        )

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        net = self._net
        if net is None:
            raise ModelError("the model is closed")
        check_inputs(self.manifest.io, self.manifest.size, image, mask)
        with naming(self.runtime.title):
            output = _extracted(net, self.manifest.io, image, mask)
        if output.shape != image.shape:
            raise ModelError(f"ncnn gave {output.shape} for an image of {image.shape}")
        return output

    def close(self) -> None:
        """See `Runner.close`; the net goes with the last run in it."""
        self._net = None


def _extracted(net: Any, io: IoSpec, image: Array, mask: Array) -> Array:
    """Run a net; what lies in its memory goes with this call, before the net may."""
    extractor = net.create_extractor()
    for spec, array in ((io.image, image), (io.mask, mask)):
        extractor.input(spec.name, _blob(array[0]))
    failed, found = extractor.extract(io.output.name)
    if failed:
        raise ModelError(f"ncnn failed with {failed}: its own lines say why")
    return np.array(found)[np.newaxis]


def _blob(array: Array) -> Any:
    """Return a copy of [C,H,W] in ncnn's own memory, whose channels are aligned."""
    channels, height, width = array.shape
    blob = ncnn.Mat(width, height, channels)
    np.array(blob, copy=False)[:] = array
    return blob
