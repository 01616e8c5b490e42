"""Runs exported ONNX models with ONNX Runtime."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    naming,
    one_line,
    parameter,
)
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.onnxruntime.library import ort
from lama_edge.runtimes.onnxruntime.placement import placement
from lama_edge.runtimes.onnxruntime.providers import available_providers, providers_for
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME, PROVIDERS
from lama_edge.runtimes.onnxruntime.session import open_session, run_session

_log = logging.getLogger(__name__)
# In the order of preference: those that run any graph without set-up of their own.
_AUTO = ("cuda", "cpu")
_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}


class OnnxRuntimeRunner(Runner):
    """An ONNX model open in ONNX Runtime; see `Runner`."""

    runtime = ONNXRUNTIME
    runtime_version = ort.__version__

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a model that lama-edge exported.

        Args:
            path: the ``.onnx`` file.
            provider: ``auto``, or one of `PROVIDERS`. What a provider does not take runs on the
                CPU, and `auto` falls back to it.
            threads: threads that work on one operation; None is one for each physical core.

        Raises:
            MissingBackendError: when the provider is not part of this ONNX Runtime, or did not
                start; the message names those that are there.
            ModelError: when the file cannot be opened or carries no manifest.
        """
        wanted = _choose_provider(provider)
        try:
            session = open_session(
                str(path), provider_names=providers_for(wanted, path), threads=threads
            )
        except LamaEdgeError:
            raise
        except Exception as error:
            # ONNX Runtime's exceptions share no base class of their own.
            raise ModelError(
                f"ONNX Runtime cannot open {str(path)!r} (is the file whole? does it need a newer "
                f"ONNX Runtime?): {one_line(error)}"
            ) from error
        if PROVIDERS[wanted] not in session.get_providers():
            if provider != "auto":
                raise MissingBackendError(
                    f"the provider {provider!r} did not start here: there is no such device, or "
                    f"its libraries are missing; use {parameter('provider', 'cpu')}"
                )
            wanted = "cpu"
        self._session: Any = session
        self._last_shape: tuple[int, ...] | None = None
        self.path = path
        self.threads = threads
        self.provider = wanted
        self.manifest = _read_manifest(session, path)
        _warn_of_loops(self.manifest, path, wanted)

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        session = self._session
        if session is None:
            raise ModelError("the model is closed")
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        feeds = {io.image.name: image, io.mask.name: mask}
        # Equal sizes in a row reuse the arena; a process that inpaints mixed ones would keep what
        # the largest took, and the gaps between.
        changed = image.shape != self._last_shape
        into = np.empty(image.shape, io.output.dtype) if self.provider == "cpu" else None
        with naming(self.runtime.title):
            found = run_session(session, [io.output.name], feeds, shrink=changed, into=into)
        output: Array = found[0]
        self._last_shape = image.shape
        if len(output) != len(image):
            # OpenVINO's provider, whose batch is fixed for int8.
            raise ModelError(
                f"{len(image)} pictures went in and {len(output)} came out: with the provider "
                f"{self.provider!r} this model takes them one by one"
            )
        return output

    def tiled(self, tile: int | None = None) -> Runner:
        """See `Runner.tiled`."""
        from lama_edge.runtimes.onnxruntime.tiles.runner import open_tiles

        return open_tiles(
            self.path, self.manifest, provider=self.provider, threads=self.threads, tile=tile
        )

    def placement(self) -> dict[str, Any] | None:
        """See `Runner.placement`."""
        return placement(self.path, self.provider, self.threads)

    def close(self) -> None:
        """See `Runner.close`."""
        self._session = None


def _choose_provider(provider: str) -> str:
    available = available_providers()
    if provider == "auto":
        return next(short for short in _AUTO if short in available)
    if provider not in available:
        need = ONNXRUNTIME.needs.get(provider)
        other = need.package if need else None
        raise MissingBackendError(
            f"the provider {provider!r} is not available in this ONNX Runtime; "
            f"available: {', '.join(available)}"
            + (f"; {other} has it, in the place of onnxruntime" if other else "")
        )
    return provider


def _warn_of_loops(manifest: Manifest, path: Path, provider: str) -> None:
    """Say so when a graph shaped for processors is going to run on something else."""
    if provider != "cpu" and manifest.kernels != "direct":
        _log.warning(
            "%s is shaped for processors; for the provider %s export it with %s",
            path,
            provider,
            parameter("for", "gpu"),
        )


def _read_manifest(session: Any, path: Path) -> Manifest:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        inputs = [_seen(value, value.shape) for value in session.get_inputs()]
        outputs = [_seen(value, None) for value in session.get_outputs()]
    except UnicodeDecodeError as error:
        raise ModelError(
            f"{str(path)!r} is damaged: a text in it is no UTF-8; export it again"
        ) from error
    return read_manifest(path, text, inputs=inputs, outputs=outputs)


def _seen(value: Any, shape: list[Any] | None) -> ValueSeen:
    return ValueSeen(value.name, _DTYPES.get(value.type, value.type), shape)
