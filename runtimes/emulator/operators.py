"""All operators that the emulator has, by ONNX's names."""

from __future__ import annotations

from lama_edge.runtimes.emulator import elementwise, linear, shapes

OPERATORS = {**elementwise.OPERATORS, **shapes.OPERATORS, **linear.OPERATORS}
