"""How fast lama-edge is beside the other ways to run the same generator."""
