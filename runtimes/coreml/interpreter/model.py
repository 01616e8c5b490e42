"""Runs a function of an ``.mlpackage`` op by op, every result rounded to its declared type.

What Core ML computes on the Neural Engine or the GPU is stored in fp16 between ops; this does as
such a device does: sums in float32, and one rounding for each op. It proves nothing about how a
device orders its sums, or about ops that it fuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.features import read_features
from lama_edge.runtimes.coreml.interpreter.function import computed, read_function
from lama_edge.runtimes.coreml.interpreter.package import read_package
from lama_edge.runtimes.coreml.interpreter.registry import Operation
from lama_edge.runtimes.coreml.interpreter.values import Blobs
from lama_edge.runtimes.emulator.execution import Observer, StepwiseProgram


class MilModel(StepwiseProgram[Operation]):
    """A function of a package ready to run.

    Attributes:
        function: its name.
        functions: the names of all, the default one first.
        inputs: what it takes, as apps see it.
        outputs: what it gives.
        manifest: the function's manifest, as JSON; None where the package carries none.
    """

    def __init__(self, path: Path, function: str | None = None) -> None:
        """Read a package.

        Args:
            path: the ``.mlpackage`` folder.
            function: which function to run; None is the default one.

        Raises:
            ModelError: when it is damaged, has no such function, or uses what the interpreter
                does not have.
            MissingBackendError: when coremltools is not installed.
        """
        package = read_package(path, function)
        self.functions, self.function = package.functions, package.function
        self.manifest = package.manifest
        blobs = Blobs(package.folder)
        try:
            super().__init__(read_function(package.specification.mlProgram, self.function, blobs))
        finally:
            blobs.close()
        own = package.description
        self.inputs = read_features(own.input, self.input_types, "input")
        self.outputs = read_features(own.output, self.output_types, "output")

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
        results = super().run(fed, observe=observe)
        return {feature.name: feature.given(results[feature.name]) for feature in self.outputs}

    def _compute(self, node: Operation, arguments: list[Any]) -> list[Array]:
        return [computed(node, node.bound(arguments))]
