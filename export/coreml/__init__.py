"""Core ML packages: the deploy graph as an ML program, op by op, with its manifest."""
