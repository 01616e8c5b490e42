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
        # Measured on the seeded cases with tests/data and lama-tiny: 1.2e-6 at one size, 1.6e-6 at
        # any; big-lama's shape 6.4e-6. That is without Winograd's convolutions, see the runner:
        # with them, as MNN would by itself, 9e-5 on lama-tiny and 7e-4 on big-lama's shape.
        "fp32": Tolerance(1e-4),
        # 69.8 dB, in bytes 60.2; a processor without fp16 computes it in float32.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # 0.015 and 52.3 dB on lama-tiny, 0.051 and 46.1 dB on big-lama's shape with seeded weights.
        "w8": Tolerance(0.2, psnr_db=40),
    },
    host_memory=("cpu",),
    facts="lama_edge.runtimes.mnn.reading:file_facts",
)
