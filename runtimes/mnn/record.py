"""MNN, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

MNN = Runtime(
    name="mnn",
    title="MNN",
    format="mnn",
    suffixes=(".mnn",),
    opener="lama_edge.runtimes.mnn.runner:MnnRunner",
    providers=("cpu",),
    modules=("MNN",),
    tolerances={
        "fp32": Tolerance(1e-4),
        "fp16": Tolerance(5e-2, psnr_db=55),
        "w8": Tolerance(0.2, psnr_db=40),
    },
    host_memory=("cpu",),
    facts="lama_edge.runtimes.mnn.reading:file_facts",
)
