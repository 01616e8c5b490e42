"""The generators as torch modules, state-dict compatible with the official checkpoints."""

from __future__ import annotations

from lama_edge.models.torch_modules.build import build_generator

__all__ = ["build_generator"]
