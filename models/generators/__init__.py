"""The generators in NumPy, as the papers define them: the reference, on which all is judged.

The deploy graphs (`export`) are made from other formulas, and share no code with these.
"""

from __future__ import annotations

from lama_edge.models.generators.build import build_generator

__all__ = ["build_generator"]
