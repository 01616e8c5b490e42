"""MNN files, made of the deploy graph by MNN's own converter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from lama_edge.spec import TENSOR_IO_FORMS

if TYPE_CHECKING:
    from lama_edge.exporters.precision.build import PreciseGraph

# The graph that the file is made of, in a job's scratch folder.
_SOURCE = "source.onnx"


class MnnFormat(Format):
    """See `Format`."""

    name = "mnn"
    title = "an MNN file"
    about = "for apps that carry Alibaba's MNN"
    suffix = ".mnn"
    extra = "export,mnn"
    io_forms = TENSOR_IO_FORMS
    batch = 1
    precisions = ("fp32", "fp16", "w8")
    precision = "fp16"
    precision_help = (
        "fp16 rescaled so that nothing overflows, since MNN computes in fp16 on GPUs and where it "
        "is asked to; w8 weights in int8, of the plain graph"
    )
    sizes = ONE_SIZE
    size_help = "512, 512x768 (height x width) or dynamic, which is any size (default: 512)"
    timing_provider = "cpu"
    timing_notes: ClassVar[Mapping[str, str]] = {
        "fp16": "MNN computes fp16 in float32 on processors without fp16: time it on the device",
    }

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        return {
            **super().advice(),
            "w8": f"use {parameter('precision', 'fp16', 'fp32')}",
        }

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if job.precision == "fp16" and None in job.sizes:
            raise UsageError(
                f"{parameter('precision', 'fp16')} (the default) with "
                f"{parameter('size', 'dynamic')}: where MNN computes in fp16 it computes all of a "
                "model so, also the angles of a Fourier transform of any size, which are integers "
                f"beyond what fp16 holds; give one {parameter('size')}, or "
                f"{parameter('precision', 'fp32')}"
            )

    def builder(self) -> Callable[..., PreciseGraph]:
        """See `Format.builder`."""
        from lama_edge.exporters.formats.mnn.graphs import source_graph

        return source_graph

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "numpy", "onnx", "onnx-ir", "mnn")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.exporters.formats.mnn.conversion import write_mnn
        from lama_edge.exporters.formats.onnx.file import write_source

        (one,) = drawn
        assert one.graph is not None
        source = scratch / _SOURCE
        write_source(one.graph, one.manifest, source)
        write_mnn(source, one.manifest, target)
        return [one.manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.containers.mnn import seal

        seal(target, manifests[0].to_json())

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`: fp16 by what rounds as it says, since processors compute it wide."""
        return self.judges_of_rounded(job, scratch / _SOURCE, target)


MNN = MnnFormat()
