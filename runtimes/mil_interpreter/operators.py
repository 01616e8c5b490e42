"""All ops that the interpreter has, by MIL's names; ``const`` is read with the program."""

from __future__ import annotations

from lama_edge.runtimes.mil_interpreter import compressed, elementwise, linear, shapes

OPERATORS = {
    **elementwise.OPERATORS,
    **shapes.OPERATORS,
    **linear.OPERATORS,
    **compressed.OPERATORS,
}
