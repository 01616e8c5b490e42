"""OpenVINO, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Need, Runtime

# Short name -> OpenVINO's own.
DEVICES = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
OPENVINO = Runtime(
    name="openvino",
    title="OpenVINO",
    format="openvino",
    suffixes=(".xml",),
    opener="lama_edge.runtimes.openvino.runner:OpenvinoRunner",
    providers=tuple(DEVICES),
    modules=("openvino",),
    tolerances={
        # Measured on the seeded cases with tests/data and lama-tiny, on a processor: 1.9e-6; in
        # bfloat16, its own choice there, 0.022.
        "fp32": Tolerance(1e-4),
        # 70.2 dB. Processors without fp16 compute it in float32; only the constants are rounded.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # lama-tiny at 512 x 512: 0.022 and 54.2 dB.
        "w8": Tolerance(0.2, psnr_db=40),
        # lama-tiny at 512 x 512: 0.13 and 46.1 dB, on photographs 41.3 dB.
        "int8": Tolerance(0.5, psnr_db=34),
    },
    host_memory=("cpu",),
    weights=".bin",
    manifest="lama_edge.runtimes.openvino.reading:read_manifest_of",
    digest="lama_edge.containers.openvino:graph_sha256_of",
    facts="lama_edge.runtimes.openvino.facts:ir_facts",
    support="lama_edge.runtimes.openvino.facts:ir_support",
    needs={
        "gpu": Need(device="Intel graphics with a driver for OpenCL"),
        "npu": Need(device="an Intel NPU with its driver"),
    },
)
