"""The interpreter's ops against coremltools' own definitions: names and inputs."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("coremltools")
from lama_edge.runtimes.coreml.interpreter.operators import OPERATORS

_DEFINITIONS = "coremltools.converters.mil.mil.ops.defs"
# Each has the ops that it changed or brought.
_RELEASES = ("iOS15", "iOS16", "iOS17", "iOS18")


@pytest.mark.parametrize("op", OPERATORS)
def test_each_op_has_inputs_of_its_definition(op: str) -> None:
    inputs: set[str] = set()
    for release in _RELEASES:
        package = importlib.import_module(f"{_DEFINITIONS}.{release}")
        if hasattr(package, op):
            inputs |= set(getattr(package, op).input_spec.input_types)
    assert set(OPERATORS[op].parameters) <= inputs
