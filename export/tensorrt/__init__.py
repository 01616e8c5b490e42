"""From ONNX files to TensorRT engines, with TensorRT or TensorRT for RTX."""
