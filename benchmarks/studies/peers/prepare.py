"""Makes the files that are measured, each in a process of its own, so that none pays for another.

Every function takes `checkpoint` and `output` (paths), `size` (height and width, or None for any
size) and `threads`, and writes `output`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.benchmarks.studies.peers.picture import generator_input
from lama_edge.benchmarks.studies.peers.runtime_matrices import with_runtime_matrices
from lama_edge.errors import needs_extra
from lama_edge.exporters.formats.record import Export, format_named
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.config import config_from_dict
from lama_edge.models.seeded import save_seeded
from lama_edge.models.torch_modules import build_generator
from lama_edge.pipeline import export_model
from lama_edge.spec import NEED_RANGES, Size

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn

Payload = Mapping[str, Any]
_RUNTIME_MATRICES_OPSET = 17


def write_checkpoint(payload: Payload) -> dict[str, Any]:
    """Write seeded weights of the architecture `config` to `output`."""
    save_seeded(config_from_dict(payload["config"]), Path(payload["output"]))
    return {}


def write_reference(payload: Payload) -> dict[str, Any]:
    """Write what the generator predicts for the measured picture, float32 [1,3,H,W]."""
    generator, example = _generator(payload)
    with torch.inference_mode():
        np.save(payload["output"], generator(example).numpy())
    return {}


def write_default_export(payload: Payload) -> dict[str, Any]:
    """Call `torch.onnx.export` with nothing but what it needs."""
    with needs_extra("dev"):
        importlib.import_module("onnxscript")
    generator, example = _generator(payload)
    torch.onnx.export(generator, (example,), payload["output"])
    return {}


def write_runtime_matrices(payload: Payload) -> dict[str, Any]:
    """Export the generator with matrices that are built at run time.

    Height and width are free: with fixed ones the exporter and ONNX Runtime would compute the
    matrices once, ahead of the run, as constants.
    """
    generator, example = _generator(payload)
    torch.onnx.export(
        with_runtime_matrices(generator),
        (example,),
        payload["output"],
        input_names=["input"],
        dynamic_axes={"input": {2: "height", 3: "width"}},
        opset_version=_RUNTIME_MATRICES_OPSET,
        dynamo=False,
    )
    return {}


def write_torchscript(payload: Payload) -> dict[str, Any]:
    """Trace and freeze the generator, its weights in channels-last order.

    That is its fastest form: in big-lama's shape 2.77 s, 2.95 s in the usual order, 3.12 s with
    `torch.jit.optimize_for_inference`, whose result cannot be saved either.
    """
    generator, example = _generator(payload)
    generator = generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    jit: Any = torch.jit
    traced = jit.trace(generator, example.to(memory_format=torch.channels_last))
    jit.freeze(traced).save(payload["output"])
    return {}


def write_export(payload: Payload) -> dict[str, Any]:
    """Export with lama-edge as `export` says: ``format``, ``precision`` and ``options``.

    Parity is not checked here: each measurement compares its result with the reference. Ranges are
    measured on the one picture beside the flat ones that always are: speed does not go by them.
    """
    size, about = payload["size"], payload["export"]
    with TemporaryDirectory(prefix="lama-edge-") as name:
        calibrate = None
        if format_named(about["format"]).arithmetic(about["precision"]) in NEED_RANGES:
            calibrate = Path(name)
            Image.fromarray(measured_picture(Size(*size))[0]).save(calibrate / "picture.png")
        job = Export(
            about["format"],
            payload["checkpoint"],
            Path(payload["output"]),
            sizes=(None if size is None else Size(*size),),
            precision=about["precision"],
            calibrate=calibrate,
            overwrite=True,
            check_parity=False,
            options=about["options"],
        )
        export_model(job)
    return {}


def _generator(payload: Payload) -> tuple[nn.Module, Tensor]:
    """Return the generator in evaluation mode and its input, float32 [1,4,H,W]."""
    torch.set_num_threads(payload["threads"])
    generator = build_generator(load_checkpoint(payload["checkpoint"]))
    return generator, torch.from_numpy(generator_input(Size(*payload["size"])))
