"""Generators, their configurations, checkpoints, and the embedded model."""
