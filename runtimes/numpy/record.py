"""NumPy, the reference, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime
from lama_edge.spec import CHECKPOINT_SUFFIXES

NUMPY = Runtime(
    name="numpy",
    title="NumPy",
    format="checkpoint",
    suffixes=CHECKPOINT_SUFFIXES,
    opener="lama_edge.runtimes.numpy.runner:NumpyRunner",
    providers=("numpy",),
    modules=("numpy", "safetensors", "yaml"),
    # Reached where another model is the reference: the same comparison from the other side.
    tolerances={"fp32": Tolerance(1e-4)},
    host_memory=("numpy",),
    has_parts=True,
    facts="lama_edge.runtimes.checkpoints:checkpoint_facts",
)
