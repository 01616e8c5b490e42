"""The emulator of ONNX files, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

EMULATOR = Runtime(
    name="emulator",
    title="the emulator",
    format="onnx",
    suffixes=(".onnx",),
    opener="lama_edge.runtimes.emulator.runner:EmulatedRunner",
    providers=("emulated",),
    modules=("onnx",),
    tolerances={
        # Measured with lama-tiny: 1.2e-6; 1.9e-3 and 68.6 dB; w8 and int8 as in ONNX Runtime.
        "fp32": Tolerance(1e-4),
        "fp16": Tolerance(5e-2, psnr_db=55),
        "w8": Tolerance(0.2, psnr_db=40),
        "int8": Tolerance(0.5, psnr_db=34),
    },
    auto_on=(),
    is_emulator=True,
)
