"""ExecuTorch: programs for apps, on the processor."""
