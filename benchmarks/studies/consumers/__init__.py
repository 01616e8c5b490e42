"""A matrix of consumers: what reads exported ONNX files, and how near its results come."""
