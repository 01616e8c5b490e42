"""What running TensorRT engines takes: CUDA, the engine's files, and its execution."""
