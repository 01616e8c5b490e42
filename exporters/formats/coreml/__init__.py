"""Core ML packages for iPhones, iPads and Macs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.coreml.options import (
    MAX_DYNAMIC_SIDE,
    MULTIFUNCTION_TARGET,
    PACKAGE_PRECISIONS,
    TARGETS,
    arithmetic_of,
    by_function,
    function_name,
    graph_form,
)
from lama_edge.exporters.formats.record import (
    ONE_SIZE,
    Drawn,
    Export,
    Format,
    Option,
    Part,
    Within,
    versions_of,
)
from lama_edge.manifest import Manifest
from lama_edge.process import temporary_room
from lama_edge.spec import COREML_IO_FORMS, Precision, SizePolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.exporters.precision.build import PreciseGraph
    from lama_edge.judging.ranges import Ranges
    from lama_edge.models.config import GeneratorConfig


class CoremlFormat(Format):
    """See `Format`. The conversion runs in a process of its own, and needs no Mac."""

    name = "coreml"
    title = "a Core ML package"
    about = "for iPhones, iPads and Macs"
    suffix = ".mlpackage"
    extra = "coreml"
    kind = "folder"
    contents = "Manifest.json"
    io_forms = COREML_IO_FORMS
    precisions = PACKAGE_PRECISIONS
    precision = "fp16"
    precision_help = (
        "fp16 rescaled so that nothing overflows; w8, pal6 and pal4 compute in fp16 and store the "
        "weights in 8 bits, or as palettes of 64 or 16 values"
    )
    sizes = ONE_SIZE
    size_help = (
        "512 or 512x768 (height x width); several make a package with a function for each (iOS "
        "18); dynamic is any size up to 2048, off the Neural Engine but at 512 (default: 512)"
    )
    max_side = MAX_DYNAMIC_SIDE
    options = (
        Option(
            "target",
            "the oldest system that runs it (default: iOS16, for several sizes iOS18)",
            choices=TARGETS,
        ),
    )

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        return {
            **super().advice(),
            "w8": f"use {parameter('precision', 'fp16')}",
            "pal6": f"use {parameter('precision', 'w8', 'fp16')}",
            "pal4": f"use {parameter('precision', 'pal6', 'w8', 'fp16')}",
        }

    def arithmetic(self, precision: str) -> Precision:
        """See `Format.arithmetic`."""
        return arithmetic_of(precision)

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        several = len(job.sizes) > 1
        if several and None in job.sizes:
            raise UsageError(
                f"{parameter('size', 'dynamic')} stands alone: leave the other sizes out"
            )
        if several and self.target(job) != MULTIFUNCTION_TARGET:
            raise UsageError(
                f"a package for {self.target(job)} holds one size and {len(job.sizes)} were given: "
                f"use {parameter('target', MULTIFUNCTION_TARGET)}, or export one package a size"
            )

    def target(self, job: Export) -> str:
        """Return the oldest system that runs the package."""
        oldest = MULTIFUNCTION_TARGET if len(job.sizes) > 1 else TARGETS[0]
        return str(job.options["target"] or oldest)

    def parts(self, job: Export, takes: SizePolicy) -> list[Part]:
        """See `Format.parts`: a function for each size."""
        named = len(job.sizes) > 1
        policies = [self.policy(takes, size) for size in job.sizes]
        return [
            Part(size, size, name=function_name(size.fixed) if named and size.fixed else None)
            for size in policies
        ]

    def graphs(
        self,
        job: Export,
        config: GeneratorConfig,
        tensors: Mapping[str, NDArray[Any]],
        parts: Iterable[Part],
        ranges: Ranges | None,
    ) -> Iterator[PreciseGraph]:
        """See `Format.graphs`."""
        from lama_edge.exporters.formats.coreml.sizes import deploy_graphs

        sizes = [part.graph_size for part in parts]
        return deploy_graphs(config, tensors, self.contract(job), sizes, str(job.precision), ranges)

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """See `Format.graph_options`."""
        return replace(super().graph_options(job, config, part), io=graph_form(self.contract(job)))

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """See `Format.described`."""
        about: dict[str, str | int] = {"name": self.name, "target": self.target(job)}
        if len(job.sizes) > 1:
            about["functions"] = " ".join(map(str, job.sizes))
        return about

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of("coreml", "coremltools", "numpy", "onnx-ir")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        import onnx_ir as ir

        from lama_edge.exporters.formats.coreml.conversion import convert_in_fresh_process

        graphs, manifests = [], []
        for index, one in enumerate(drawn):
            assert one.graph is not None
            graphs.append(scratch / f"{index}.onnx")
            with temporary_room():
                ir.save(one.graph, graphs[-1])
            manifests.append(one.manifest)
        del one
        steps = len(graphs) + (len(graphs) > 1)
        begun = 0

        def progress(step: str) -> None:
            nonlocal begun
            within(step, begun / steps)
            begun += 1

        convert_in_fresh_process(graphs, manifests, target, progress)
        return manifests

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.exporters.formats.coreml.package import write_manifest

        write_manifest(by_function(manifests), target)

    def judging_provider(self, precision: str) -> str:
        """See `Format.judging_provider`: op by op, rounded as the package declares."""
        return "emulated"


COREML = CoremlFormat()
