"""LiteRT files for phones, emitted from the deploy graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lama_edge.errors import UsageError
from lama_edge.export.formats.record import Drawn, Export, Format, Part, Within, versions_of
from lama_edge.manifest import Manifest
from lama_edge.spec import TENSOR_IO_FORMS, IoSpec, io_spec

if TYPE_CHECKING:
    from lama_edge.export.graph.deploy_graph import GraphOptions
    from lama_edge.models.config import GeneratorConfig


class LitertFormat(Format):
    """See `Format`. Nothing is converted: the file is written from the deploy graph."""

    name = "litert"
    title = "a LiteRT file"
    about = "for Android's and other devices' LiteRT"
    suffix = ".tflite"
    extra = "litert"
    io_forms = TENSOR_IO_FORMS
    precisions = ("fp32",)
    precision = "fp32"
    precision_help = "fp32"
    sizes = ("512",)
    size_help = "512 (the default) or 512x768 (height x width)"
    advice: ClassVar[Mapping[str, str]] = {}

    def check(self, job: Export) -> None:
        """See `Format.check`."""
        if None in job.sizes:
            raise UsageError(
                "--size dynamic is no size of a LiteRT file, whose delegates plan ahead for one: "
                "give 512 or 512x768 (height x width), and export one file a size"
            )

    def contract(self, job: Export) -> IoSpec:
        """See `Format.contract`: the float form has the channels last too."""
        assert job.io is not None
        return io_spec(job.io, composite=job.composite, batch=1, channels_last=True)

    def graph_options(self, job: Export, config: GeneratorConfig, part: Part) -> GraphOptions:
        """See `Format.graph_options`; in the graph floats have their channels first."""
        assert job.io is not None
        planar = io_spec(job.io, composite=job.composite, batch=1)
        return replace(super().graph_options(job, config, part), io=planar, last_axis=True)

    def described(self, job: Export, config: GeneratorConfig) -> dict[str, str | int]:
        """See `Format.described`."""
        return {"name": self.name}

    def tools(self) -> dict[str, str]:
        """See `Format.tools`."""
        return versions_of("litert", "ai-edge-litert", "flatbuffers", "numpy", "onnx-ir")

    def write(
        self, job: Export, drawn: Iterator[Drawn], target: Path, scratch: Path, within: Within
    ) -> list[Manifest]:
        """See `Format.write`."""
        from lama_edge.export.formats.litert.model import write_model

        (one,) = drawn
        assert one.graph is not None
        write_model(one.graph, one.manifest, target)
        return [one.manifest]

    def stamp(self, manifests: list[Manifest], target: Path) -> None:
        """See `Format.stamp`."""
        from lama_edge.export.formats.litert.flatbuffer import replace_manifest

        (manifest,) = manifests
        replace_manifest(target, manifest.to_json())


LITERT = LitertFormat()
