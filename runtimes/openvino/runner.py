"""Runs exported OpenVINO models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lama_edge.errors import MissingBackendError, ModelError, one_line
from lama_edge.files import sha256_of, weights_beside
from lama_edge.manifest import Manifest
from lama_edge.openvino_ir import WEIGHTS_SHA256, load_openvino, manifest_text, read_ir
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.openvino.record import DEVICES, OPENVINO

_log = logging.getLogger(__name__)
_DTYPES = {"f32": "float32", "u8": "uint8"}


class OpenvinoRunner(Runner):
    """An OpenVINO model that is open; see `Runner`."""

    runtime = OPENVINO

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a model that lama-edge exported.

        Args:
            path: the ``.xml`` file, with its ``.bin`` file beside it.
            provider: one of `DEVICES`, or ``auto``, which is a GPU where OpenVINO finds one.
            threads: threads of the processor, where it is the device; None is one a core.

        Raises:
            MissingBackendError: when OpenVINO is not installed, or finds no such device.
            ModelError: when the model cannot be opened, carries no manifest, or the ``.bin`` file
                is another's.
        """
        openvino = load_openvino()
        core = openvino.Core()
        self.runtime_version = openvino.__version__.partition("-")[0]
        self.provider = _choose_device(core, provider)
        try:
            model = _read(core, path)
            self.manifest = _described(model, path)
            settings = settings_for(self.provider, self.manifest, threads)
            compiled = core.compile_model(model, DEVICES[self.provider], settings)
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot open {str(path)!r}: {one_line(error)}") from error

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        if self._request is None:
            raise ModelError("the model is closed")
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        try:
            results = self._request.infer({io.image.name: image, io.mask.name: mask})
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {one_line(error)}") from error
        output: Array = results[io.output.name]
        return output

    def close(self) -> None:
        """See `Runner.close`."""
        self._request = None


def settings_for(provider: str, manifest: Manifest, threads: int | None) -> dict[str, Any]:
    """Return the properties that a model is compiled with."""
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if provider == "cpu":
        # Else processors that have bfloat16 compute in it.
        settings["INFERENCE_PRECISION_HINT"] = "f32"
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _choose_device(core: Any, provider: str) -> str:
    found = {name.partition(".")[0] for name in core.available_devices}
    here = [short for short, name in DEVICES.items() if name in found]
    if provider == "auto":
        return "gpu" if "gpu" in here else "cpu"
    if provider not in here:
        raise MissingBackendError(
            f"OpenVINO finds no device {provider!r} here; it has: {', '.join(here)}"
        )
    return provider


def _read(core: Any, path: Path) -> Any:
    """Read a model whose ``.bin`` file is the one that it was written with."""
    return core.read_model(path, weights_beside(path))


def _described(model: Any, path: Path) -> Manifest:
    text = manifest_text(read_ir(path))
    manifest = read_manifest(
        path,
        text,
        inputs=[_seen(value) for value in model.inputs],
        outputs=[_seen(value) for value in model.outputs],
    )
    weights = weights_beside(path)
    if manifest.format.get(WEIGHTS_SHA256) != sha256_of(weights):
        raise ModelError(
            f"{weights.name!r} is not the file that {str(path)!r} was written with: copy both of "
            "one export"
        )
    return manifest


def _seen(value: Any) -> ValueSeen:
    kind = value.get_element_type().to_string()
    extents = [None if one.is_dynamic else one.get_length() for one in value.get_partial_shape()]
    return ValueSeen(value.get_any_name(), _DTYPES.get(kind, kind), extents)
