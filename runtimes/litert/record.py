"""LiteRT, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

LITERT = Runtime(
    name="litert",
    title="LiteRT",
    format="litert",
    suffixes=(".tflite",),
    opener="lama_edge.runtimes.litert.runner:LitertRunner",
    providers=("cpu",),
    modules=("ai_edge_litert",),
    tolerances={
        # Measured on the seeded cases with tests/data and lama-tiny: 2.3e-6.
        "fp32": Tolerance(1e-4),
        # 70.2 dB. The processor computes fp16 files in float32; only their constants are rounded.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # lama-tiny at 512 x 512: 0.021 and 54.5 dB.
        "w8": Tolerance(0.2, psnr_db=40),
        # lama-tiny at 512 x 512: 0.14 and 43.1 dB, on photographs 38.6 dB.
        "int8": Tolerance(0.5, psnr_db=34),
    },
    host_memory=("cpu",),
    manifest="lama_edge.runtimes.litert.reading:read_manifest_of",
    facts="lama_edge.runtimes.litert.facts:file_facts",
    support="lama_edge.runtimes.litert.facts:file_support",
)
