"""The entries: what each is, which file it needs, and which runtime opens that file."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lama_edge.errors import UsageError

_PREPARE = "lama_edge.benchmarks.studies.peers.prepare:"
MEASURE_ENTRY = "lama_edge.benchmarks.studies.peers.measure:measure_entry"
MEASURE_LIMIT = "lama_edge.benchmarks.studies.peers.convolution_limit:measure_limit"


@dataclass(frozen=True)
class Artifact:
    """A file that entries are measured on.

    Attributes:
        file: its name in the work folder; no other file's has its stem, since formats put their
            weights beside it.
        task: the function that writes it, see `run_isolated`.
        export: of one of ours its ``format``, ``precision`` and ``options``.
    """

    file: str
    task: str
    export: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """One row of the comparison.

    Attributes:
        name: what documents call it.
        description: what it is, in a sentence.
        runtime: which of `measure.OPENERS` opens its file; None where nothing is opened.
        artifact: the file; None where there is none.
        task: the function that measures it.
        precision: of the file; what is checked of the result goes by it.
        needs: what optional packages are imported as without which it is left out.
    """

    name: str
    description: str
    runtime: str | None
    artifact: Artifact | None
    task: str = MEASURE_ENTRY
    precision: str = "fp32"
    needs: tuple[str, ...] = ()


def ours(
    file: str, form: str, precision: str = "fp32", options: Mapping[str, Any] | None = None
) -> Artifact:
    """Return a file that lama-edge exports."""
    about = {"format": form, "precision": precision, "options": dict(options or {})}
    return Artifact(file, _PREPARE + "write_export", about)


CHECKPOINT = Artifact("checkpoint.safetensors", _PREPARE + "write_checkpoint")
REFERENCE = Artifact("reference.npy", _PREPARE + "write_reference")
LAMA_EDGE_CPU = ours("lama-edge-cpu.onnx", "onnx", options={"for": "cpu"})
OURS = "lama-edge-cpu"
LIMIT = "convolution-limit"

PEERS = (
    Peer(
        "torch-default-export",
        "`torch.onnx.export` of the generator with its default settings, which writes the "
        "transforms as ONNX's DFT operator; in ONNX Runtime.",
        "onnxruntime",
        Artifact("torch-default-export.onnx", _PREPARE + "write_default_export"),
    ),
    Peer(
        "runtime-matrices",
        "the transforms as matrix products whose matrices are computed at run time, as public "
        "exports do it: a minimal re-creation, exported by torch; in ONNX Runtime.",
        "onnxruntime",
        Artifact("runtime-matrices.onnx", _PREPARE + "write_runtime_matrices"),
    ),
    Peer(
        "torch-eager",
        "the generator as a torch module, with torch's own FFT.",
        "torch",
        CHECKPOINT,
    ),
    Peer(
        "torchscript",
        "the same module traced and frozen (`torch.jit.freeze`).",
        "torchscript",
        Artifact("torchscript.pt", _PREPARE + "write_torchscript"),
    ),
    Peer(
        OURS,
        "`lama-edge export onnx --for cpu` at the measured size; in ONNX Runtime. It masks the "
        "picture and composites the result too, which the others above are spared.",
        "lama-edge",
        LAMA_EDGE_CPU,
    ),
    Peer(
        "lama-edge-any",
        "the same with `--for any`, the default, which every runtime takes.",
        "lama-edge",
        ours("lama-edge-any.onnx", "onnx"),
    ),
    Peer(
        "lama-edge-litert",
        "`lama-edge export litert --precision fp32`; in LiteRT's interpreter, whose kernels are "
        "XNNPACK's.",
        "lama-edge",
        ours("lama-edge-litert.tflite", "litert"),
        needs=("ai_edge_litert",),
    ),
    Peer(
        "lama-edge-openvino",
        "`lama-edge export openvino`; in OpenVINO, inference precision f32.",
        "lama-edge",
        ours("lama-edge-openvino.xml", "openvino"),
        needs=("openvino",),
    ),
    Peer(
        "lama-edge-executorch",
        "`lama-edge export executorch`; in ExecuTorch's runtime, by its XNNPACK backend.",
        "lama-edge",
        ours("lama-edge-executorch.pte", "executorch"),
        needs=("executorch",),
    ),
    Peer(
        "lama-edge-ncnn",
        "`lama-edge export ncnn --precision fp32`; in ncnn.",
        "lama-edge",
        ours("lama-edge-ncnn.param", "ncnn"),
        needs=("ncnn", "pnnx"),
    ),
    Peer(
        "lama-edge-mnn",
        "`lama-edge export mnn --precision fp32`; in MNN.",
        "lama-edge",
        ours("lama-edge-mnn.mnn", "mnn"),
        needs=("MNN",),
    ),
    Peer(
        "lama-edge-cpu-int8",
        "`lama-edge export onnx --for cpu --precision int8`; in ONNX Runtime.",
        "lama-edge",
        ours("lama-edge-cpu-int8.onnx", "onnx", "int8", {"for": "cpu"}),
        precision="int8",
    ),
    Peer(
        "lama-edge-litert-int8",
        "`lama-edge export litert --precision int8`; in LiteRT's interpreter.",
        "lama-edge",
        ours("lama-edge-litert-int8.tflite", "litert", "int8"),
        precision="int8",
        needs=("ai_edge_litert",),
    ),
    Peer(
        "lama-edge-openvino-int8",
        "`lama-edge export openvino --precision int8`; in OpenVINO.",
        "lama-edge",
        ours("lama-edge-openvino-int8.xml", "openvino", "int8"),
        precision="int8",
        needs=("openvino",),
    ),
    Peer(
        "lama-edge-executorch-int8",
        "`lama-edge export executorch --precision int8`; in ExecuTorch's runtime, by its XNNPACK "
        "backend.",
        "lama-edge",
        ours("lama-edge-executorch-int8.pte", "executorch", "int8"),
        precision="int8",
        needs=("executorch",),
    ),
    Peer(
        LIMIT,
        "no model but a bound: the arithmetic of the generator's convolutions as trained, at the "
        "rate of the fastest of them, each timed alone in ONNX Runtime, best of many runs.",
        None,
        None,
        task=MEASURE_LIMIT,
    ),
)


def chosen(names: tuple[str, ...] | None) -> tuple[list[Peer], dict[str, str]]:
    """Return the entries of these names, all for None, and what those left out want.

    Returns:
        The entries, and by the names of the others a package that each lacks.

    Raises:
        UsageError: when there is no entry of a name.
    """
    known = [peer.name for peer in PEERS]
    for name in names or ():
        if name not in known:
            raise UsageError(f"unknown entry {name!r}; known: {', '.join(known)}")
    wanted = [peer for peer in PEERS if names is None or peer.name in names]
    absent = {
        peer.name: module
        for peer in wanted
        for module in reversed(peer.needs)
        if importlib.util.find_spec(module) is None
    }
    return [peer for peer in wanted if peer.name not in absent], absent
