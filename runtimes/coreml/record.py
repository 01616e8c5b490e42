"""Core ML and the interpreter of its packages, as the registry lists them."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Need, Runtime

# Short name -> coremltools.ComputeUnit: what Core ML may use beside the CPU.
PROVIDERS = {"all": "ALL", "cpu": "CPU_ONLY", "cpu_gpu": "CPU_AND_GPU", "cpu_ne": "CPU_AND_NE"}
# Measured with the interpreter on the seeded cases with tests/data and lama-tiny, the worst of
# them: 1.3e-6; 1.9e-3 and 68.4 dB, in pictures 59.1 dB since a level more or less is 48 dB where it
# shows; 0.020 and 46.8 dB; 0.14 and 33.0 dB; 0.30 and 25.2 dB. Not measured with Core ML: no device
# has run a package for us, and the interpreter's are taken until one has.
_TOLERANCES = {
    "fp32": Tolerance(1e-4),
    "fp16": Tolerance(5e-2, psnr_db=55),
    "w8": Tolerance(0.1, psnr_db=40),
    "pal6": Tolerance(0.4, psnr_db=30),
    "pal4": Tolerance(0.6, psnr_db=22),
}
_FACTS = "lama_edge.runtimes.coreml.facts:package_facts"
_SUPPORT = "lama_edge.runtimes.coreml.facts:package_support"

COREML = Runtime(
    name="coreml",
    title="Core ML",
    format="coreml",
    suffixes=(".mlpackage",),
    opener="lama_edge.runtimes.coreml.runner:CoremlRunner",
    providers=tuple(PROVIDERS),
    modules=("coremltools",),
    tolerances=_TOLERANCES,
    host_memory=("cpu",),
    has_parts=True,
    auto_on=("Darwin",),
    facts=_FACTS,
    support=_SUPPORT,
    needs=dict.fromkeys(PROVIDERS, Need(("Darwin",))),
)
COREML_EMULATOR = Runtime(
    name="coreml-emulator",
    title="Core ML, emulated",
    format="coreml",
    suffixes=(".mlpackage",),
    opener="lama_edge.runtimes.coreml.emulated_runner:CoremlEmulatedRunner",
    providers=("emulated",),
    modules=("coremltools",),
    tolerances=_TOLERANCES,
    has_parts=True,
    is_emulator=True,
    facts=_FACTS,
    support=_SUPPORT,
)
