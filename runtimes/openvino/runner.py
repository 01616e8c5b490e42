"""Runs exported OpenVINO models."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import Any

from lama_edge.containers.openvino import (
    WEIGHTS_SHA256,
    graph_sha256,
    load_openvino,
    read_ir,
    rt_info,
)
from lama_edge.errors import MissingBackendError, ModelError, naming, one_line, parameter, reason
from lama_edge.files import sha256_of, weights_beside
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.openvino.record import DEVICES, OPENVINO

# Before anybody imports it otherwise.
openvino = load_openvino()
_log = logging.getLogger(__name__)
# How many channels of a row share a scale where a product rounds what it reads. OpenVINO's own 32
# gives lama-tiny 0.1 dB less and takes 3 % longer, a whole row 1 % less.
_ROUNDED_TOGETHER = 64
_DTYPES = {"f32": "float32", "u8": "uint8"}


class OpenvinoRunner(Runner):
    """An OpenVINO model that is open; see `Runner`."""

    runtime = OPENVINO
    runtime_version = str(openvino.__version__).partition("-")[0]

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a model that lama-edge exported.

        Args:
            path: the ``.xml`` file, with its ``.bin`` file beside it.
            provider: one of `DEVICES`, or ``auto``: a GPU where OpenVINO finds one, else the CPU.
            threads: the CPU's threads that work on one operation; None is one for each core.

        Raises:
            MissingBackendError: when OpenVINO finds no such device.
            ModelError: when the model cannot be opened, carries no manifest, or has the ``.bin``
                file of another.
        """
        core = openvino.Core()
        self.provider = choose_device(core, provider)
        device = DEVICES[self.provider]
        try:
            model, self.manifest = read_model(core, path)
            check_fits(self.provider, self.manifest, path)
            can = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
            settings = settings_for(self.provider, self.manifest, can, threads)
            compiled = core.compile_model(model, device, settings)
            computed = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
            self._request: Any = compiled.create_infer_request()
            self._lock = Lock()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot open {str(path)!r}: {one_line(error)}") from error
        _log.info("%s computes in %s on %s", path, computed, device)

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        # A request runs one picture at a time, and refuses the next until it is done.
        with self._lock, naming(self.runtime.title):
            if self._request is None:
                raise ModelError("the model is closed")
            results = self._request.infer({io.image.name: image, io.mask.name: mask})
        output: Array = results[io.output.name]
        return output

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._request = None


def read_model(core: Any, path: Path) -> tuple[Any, Manifest]:
    """Read a model, and what it says of itself.

    Args:
        core: OpenVINO's.
        path: the ``.xml`` file.

    Returns:
        OpenVINO's model, and the manifest.

    Raises:
        ModelError: when there is none, its ``.bin`` file is missing or another's, or it is another
            model than its manifest says.
        RuntimeError: when OpenVINO cannot read it.
    """
    root = read_ir(path)
    text, weights = rt_info(root, METADATA_KEY), weights_beside(path)
    if not weights.is_file():
        raise ModelError(f"{str(path)!r} is without its weights {weights.name!r}: copy both files")
    if text is not None:
        manifest = Manifest.from_json(text)
        # What other tools rewrote has other weights too.
        is_own = manifest.graph_sha256 == graph_sha256(root)
        if is_own and manifest.format.get(WEIGHTS_SHA256) != _digest(weights):
            raise ModelError(
                f"{weights.name!r} does not belong to {str(path)!r}, or is damaged: copy both "
                "files of one export"
            )
    model = core.read_model(path, weights)
    inputs, outputs = (list(map(_seen, values)) for values in (model.inputs, model.outputs))
    return model, read_manifest(path, text, inputs=inputs, outputs=outputs)


def _digest(weights: Path) -> str:
    try:
        return sha256_of(weights)
    except OSError as error:
        raise ModelError(f"{str(weights)!r} cannot be read: {reason(error)}") from error


def settings_for(
    provider: str, manifest: Manifest, capabilities: Collection[str], threads: int | None
) -> dict[str, Any]:
    """Return the properties that a model is compiled with.

    Devices compute float32 graphs in fewer bits unless told otherwise: GPUs in fp16, processors in
    bfloat16 or fp16 where they have it. So the manifest's precision is asked for. (An NPU has only
    fp16. A processor that is asked for fp16 and has none takes bfloat16.)

    Products of floats with int8 weights round what they read, where a processor has instructions
    for that (VNNI), unless they are told not to: in int8 models they shall.

    Args:
        provider: a short name.
        manifest: the model's.
        capabilities: what the device can, by OpenVINO's names.
        threads: see `OpenvinoRunner`.
    """
    if provider == "npu":
        return {}
    half = manifest.precision == "fp16" and "FP16" in capabilities
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f16" if half else "f32"}
    if provider == "cpu":
        dynamic = manifest.precision == "int8"
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = _ROUNDED_TOGETHER if dynamic else 0
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def devices_here(core: Any) -> list[str]:
    """Return the short names of the devices that OpenVINO finds."""
    found = {name.partition(".")[0] for name in core.available_devices}
    return [short for short, name in DEVICES.items() if name in found]


def choose_device(core: Any, provider: str) -> str:
    """Return the device for a provider, by its short name.

    Raises:
        MissingBackendError: when OpenVINO does not find it.
    """
    here = devices_here(core)
    if provider == "auto":
        return "gpu" if "gpu" in here else "cpu"
    if provider not in here:
        raise MissingBackendError(
            f"OpenVINO finds no device {provider!r} here, or not its driver; it has: "
            f"{', '.join(here)}"
        )
    return provider


def check_fits(provider: str, manifest: Manifest, path: Path) -> None:
    """Refuse what an NPU cannot run, and warn of what it may get wrong."""
    if provider != "npu":
        return
    if manifest.size.fixed is None:
        raise ModelError(
            f"{str(path)!r} takes any size and NPUs take one: export it with "
            f"{parameter('size', 512)}"
        )
    if manifest.precision not in ("fp16", "w8"):
        _log.warning(
            "%s is %s and the NPU computes in fp16, where its values may overflow: export it "
            "with %s",
            path,
            manifest.precision,
            parameter("precision", "fp16"),
        )


def _seen(value: Any) -> ValueSeen:
    kind = value.get_element_type().to_string()
    name = min(value.get_names(), default="")
    extents = [None if one.is_dynamic else one.get_length() for one in value.get_partial_shape()]
    return ValueSeen(name, _DTYPES.get(kind, kind), extents)
