"""Runs Core ML packages on macOS in Core ML itself, through coremltools.

Written against the documented API of coremltools 9 and not run on hardware yet:
`docs/reference/coreml.md` says what was checked without a Mac.
"""

from __future__ import annotations

import logging
import platform
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.errors import (
    MissingBackendError,
    ModelError,
    naming,
    needs_extra,
    one_line,
    parameter,
)
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.coreml.description import describe_package
from lama_edge.runtimes.coreml.record import COREML, PROVIDERS
from lama_edge.spec import IoSpec

_MACOS = "Darwin"

_log = logging.getLogger(__name__)


class CoremlRunner(Runner):
    """A package open in Core ML; see `Runner`. Core ML takes one picture at a time."""

    runtime = COREML

    def __init__(
        self,
        path: Path,
        *,
        provider: str = "auto",
        threads: int | None = None,
        part: str | None = None,
    ) -> None:
        """Compile and load a package that lama-edge exported.

        Args:
            path: the ``.mlpackage`` folder.
            provider: what Core ML may use: ``cpu``, ``cpu_gpu``, ``cpu_ne`` (the Neural Engine)
                or ``all``, as with ``auto``. It decides op by op; `coreml_placement` shows how.
            threads: of no effect: Core ML chooses for itself, and the log says so.
            part: which function of a package of several sizes; None is the default one.

        Raises:
            MissingBackendError: on another system than macOS, or without coremltools.
            ModelError: when the package is damaged, carries no manifest, or Core ML refuses it.
        """
        if provider == "auto":
            provider = "all"
        require_macos(provider)
        if threads is not None:
            _log.info("Core ML chooses its threads itself: %d is not passed on", threads)
        described = describe_package(path, part)
        if len(described.functions) > 1:
            self.parts, self.part = described.functions, described.function
        self._model: Any = load_model(path, provider, self.part)
        # Apple: use a model on one thread at a time.
        self._lock = threading.Lock()
        self.provider = provider
        self.runtime_version = platform.mac_ver()[0]
        self.manifest = described.manifest

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        features = to_features(io, image, mask)
        with self._lock, naming(self.runtime.title):
            if self._model is None:
                raise ModelError("the model is closed")
            prediction = self._model.predict(features)
        return from_prediction(io, prediction, image)

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._model = None


def on_macos() -> bool:
    """Tell whether Core ML itself can run here."""
    return platform.system() == _MACOS


def require_macos(provider: str) -> None:
    """Refuse one of `PROVIDERS` on another system.

    Raises:
        MissingBackendError: on another system than macOS.
    """
    if not on_macos():
        raise MissingBackendError(
            f"the provider {provider!r} is Core ML's own and needs macOS; this is "
            f"{platform.system()}, where packages run with {parameter('provider', 'emulated')}"
        )


def compute_unit(provider: str) -> Any:
    """Return the ``coremltools.ComputeUnit`` of one of `PROVIDERS`."""
    with needs_extra("coreml"):
        from coremltools import ComputeUnit
    return ComputeUnit[PROVIDERS[provider]]


def load_model(path: Path, provider: str, function: str | None) -> Any:
    """Compile and load a package; the compiled copy goes with the object.

    Args:
        path: the ``.mlpackage`` folder.
        provider: one of `PROVIDERS`.
        function: a function's name; None for a package of one.

    Returns:
        A ``coremltools.models.MLModel`` that is ready to predict.

    Raises:
        ModelError: when Core ML cannot compile or load it, with what it said.
    """
    with needs_extra("coreml"):
        from coremltools.models import MLModel
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            model = MLModel(str(path), compute_units=compute_unit(provider), function_name=function)
            # A model that was not loaded says so here, and only warned of the cause above.
            model.get_compiled_model_path()
        except Exception as error:
            causes = [one.message for one in said if issubclass(one.category, RuntimeWarning)]
            reason = one_line(causes[-1] if causes else error)
            raise ModelError(f"Core ML cannot open {str(path)!r}: {reason}") from error
    return model


def to_features(io: IoSpec, image: Array, mask: Array) -> dict[str, Any]:
    """Return what coremltools feeds a package with.

    Args:
        io: the package's contract.
        image: as it says, of one picture.
        mask: as it says, of one picture.

    Returns:
        By input name float32 [1,C,H,W], or for the image form PIL images of mode RGB and L.

    Raises:
        ModelError: for several pictures at once.
    """
    if image.shape[0] != 1:
        raise ModelError(
            f"{io.image.name} holds {image.shape[0]} pictures; a Core ML package takes one"
        )
    if io.form != "image":
        return {
            io.image.name: np.ascontiguousarray(image),
            io.mask.name: np.ascontiguousarray(mask),
        }
    return {
        io.image.name: Image.fromarray(np.ascontiguousarray(image[0])),
        io.mask.name: Image.fromarray(np.ascontiguousarray(mask[0, :, :, 0])),
    }


def from_prediction(io: IoSpec, prediction: Mapping[str, Any], image: Array) -> Array:
    """Return a package's output in the form that runners give.

    Args:
        io: the package's contract.
        prediction: what coremltools returned: a float array, or a PIL image, which has a fourth
            channel where Core ML's buffer had one.
        image: what was fed.

    Returns:
        As `io.output` says, of the image's size.

    Raises:
        ModelError: when the output is missing or of another shape.
    """
    if io.output.name not in prediction:
        known = ", ".join(sorted(prediction)) or "nothing"
        raise ModelError(f"Core ML gave {known}; the model's output is {io.output.name}")
    found = prediction[io.output.name]
    if io.form == "image":
        # Its memory is Core ML's to reuse.
        output = np.array(found.convert("RGB"), np.uint8)[np.newaxis]
    else:
        output = np.array(found, np.float32, order="C")
    if output.shape != image.shape:
        raise ModelError(
            f"Core ML gave {io.output.name} of shape {output.shape} for an image of {image.shape}"
        )
    return output
