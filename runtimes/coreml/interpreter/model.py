"""An open ``.mlpackage``: one of its functions, with its inputs and outputs as apps see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.features import Feature, read_features
from lama_edge.runtimes.coreml.interpreter.function import read_function
from lama_edge.runtimes.coreml.interpreter.package import (
    chosen_function,
    described,
    function_names,
    manifest_text,
    read_package,
)
from lama_edge.runtimes.coreml.interpreter.program import MilProgram
from lama_edge.runtimes.coreml.interpreter.values import Blobs
from lama_edge.runtimes.emulator.execution import Observer


@dataclass(frozen=True)
class MilModel:
    """A function of a package ready to run.

    Attributes:
        function: its name.
        functions: the names of all, the default one first.
        inputs: what it takes.
        outputs: what it gives.
        manifest: the function's manifest, as JSON; None where the package carries none.
        program: the function itself.
    """

    function: str
    functions: tuple[str, ...]
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    manifest: str | None
    program: MilProgram

    @classmethod
    def load(cls, path: Path, function: str | None = None) -> MilModel:
        """Read a package.

        Args:
            path: the ``.mlpackage`` folder.
            function: which function to run; None is the default one.

        Raises:
            ModelError: when it is damaged, has no such function, or uses what the interpreter
                does not have.
            MissingBackendError: when coremltools is not installed.
        """
        package = read_package(path)
        description = package.specification.description
        functions = function_names(description)
        chosen = chosen_function(path, functions, function)
        blobs = Blobs(package.folder)
        try:
            program = MilProgram(read_function(package.specification.mlProgram, chosen, blobs))
        finally:
            blobs.close()
        own = described(description, chosen)
        return cls(
            chosen,
            functions,
            read_features(own.input, program.input_types, "input"),
            read_features(own.output, program.output_types, "output"),
            manifest_text(description, chosen),
            program,
        )

    def run(
        self, feeds: Mapping[str, Array], *, observe: Observer | None = None
    ) -> dict[str, Array]:
        """Run the function.

        Args:
            feeds: an array for each input; pictures as uint8 [1,H,W,channels], in RGB.
            observe: see `StepwiseProgram.run`, which raises what this does.

        Returns:
            An array for each output; pictures as they are fed.
        """
        takers = {feature.name: feature for feature in self.inputs}
        fed = {
            name: takers[name].fed(array) if name in takers else array
            for name, array in feeds.items()
        }
        results = self.program.run(fed, observe=observe)
        return {feature.name: feature.given(results[feature.name]) for feature in self.outputs}
