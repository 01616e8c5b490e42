"""The generator networks as torch modules, state-dict compatible with the official checkpoints."""

from __future__ import annotations

from lama_edge.models.generators.build import build_generator

__all__ = ["build_generator"]
