"""ExecuTorch, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

EXECUTORCH = Runtime(
    name="executorch",
    title="ExecuTorch",
    format="executorch",
    suffixes=(".pte",),
    opener="lama_edge.runtimes.executorch.runner:ExecutorchRunner",
    providers=("cpu",),
    modules=("executorch", "torch"),
    tolerances={
        # Measured on the seeded cases with tests/data and lama-tiny: 1.6e-6.
        "fp32": Tolerance(1e-4),
        # 67.7 dB; lama-tiny at 512 x 512 62.2 dB. XNNPACK computes in fp16 where the processor can.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # lama-tiny at 128 x 128: 43.0 dB.
        "int8": Tolerance(0.5, psnr_db=34),
    },
    host_memory=("cpu",),
    facts="lama_edge.runtimes.executorch.facts:program_facts",
    support="lama_edge.runtimes.executorch.facts:program_support",
)
