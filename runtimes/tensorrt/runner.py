"""Runs TensorRT engines, of TensorRT and of TensorRT for RTX."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from lama_edge.engines import EngineBuild
from lama_edge.errors import ModelError, parameter
from lama_edge.nvidia import current_gpu
from lama_edge.runtimes.base import (
    Array,
    Runner,
    ValueSeen,
    check_inputs,
    read_manifest,
    spatial_size,
)
from lama_edge.runtimes.tensorrt.cuda import Cuda
from lama_edge.runtimes.tensorrt.engine_files import (
    check_runs_here,
    library_for,
    read_engine_file,
)
from lama_edge.runtimes.tensorrt.execution import Execution
from lama_edge.runtimes.tensorrt.record import TENSORRT, TENSORRT_RTX
from lama_edge.runtimes.tensorrt.runtime_cache import runtime_cache_path
from lama_edge.spec import SizePolicy


class TensorrtRunner(Runner):
    """An engine open on the GPU; see `Runner`.

    It runs one picture at a time, since engines take one, and one call at a time.
    """

    provider = "cuda"

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open an engine that lama-edge built.

        What can be told from the files is told first, then what the installed packages tell, and
        the GPU is asked last.

        Args:
            path: the ``.engine`` file; its manifest lies beside it, see `files.beside`.
            provider: ``cuda``, the only one; ``auto`` is the same.
            threads: of no use here, and ignored: the work is the GPU's.

        Raises:
            ModelError: when the files do not belong together, or the engine was built for another
                version of TensorRT or another GPU.
            OutOfDeviceMemoryError: when the GPU has not enough memory.
            MissingBackendError: when TensorRT, cuda-python, the driver or a GPU is missing.
        """
        file = read_engine_file(path)
        library = library_for(file)
        gpu = current_gpu()
        check_runs_here(file, library, gpu)
        cuda = Cuda()
        cuda.require_device()
        self._build = file.build
        self._lock = threading.Lock()
        self.path = path
        self.runtime = TENSORRT_RTX if library.flavor == "rtx" else TENSORRT
        self.runtime_version = library.version
        capability = "unknown" if gpu is None else gpu.compute_capability
        self._execution = Execution(
            library,
            file.data,
            cuda,
            records=all(profile.fixed is not None for profile in file.build.profiles),
            cache=runtime_cache_path(file.build.engine_sha256, library.version, capability),
        )
        try:
            self.manifest = read_manifest(
                path,
                file.text,
                inputs=[_declared(value, file.build) for value in self._execution.inputs],
                outputs=[_declared(value, file.build) for value in self._execution.outputs],
            )
        except ModelError:
            self.close()
            raise

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io, size = self.manifest.io, self.manifest.size
        # Which sizes there are is the profiles' to say, and theirs may have several.
        check_inputs(io, SizePolicy(None, size.multiple, 1), image, mask)
        height, width = spatial_size(io.image, image)
        profile = self._build.profile_for(height, width)
        if profile is None:
            taken = ", ".join(map(str, self._build.profiles))
            raise ModelError(
                f"the picture is {height}x{width} (height x width): the engine takes {taken}; "
                f"build one with another {parameter('size')}, or inpaint with a smaller "
                f"{parameter('max_side')}"
            )
        with self._lock:
            results = [
                self._execution.run(
                    {io.image.name: image[n : n + 1], io.mask.name: mask[n : n + 1]},
                    profile=profile,
                )
                for n in range(len(image))
            ]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._execution.close()


def _declared(value: ValueSeen, build: EngineBuild) -> ValueSeen:
    """Return a value without its shape where an engine takes more than its manifest promises.

    That promises one size where the engine has several profiles, or a range without a square.
    """
    return value if build.is_static else replace(value, shape=None)
