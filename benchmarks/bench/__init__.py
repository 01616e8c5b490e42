"""Latency and memory of models side by side, and the comparison of two results."""
