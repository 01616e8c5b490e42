"""ncnn, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

NCNN = Runtime(
    name="ncnn",
    title="ncnn",
    format="ncnn",
    suffixes=(".param",),
    opener="lama_edge.runtimes.ncnn.runner:NcnnRunner",
    providers=("cpu", "vulkan"),
    modules=("ncnn",),
    tolerances={
        "fp32": Tolerance(1e-4),
        "fp16": Tolerance(5e-2, psnr_db=55),
    },
    host_memory=("cpu",),
    weights=".bin",
    facts="lama_edge.runtimes.ncnn.reading:model_facts",
)
