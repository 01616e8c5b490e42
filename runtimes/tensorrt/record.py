"""TensorRT and TensorRT for RTX, as the registry lists them."""

from __future__ import annotations

from dataclasses import replace

from lama_edge.engines import ENGINE_SUFFIX, FLAVOR_TITLES, FORMAT_NAME
from lama_edge.judging.tolerances import Tolerance
from lama_edge.nvidia import AN_NVIDIA_GPU
from lama_edge.runtimes.registry import Need, Runtime

TENSORRT = Runtime(
    name="tensorrt",
    title=FLAVOR_TITLES["tensorrt"],
    format=FORMAT_NAME,
    suffixes=(ENGINE_SUFFIX,),
    # Which of the two an engine wants is in the manifest beside it.
    opener="lama_edge.runtimes.tensorrt.runner:TensorrtRunner",
    providers=("cuda",),
    modules=("tensorrt", "tensorrt_rtx"),
    tolerances={
        # Not measured: no GPU has run an engine for us. What the same graphs keep elsewhere, until
        # one has; TF32 has the mantissa of fp16.
        "fp32": Tolerance(1e-4),
        "tf32": Tolerance(5e-2, psnr_db=55),
        "fp16": Tolerance(5e-2, psnr_db=55),
        "int8": Tolerance(0.5, psnr_db=34),
    },
    facts="lama_edge.runtimes.tensorrt.facts:engine_facts",
    needs={"cuda": Need(("Linux", "Windows"), AN_NVIDIA_GPU)},
    made_with={"flavor": "tensorrt"},
)
TENSORRT_RTX = replace(
    TENSORRT, name="tensorrt_rtx", title=FLAVOR_TITLES["rtx"], made_with={"flavor": "rtx"}
)
