"""torch, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.nvidia import AN_NVIDIA_GPU
from lama_edge.runtimes.registry import Need, Runtime
from lama_edge.spec import CHECKPOINT_SUFFIXES

TORCH = Runtime(
    name="torch",
    title="torch",
    format="checkpoint",
    suffixes=CHECKPOINT_SUFFIXES,
    opener="lama_edge.runtimes.torch.runner:TorchRunner",
    providers=("cpu", "cuda"),
    modules=("torch", "safetensors", "yaml"),
    # Reached where an ONNX model is the reference: the same comparison from the other side.
    tolerances={"fp32": Tolerance(1e-4)},
    ways=("compile", "tf32"),
    host_memory=("cpu",),
    has_parts=True,
    facts="lama_edge.runtimes.checkpoints:checkpoint_facts",
    needs={"cuda": Need(device=AN_NVIDIA_GPU)},
)
