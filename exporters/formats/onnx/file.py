"""ONNX files: the deploy graph checked in full and written with its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.layers import Array
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.models.config import GeneratorConfig
from lama_edge.process import temporary_room
from lama_edge.wire import graph_sha256

with needs_extra("export"):
    import onnx
    import onnx_ir as ir
    from onnx_ir.passes.common import ShapeInferencePass


def build_onnx(
    config: GeneratorConfig, tensors: Mapping[str, Array], options: GraphOptions
) -> onnx.ModelProto:
    """Build the deploy graph, see `build_deploy_graph`, and `finish` it."""
    return finish(build_deploy_graph(config, tensors, options))


def finish(model: ir.Model) -> onnx.ModelProto:
    """Infer a graph's shapes, as far as they are known, check it in full and return its message."""
    ShapeInferencePass(strict_mode=True, data_prop=True)(model)
    proto: onnx.ModelProto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def unshare_left_operands(model: ir.Model) -> None:
    """Give every product with a shared constant on its left that constant under its own name.

    OpenCV 4 makes a layer of such a constant, and cannot make the same one twice (its importer:
    ``Layer "dft.row" already into net``). Other runtimes fold the identities away; nothing is
    copied in the file.
    """
    for node in list(model.graph):
        left = node.inputs[0] if node.op_type == "MatMul" else None
        if left is None or not left.is_initializer() or len(left.uses()) < 2:
            continue
        own = ir.node("Identity", [left], name=f"{node.name}.left")
        own.outputs[0].name = f"{node.name}.left"
        model.graph.insert_before(node, own)
        node.replace_input_with(0, own.outputs[0])


def write_onnx(model: onnx.ModelProto, manifest: Manifest, path: Path) -> Manifest:
    """Write the model with its manifest; the same input gives the same bytes.

    Returns:
        The manifest as written, with the digest of the graph.
    """
    others = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    digest = graph_sha256(model.SerializeToString(deterministic=True))
    manifest = replace(manifest, graph_sha256=digest)
    model.metadata_props.add(key=METADATA_KEY, value=manifest.to_json())
    path.write_bytes(model.SerializeToString(deterministic=True))
    return manifest


def write_source(model: ir.Model, manifest: Manifest, path: Path) -> None:
    """Finish a graph and write it to a temporary folder, for other tools to read.

    Raises:
        LamaEdgeError: when the folder takes no more.
    """
    proto = finish(model)
    with temporary_room():
        write_onnx(proto, manifest, path)


def stamp_onnx(manifest: Manifest, path: Path) -> None:
    """Put a manifest into a file in place of the one there."""
    write_onnx(onnx.load(path), manifest, path)
