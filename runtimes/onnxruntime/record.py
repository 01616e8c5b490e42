"""ONNX Runtime, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.nvidia import AN_NVIDIA_GPU
from lama_edge.runtimes.registry import Need, Runtime

# Short name -> ONNX Runtime's own.
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "dml": "DmlExecutionProvider",
}
_BY_NVIDIA = Need(("Linux", "Windows"), AN_NVIDIA_GPU, "onnxruntime-gpu")
ONNXRUNTIME = Runtime(
    name="onnxruntime",
    title="ONNX Runtime",
    format="onnx",
    suffixes=(".onnx",),
    opener="lama_edge.runtimes.onnxruntime.runner:OnnxRuntimeRunner",
    providers=tuple(PROVIDERS),
    modules=("onnxruntime",),
    tolerances={
        # Measured on the seeded cases with tests/data and lama-tiny: 1.2e-6 with matrix products,
        # 2.1e-6 with ONNX's DFT operator; against the official implementation's own results in
        # tests/data 1.2e-6 in either form.
        "fp32": Tolerance(1e-4),
        # ONNX Runtime's CPU kernels compute fp16 graphs in float32 and round some of the results.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # lama-tiny 2.2e-2 and 47.5 dB.
        "w8": Tolerance(0.2, psnr_db=40),
        # lama-tiny 6.6e-2 and 39.6 dB, on photographs 0.14 and 35.2 dB.
        "int8": Tolerance(0.5, psnr_db=34),
    },
    host_memory=("cpu", "openvino", "xnnpack"),
    manifest="lama_edge.runtimes.onnxruntime.parts:read_manifest_of",
    digest="lama_edge.wire:graph_sha256_of",
    support="lama_edge.runtimes.onnxruntime.support:file_support",
    needs={
        "cuda": _BY_NVIDIA,
        "tensorrt": _BY_NVIDIA,
        "coreml": Need(("Darwin",)),
        "openvino": Need(("Linux", "Windows"), package="onnxruntime-openvino"),
        "qnn": Need(device="a Qualcomm NPU", package="onnxruntime-qnn"),
        "dml": Need(("Windows",), package="onnxruntime-directml"),
    },
)
# In a page: it opens nothing here, and what pages gave is judged by its name.
ONNXRUNTIME_WEB = Runtime(
    name="onnxruntime-web",
    title="ONNX Runtime Web",
    format="onnx",
    suffixes=(),
    opener="",
    providers=("webgpu", "wasm"),
    modules=(),
    tolerances={
        # Measured against ONNX Runtime on the processor, with tests/data and lama-tiny: 6e-7 in
        # WebAssembly; on the software adapter of WebGPU 1.2e-6 for one size, 3e-5 for any size,
        # whose matrices it computes there.
        "fp32": Tolerance(1e-4),
        # WebAssembly computes fp16 as the processor does, 9.4e-5 apart. On WebGPU it was not run:
        # the software adapter has no shader-f16.
        "fp16": Tolerance(5e-2, psnr_db=55),
        # 8e-7 in WebAssembly, 1.0e-6 on WebGPU (3.6e-5 for any size) from the processor's.
        "w8": Tolerance(0.2, psnr_db=40),
        # In WebAssembly alone, 6e-8 from the processor's; on WebGPU 2.5e-2, so it is refused there.
        "int8": Tolerance(0.5, psnr_db=34),
    },
)
