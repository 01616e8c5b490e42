"""ncnn's models, made by pnnx from the deploy graph as a torch module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

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
from lama_edge.files import weights_beside
from lama_edge.manifest import Manifest

# The graph that the model is made of, in a job's scratch folder.
_SOURCE = "source.onnx"


class NcnnFormat(Format):
    """See `Format`. ncnn has no tensors of bytes, so there is the float form alone."""

    name = "ncnn"
    title = "an ncnn model"
    about = "for apps that carry Tencent's ncnn"
    suffix = ".param"
    extra = "ncnn-export"
    kind = "split"
    io_forms = ("float",)
    batch = 1
    precisions = ("fp32", "fp16")
    precision = "fp16"
    precision_help = (
        "fp16 rescaled so that nothing overflows, since ncnn computes in fp16 by itself wherever "
        "the processor or GPU can"
    )
    sizes = ONE_SIZE
    size_help = "512 or 512x768 (height x width) (default: 512)"
    timing_provider = "cpu"
    timing_notes: ClassVar[Mapping[str, str]] = {
        "fp16": "ncnn computes it in float32 on processors without fp16, so this time says "
        "nothing of phones"
    }

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if None in job.sizes:
            raise UsageError(
                f"{parameter('size', 'dynamic')}: torch traces one picture's way through the net "
                "for pnnx, and the Fourier transform's matrices are for its size; give one size"
            )

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "numpy", "onnx", "onnx-ir", "pnnx", "torch")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.exporters.formats.ncnn.conversion import write_ncnn
        from lama_edge.exporters.formats.onnx.file import write_source

        (one,) = drawn
        assert one.graph is not None
        source = scratch / _SOURCE
        write_source(one.graph, one.manifest, source)
        write_ncnn(source, one.manifest, target)
        return [one.manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.containers.ncnn import seal

        seal(target, weights_beside(target), manifests[0].to_json())

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`: fp16 by what rounds as it says, since processors compute it wide."""
        return self.judges_of_rounded(job, scratch / _SOURCE, target)


NCNN = NcnnFormat()
