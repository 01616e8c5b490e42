"""ExecuTorch programs for apps, lowered from the deploy graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.record import (
    ONE_SIZE,
    Drawn,
    Export,
    Format,
    Judge,
    Option,
    Part,
    Within,
    versions_of,
)
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.spec import TENSOR_IO_FORMS

if TYPE_CHECKING:
    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.exporters.precision.build import PreciseGraph
    from lama_edge.models.config import GeneratorConfig

# The graph that the program is made of; the emulator judges it.
_SOURCE = "source.onnx"
# What a manifest's ``format`` says in ``judged`` of a program that nothing here runs: its figures
# are those of that graph, and what the backend makes of it was not seen.
_GRAPH_ALONE = "source graph"


class ExecutorchFormat(Format):
    """See `Format`. The lowering runs in a process of its own."""

    name = "executorch"
    title = "an ExecuTorch program"
    about = "for apps that carry ExecuTorch, such as React Native's"
    suffix = ".pte"
    extra = "export,executorch"
    io_forms = TENSOR_IO_FORMS
    batch = 1
    precisions = ("fp32", "fp16", "int8")
    precision = "fp32"
    precision_help = (
        "fp16 rescaled so that nothing overflows, by xnnpack and vulkan; int8 weights and "
        "activations, by xnnpack alone"
    )
    sizes = ONE_SIZE
    size_help = "512 or 512x768 (height x width) (default: 512)"
    timing_provider = "cpu"
    options = (
        Option(
            "backend",
            "what computes it: xnnpack, on processors everywhere, coreml, on iPhones and Macs, or "
            "vulkan, on Android's GPUs (default: xnnpack)",
            default="xnnpack",
            choices=("xnnpack", "coreml", "vulkan"),
        ),
    )

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        fp16 = super().advice()["fp16"]
        return {
            "fp16": f"{fp16} or int8, since XNNPACK adds in fp16 too where a processor can",
            "int8": f"try {parameter('calibrate')} with a folder of pictures like yours, or "
            f"{parameter('precision', 'fp32')}",
        }

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if None in job.sizes:
            raise UsageError(
                f"{parameter('size', 'dynamic')} is no size of an ExecuTorch program, whose memory "
                "is planned for one: give 512 or 512x768 (height x width), and export one file a "
                "size"
            )
        backend = job.options["backend"]
        if job.precision == "int8" and backend != "xnnpack":
            raise UsageError(
                f"{parameter('precision', 'int8')} is computed by XNNPACK alone: leave "
                f"{parameter('backend', backend)} out, or use another precision"
            )
        if job.precision == "fp16" and backend == "coreml":
            raise UsageError(
                f"{parameter('precision', 'fp16')} with {parameter('backend', 'coreml')}: the "
                "padding of Core ML's converter takes no fp16; use "
                f"{parameter('precision', 'fp32')}, or lama-edge export coreml for the Neural "
                "Engine"
            )
        # What is missing is told before any work.
        self._tools_of(backend)

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """See `Format.graph_options`."""
        return replace(super().graph_options(job, config, part), last_axis=True)

    def builder(self) -> Callable[..., PreciseGraph]:
        """See `Format.builder`."""
        from lama_edge.exporters.formats.executorch.graphs import source_graph

        return source_graph

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """See `Format.described`."""
        return {"name": self.name, "backend": str(job.options["backend"])}

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "executorch", "numpy", "onnx-ir", "torch")

    def _tools_of(self, backend: object) -> dict[str, str]:
        """Return the versions of what shapes a backend's programs beside `tools`."""
        if backend != "coreml":
            return {}
        # ExecuTorch brings it to Macs and x86-64 alone.
        return versions_of(f"{self.extra},coreml", "coremltools")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.exporters.formats.executorch.lowering import lower_in_fresh_process
        from lama_edge.exporters.formats.onnx.file import write_source

        (one,) = drawn
        assert one.graph is not None
        source, tools = scratch / _SOURCE, self._tools_of(job.options["backend"])
        manifest = replace(one.manifest, tools={**one.manifest.tools, **tools})
        write_source(one.graph, manifest, source)
        del one
        placed = lower_in_fresh_process(
            source, manifest, target, job.output, lambda step: within(step, 0.0)
        )
        manifest = replace(manifest, format={**manifest.format, **placed})
        self.stamp([manifest], target)
        return [manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.containers.executorch import write_manifest

        (manifest,) = manifests
        write_manifest(target, manifest.to_json())

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`.

        The emulator judges what fp16 makes of the graph wherever every result is rounded, which
        not every processor's kernels do; and the graph alone where nothing here runs the program.
        """
        file = Judge(str(target), "cpu")
        graph = Judge(str(scratch / _SOURCE), "emulated", "graph")
        if job.options["backend"] != "xnnpack":
            return (graph,)
        return (graph, file) if job.precision == "fp16" else (file,)

    def with_figures(self, manifest: Manifest, figures: ParityFigures, judge: Judge) -> Manifest:
        """See `Format.with_figures`: they must not pass for those of a program that never ran."""
        manifest = super().with_figures(manifest, figures, judge)
        if manifest.format["backend"] == "xnnpack":
            return manifest
        return replace(manifest, format={**manifest.format, "judged": _GRAPH_ALONE})

    def summary(self, manifest: Manifest) -> Iterable[str]:
        """See `Format.summary`."""
        about = manifest.format
        parts = f"{about['delegates']} delegate{'s' * (about['delegates'] != 1)}"
        yield f"{about['backend']}: {parts}; outside: {about['outside']}"
        if about["backend"] == "xnnpack" and manifest.precision == "fp16":
            # Phones from 2018 on do; whether this machine does, nothing that was printed tells.
            yield "fp16: processors that have it add in it: judge the program on one as well"
        if "judged" in about:
            yield f"judged: {about['judged']}, program not run"


EXECUTORCH = ExecutorchFormat()
