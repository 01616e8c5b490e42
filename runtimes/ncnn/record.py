"""ncnn, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Need, Runtime

NCNN = Runtime(
    name="ncnn",
    title="ncnn",
    format="ncnn",
    suffixes=(".param",),
    opener="lama_edge.runtimes.ncnn.runner:NcnnRunner",
    providers=("cpu", "vulkan"),
    modules=("ncnn",),
    tolerances={
        # Measured on the seeded cases with tests/data and lama-tiny: 1.5e-6 on the processor,
        # 1.6e-6 by Vulkan on a software adapter; big-lama's shape 6.0e-6.
        "fp32": Tolerance(1e-4),
        # 69.9 dB; a processor without fp16 computes it in float32.
        "fp16": Tolerance(5e-2, psnr_db=55),
    },
    host_memory=("cpu",),
    weights=".bin",
    facts="lama_edge.runtimes.ncnn.reading:model_facts",
    needs={"vulkan": Need(device="a device with a driver for Vulkan, and libvulkan")},
)
