"""LiteRT files for phones, emitted from the deploy graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.record import (
    ONE_SIZE,
    Drawn,
    Export,
    Format,
    Judge,
    Part,
    Within,
    versions_of,
)
from lama_edge.manifest import Manifest
from lama_edge.spec import TENSOR_IO_FORMS, IoSpec, Precision, io_spec

if TYPE_CHECKING:
    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.exporters.precision.build import PreciseGraph
    from lama_edge.models.config import GeneratorConfig


# The rounded graph, for the emulator.
_SOURCE = "source.onnx"


class LitertFormat(Format):
    """See `Format`. Nothing is converted: the file is written from the deploy graph."""

    name = "litert"
    title = "a LiteRT file"
    about = "for Android, by processor, GPU or NPU, and others' LiteRT"
    suffix = ".tflite"
    extra = "export,litert"
    io_forms = TENSOR_IO_FORMS
    batch = 1
    precisions = ("fp32", "fp16", "w8", "int8")
    precision = "fp16"
    precision_help = (
        "fp16 rescaled so that nothing overflows where accelerators compute in it, as GPUs do; w8 "
        "the same with weights in int8, computed in floats; int8 weights and activations, for "
        "processors"
    )
    sizes = ONE_SIZE
    size_help = "512 or 512x768 (height x width) (default: 512)"
    timing_provider = "cpu"
    timing_notes: ClassVar[Mapping[str, str]] = {
        "fp16": "LiteRT computes it in float32 on the processor, so this time says nothing of "
        "accelerators that compute in fp16"
    }

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        return {
            **super().advice(),
            "w8": f"use {parameter('precision', 'fp16')}: this checkpoint's weights need more "
            "digits",
            "int8": f"calibrate on pictures like yours with {parameter('calibrate')}; or use "
            f"{parameter('precision', 'w8')}",
        }

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if len(set(job.sizes)) > 1:
            raise UsageError(
                f"{self.title} holds one size and {len(job.sizes)} were given: export one a size"
            )
        if None in job.sizes:
            raise UsageError(
                f"{parameter('size', 'dynamic')} is no size of a LiteRT file, whose delegates plan "
                "ahead for one: give 512 or 512x768 (height x width), and export one file a size"
            )

    def contract(self, job: Export) -> IoSpec:
        """See `Format.contract`: the float form has the channels last too."""
        assert job.io is not None
        return io_spec(job.io, composite=job.composite, batch=self.batch, channels_last=True)

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """See `Format.graph_options`; in the graph floats have their channels first."""
        planar = graph_form(self.contract(job))
        return replace(super().graph_options(job, config, part), io=planar, last_axis=True)

    def arithmetic(self, precision: str) -> Precision:
        """See `Format.arithmetic`: w8 is computed in fp16 where accelerators do."""
        return "fp16" if precision == "w8" else super().arithmetic(precision)

    def builder(self) -> Callable[..., PreciseGraph]:
        """See `Format.builder`."""
        from lama_edge.exporters.formats.litert.graphs import source_graph

        return source_graph

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "ai-edge-litert", "flatbuffers", "numpy", "onnx-ir")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.exporters.formats.litert.model import write_model, write_source

        (one,) = drawn
        assert one.graph is not None
        write_model(one.graph, one.manifest, target)
        if self.arithmetic(one.manifest.precision) == "fp16":
            write_source(one.graph, one.manifest, scratch / _SOURCE)
        return [one.manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.exporters.formats.litert.flatbuffer import replace_manifest

        (manifest,) = manifests
        replace_manifest(target, manifest.to_json())

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`.

        The processor computes fp16 and w8 wide and proves nothing about accelerators that do not,
        so the emulator judges the graph that the file was written from, and LiteRT the file.
        """
        return self.judges_of_rounded(job, scratch / _SOURCE, target)


def graph_form(io: IoSpec) -> IoSpec:
    """Return the contract of the deploy graph that a file of a contract is written from."""
    return io_spec(io.form, composite=io.composite, batch=io.batch)


LITERT = LitertFormat()
