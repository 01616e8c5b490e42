"""ONNX files: the deploy graph as it is, with its manifest in the metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.record import (
    ANY_SIZE,
    ONE_SIZE,
    Drawn,
    Export,
    Format,
    Option,
    Part,
    Retired,
    Within,
    versions_of,
)
from lama_edge.manifest import Manifest
from lama_edge.spec import FREE, PRECISIONS, TENSOR_IO_FORMS, IoSpec, parse_batch

if TYPE_CHECKING:
    from lama_edge.exporters.graph.deploy_graph import Dft, GraphOptions
    from lama_edge.models.config import GeneratorConfig


class OnnxFormat(Format):
    """See `Format`."""

    name = "onnx"
    title = "an ONNX file"
    about = "for ONNX Runtime and everything that reads ONNX"
    suffix = ".onnx"
    extra = "export,onnx"
    io_forms = TENSOR_IO_FORMS
    precisions = PRECISIONS
    precision = "fp32"
    precision_help = (
        "fp16 rescaled so that nothing overflows, w8 int8 weights, int8 weights and activations"
    )
    sizes = ANY_SIZE
    size_help = (
        "512, 512x768 (height x width) or dynamic, which is any size (default: dynamic, for web "
        "512)"
    )
    timing_provider = "cpu"
    timing_options: ClassVar[Mapping[str, str]] = {"for": "cpu"}
    timing_notes: ClassVar[Mapping[str, str]] = {
        "fp16": "ONNX Runtime's CPU provider has no fp16 kernels for these graphs: it converts and "
        "computes in float32, so this time says nothing of a device that has them"
    }
    options = (
        Option(
            "for",
            "what the file is for: any, which every runtime takes; cpu, the fastest "
            "form in ONNX Runtime on processors, in which wide fp32 Fourier generators run in "
            "loops; gpu, with a free batch, for CUDA, TensorRT and DirectML; web, of one size, for "
            "browsers: all of it runs on WebGPU, fp16 where it has shader-f16 (default: any)",
            default="any",
            choices=("any", "cpu", "gpu", "web"),
        ),
        Option(
            "batch",
            "pictures in a run: a number or dynamic (default: 1 for one size, dynamic for any size "
            "and for gpu)",
            metavar="N|dynamic",
        ),
        Option(
            "dft",
            "Fourier transform as matrix products (auto) or as ONNX's DFT operator (default: auto)",
            default="auto",
            choices=("auto", "matmul", "op"),
        ),
        Option("opset", "ONNX opset (default: 17)", default=17, parse=int, metavar="N"),
    )
    # `kernels` forces a form of the graph, whatever pays: studies and tests do.
    retired = (
        Retired(
            "--convolutions",
            "--for any (for direct) or --for cpu",
            {
                "auto": {"for": "cpu"},
                "direct": {"kernels": "direct"},
                "winograd": {"for": "cpu", "kernels": "bands"},
            },
        ),
    )

    def default_sizes(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """See `Format.default_sizes`: on WebGPU a file of any size does not run whole."""
        return ONE_SIZE if options["for"] == "web" else self.sizes

    def advice(self) -> dict[str, str]:
        """See `Format.advice`."""
        return {
            **super().advice(),
            "w8": f"use {parameter('precision', 'fp16', 'fp32')}",
            "int8": f"try {parameter('calibrate')} with a folder of pictures like yours, or "
            f"{parameter('precision', 'w8', 'fp16', 'fp32')}",
        }

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if job.options.get("kernels") == "bands" and job.precision != "fp32":
            raise UsageError(
                f"bands are for fp32: the form would cost {job.precision} digits; leave one of "
                "the two out"
            )
        if job.options["for"] == "web":
            _check_web(job)

    def contract(self, job: Export) -> IoSpec:
        """See `Format.contract`.

        A free batch makes converters guess, and phones' accelerators refuse.
        """
        batch = job.options["batch"]
        if batch is None:
            batch = FREE if job.options["for"] == "gpu" or None in job.sizes else "1"
        return replace(super().contract(job), batch=parse_batch(str(batch)))

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """See `Format.graph_options`."""
        return replace(
            super().graph_options(job, config, part),
            dft=_dft(job),
            opset=job.options["opset"],
            kernels="bands" if self._in_bands(job, config) else "direct",
            webgpu=job.options["for"] == "web",
        )

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """See `Format.described`."""
        about: dict[str, str | int] = {
            "name": self.name,
            "opset": job.options["opset"],
            "for": job.options["for"],
        }
        return {**about, "kernels": "bands"} if self._in_bands(job, config) else about

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of(self.extra, "numpy", "onnx", "onnx-ir")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.exporters.formats.onnx.file import finish, unshare_left_operands, write_onnx

        (one,) = drawn
        assert one.graph is not None
        if job.options["for"] == "any":
            unshare_left_operands(one.graph)
        return [write_onnx(finish(one.graph), one.manifest, target)]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.exporters.formats.onnx.file import stamp_onnx

        stamp_onnx(manifests[0], target)

    def judging_provider(self, precision: str) -> str:
        """See `Format.judging_provider`.

        ONNX Runtime's CPU kernels compute fp16 graphs wide and prove nothing about fp16.
        """
        return "emulated" if precision == "fp16" else "cpu"

    def _in_bands(self, job: Export, config: GeneratorConfig) -> bool:
        """Tell whether the graph runs in bands.

        Raises:
            UsageError: when that is asked for and the generator cannot.
        """
        from lama_edge.exporters.graph.deploy_graph import gains_by_bands, has_bands

        possible = has_bands(config, _dft(job))
        wanted = job.options.get("kernels")
        if wanted == "bands" and not possible:
            what = "the DFT as an operator" if config.has_fourier_units else f"a {config.kind}"
            raise UsageError(
                "bands are for generators with Fourier units and the DFT as matrix products, and "
                f"this is {what}: leave it out"
            )
        if wanted is not None:
            return bool(wanted == "bands")
        fits = job.options["for"] == "cpu" and job.precision == "fp32"
        return fits and possible and gains_by_bands(config)


def _check_web(job: Export) -> None:
    """Refuse what ONNX Runtime Web cannot run, or not right, on WebGPU."""
    if None in job.sizes:
        raise UsageError(
            f"{parameter('for', 'web')} wants one size, since shapes that a graph computes are "
            f"left to the processor: add {parameter('size', 512)}, or leave {parameter('for')} out "
            "for a file of any size"
        )
    if job.precision == "int8":
        raise UsageError(
            f"{parameter('for', 'web')} with {parameter('precision', 'int8')}: ONNX Runtime Web "
            f"computes int8 wrong on WebGPU; use {parameter('precision', 'w8')} for a small file, "
            f"or {parameter('for', 'any')} for WebAssembly alone"
        )
    if _dft(job) == "op":
        raise UsageError(
            f"{parameter('for', 'web')} with {parameter('dft', 'op')}: on WebGPU the operator is "
            f"slower than matrix products and loses digits; leave {parameter('dft')} out"
        )
    if str(job.options["batch"] or 1) != "1":
        raise UsageError(
            f"{parameter('for', 'web')} with {parameter('batch', job.options['batch'])}: pages run "
            f"one picture at a time; leave {parameter('batch')} out"
        )


def _dft(job: Export) -> Dft:
    return "op" if job.options["dft"] == "op" else "matmul"


ONNX = OnnxFormat()
