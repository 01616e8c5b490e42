"""A LiteRT file of a deploy graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lama_edge.errors import needs_extra
from lama_edge.exporters.formats.litert import graph_form, operators
from lama_edge.exporters.formats.litert.flatbuffer import GraphWriter
from lama_edge.exporters.formats.litert.translation import translate
from lama_edge.exporters.formats.onnx import file
from lama_edge.exporters.precision.half import to_half
from lama_edge.manifest import Manifest

with needs_extra("export"):
    import onnx_ir as ir

_REGISTERED = operators


def write_model(model: ir.Model, manifest: Manifest, path: Path) -> None:
    """Write a file with its manifest.

    Args:
        model: a deploy graph of one size.
        manifest: what the file says of itself.
        path: the file.

    Raises:
        ModelError: when the graph has an operator that has no translation.
    """
    writer = GraphWriter()
    inputs, outputs = translate(model.graph, writer)
    size = manifest.size.fixed
    description = f"LaMa inpainting, {manifest.precision}, {size} (height x width), by lama-edge"
    writer.write(path, inputs, outputs, description=description, manifest=manifest.to_json())


def write_source(model: ir.Model, manifest: Manifest, path: Path) -> None:
    """Write the graph that a file was made from as an ONNX file of its own, to be judged in fp16.

    Args:
        model: the graph; of one that is not in fp16 already, its generator is turned into it.
        manifest: the file's.
        path: where to write.
    """
    if manifest.precision != "fp16":
        to_half(model)
    about: dict[str, str | int] = {"name": "onnx", "opset": model.graph.opset_imports[""]}
    described = replace(manifest, format=about, io=graph_form(manifest.io))
    file.write_source(model, described, path)
