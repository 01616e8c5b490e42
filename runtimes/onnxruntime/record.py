"""ONNX Runtime, as the registry lists it."""

from __future__ import annotations

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import Runtime

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
        "w8": Tolerance(0.2, psnr_db=40),
        "int8": Tolerance(0.5, psnr_db=34),
    },
    host_memory=("cpu", "openvino", "xnnpack"),
)
