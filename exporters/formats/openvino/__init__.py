"""OpenVINO's intermediate representation, for Intel's processors, graphics and NPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lama_edge.errors import parameter
from lama_edge.exporters.formats.record import (
    ANY_SIZE,
    Drawn,
    Export,
    Format,
    Judge,
    Part,
    Within,
    versions_of,
)
from lama_edge.manifest import Manifest
from lama_edge.spec import TENSOR_IO_FORMS, Precision

if TYPE_CHECKING:
    from lama_edge.exporters.precision.build import PreciseGraph

# The graph that the model is made of, in a job's scratch folder, and that of w8 in fp16.
_SOURCE, _HALF = "source.onnx", "half.onnx"


class OpenvinoFormat(Format):
    """See `Format`. OpenVINO's own reader makes the model of the deploy graph."""

    name = "openvino"
    title = "an OpenVINO model"
    about = "for Intel's processors, graphics and NPUs"
    suffix = ".xml"
    extra = "export,openvino"
    kind = "split"
    io_forms = TENSOR_IO_FORMS
    batch = 1  # which is what devices plan best
    precisions = ("fp32", "fp16", "w8", "int8")
    precision = "fp32"
    precision_help = (
        "fp16 rescaled so that nothing overflows, for graphics and NPUs; w8 the same with "
        "weights in int8, computed in floats; int8 weights and activations, for processors"
    )
    sizes = ANY_SIZE
    size_help = (
        "dynamic, which is any size, or one, which NPUs want: 512 or 512x768 (height x width) "
        "(default: dynamic)"
    )
    timing_provider = "cpu"
    timing_notes: ClassVar[Mapping[str, str]] = {
        "fp16": "processors without fp16 compute it in float32, so this time says nothing of "
        "graphics and NPUs, which compute in fp16"
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

    def arithmetic(self, precision: str) -> Precision:
        """See `Format.arithmetic`: w8 is computed in fp16 where graphics and NPUs do."""
        return "fp16" if precision == "w8" else super().arithmetic(precision)

    def builder(self) -> Callable[..., PreciseGraph]:
        """See `Format.builder`."""
        from lama_edge.exporters.formats.openvino.graphs import source_graph

        return source_graph

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "numpy", "onnx", "onnx-ir", "openvino")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`: the graph as an ONNX file, and the model of that."""
        import onnx_ir as ir

        from lama_edge.exporters.formats.onnx.file import write_source
        from lama_edge.exporters.formats.openvino.ir import write_ir
        from lama_edge.exporters.precision.half import to_half

        (one,) = drawn
        assert one.graph is not None
        source = scratch / _SOURCE
        if one.manifest.precision == "w8":
            half = ir.from_proto(ir.to_proto(one.graph))
            to_half(half)
            write_source(half, one.manifest, scratch / _HALF)
        write_source(one.graph, one.manifest, source)
        return [write_ir(source, one.manifest, target)]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.exporters.formats.openvino.ir import stamp_ir

        stamp_ir(manifests[0], target)

    def judges(self, job: Export, part: Part, target: Path, scratch: Path) -> tuple[Judge, ...]:
        """See `Format.judges`.

        fp16 and w8 by what rounds every result too, since processors compute them wide.
        """
        half = scratch / (_HALF if job.precision == "w8" else _SOURCE)
        return self.judges_of_rounded(job, half, target)


OPENVINO = OpenvinoFormat()
