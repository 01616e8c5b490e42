"""The interpreter's ops against coremltools' own definitions: names, inputs and pages."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("coremltools")
from lama_edge.runtimes.mil_interpreter.operators import OPERATORS

_DEFINITIONS = "coremltools.converters.mil.mil.ops.defs"
_RELEASES = ("iOS15", "iOS16", "iOS17", "iOS18")


@pytest.mark.parametrize("op", OPERATORS)
def test_each_op_has_a_page_and_the_inputs_of_its_definition(op: str) -> None:
    page = OPERATORS[op].page
    release, _, _ = page.partition(".")
    module, _, name = page.rpartition(".")
    assert name == op
    inputs = set(_inputs(f"{_DEFINITIONS}.{module}", op))
    for later in _RELEASES[_RELEASES.index(release) :]:
        package = importlib.import_module(f"{_DEFINITIONS}.{later}")
        if hasattr(package, op):
            inputs |= set(getattr(package, op).input_spec.input_types)
    assert inputs == set(OPERATORS[op].parameters)


def _inputs(module: str, op: str) -> list[str]:
    found = getattr(importlib.import_module(module), op)
    return list(found.input_spec.input_types)


@pytest.mark.parametrize("op", OPERATORS)
def test_kernels_of_their_own_cite_the_page(op: str) -> None:
    kernel = OPERATORS[op].kernel
    if kernel.__name__ != "kernel":
        assert op in (kernel.__doc__ or "")
        assert "see iOS" in kernel.__doc__.replace("See", "see")
