"""Programs built with coremltools' MIL builder, saved as packages and run by the interpreter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


@pytest.fixture(scope="session")
def save_program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a program as a package and return its path.

    It is given ``build``, which gets the inputs' variables by name and returns the outputs' by
    name; the input arrays, or their shapes and types; and as `target` the release of iOS.
    """
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    ct = pytest.importorskip("coremltools")
    from coremltools.converters.mil import Builder as mb  # noqa: N813
    from coremltools.converters.mil.mil import Function, Program, types

    element = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32}

    def save(
        build: Callable[..., dict[str, Any]],
        arrays: dict[str, Array],
        *,
        target: str = "iOS16",
        convert: dict[str, Any] | None = None,
    ) -> Path:
        placeholders = {
            name: mb.placeholder(array.shape, element[array.dtype.name])
            for name, array in arrays.items()
        }
        with Function(placeholders, opset_version=getattr(ct.target, target)) as function:
            outputs = build(**function.inputs)
            for name, variable in outputs.items():
                variable.name = name
            function.set_outputs(list(outputs.values()))
        program = Program()
        program.add_function("main", function)
        # A whole collection for each program takes nine tenths of the time.
        with mock.patch("gc.collect"):
            model = ct.convert(
                program,
                source="milinternal",
                convert_to="mlprogram",
                minimum_deployment_target=getattr(ct.target, target),
                pass_pipeline=ct.PassPipeline.EMPTY,
                compute_precision=ct.precision.FLOAT32,
                skip_model_load=True,
                **(convert or {}),
            )
        path = tmp_path_factory.mktemp("package") / "program.mlpackage"
        model.save(str(path))
        return path

    return save


@pytest.fixture(scope="session")
def run_program(save_program: Callable[..., Path]) -> Callable[..., dict[str, Array]]:
    """Save a program, load it in the interpreter, and run it on the arrays it was built for."""
    from lama_edge.runtimes.coreml.interpreter.model import MilModel

    def run(
        build: Callable[..., dict[str, Any]], arrays: dict[str, Array], **options: Any
    ) -> dict[str, Array]:
        return MilModel(save_program(build, arrays, **options)).run(arrays)

    return run
