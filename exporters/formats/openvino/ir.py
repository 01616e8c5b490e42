"""Models of OpenVINO, made by its own ONNX reader, and the manifests in them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lama_edge.containers.openvino import WEIGHTS_SHA256, graph_sha256, load_openvino, read_ir
from lama_edge.errors import ModelError, one_line
from lama_edge.files import sha256_of, weights_beside
from lama_edge.manifest import METADATA_KEY, Manifest

# What OpenVINO's reader keeps of an ONNX file's metadata.
_FROM_ONNX = "framework"
# The run-time information by which OpenVINO's `ConstantFolding` leaves a node as it is
# (`ov::pass::disable_constant_folding` in its sources).
_NOT_FOLDED = "DisableConstantFolding_0"
# The one by which devices that compute in fp16 leave float32 as it is
# (`ov::DisablePrecisionConversion`, which files call "precise").
_NOT_HALVED = {"name": "precise", "version": "0"}
# What OpenVINO calls nodes without names; those of the deploy graph begin in lower case.
_NUMBERED = re.compile(r"[A-Z][A-Za-z0-9]*_[0-9]+")


def write_ir(source: Path, manifest: Manifest, target: Path) -> Manifest:
    """Write the model of an ONNX file; the same file gives the same bytes.

    Args:
        source: the ONNX file.
        manifest: the model's.
        target: the ``.xml`` file; the ``.bin`` file comes to stand beside it.

    Returns:
        The manifest as written, with the digests of the graph and of the ``.bin`` file.

    Raises:
        ModelError: when OpenVINO's reader refuses the graph, or what it makes cannot be written.
        MissingBackendError: when OpenVINO is not installed.
    """
    openvino = load_openvino()
    from openvino.passes import ConstantFolding, Manager

    try:
        model = openvino.Core().read_model(source)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO's reader refuses the graph: {one_line(error)}") from error
    _keep_integers(model)
    # The reader writes down how shapes of biases and paddings come about, which are constant.
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    _name_the_nameless(model)
    # Not `save_model`, which would make float32 constants fp16 without being asked.
    weights = weights_beside(target)
    try:
        openvino.serialize(model, target, weights)
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot write {target.name!r} or {weights.name!r} ({one_line(error)}): "
            "see whether there is room for them, or name another output"
        ) from error
    if manifest.precision == "fp16":
        _keep_wide(target)
    manifest = replace(
        manifest,
        format={**manifest.format, WEIGHTS_SHA256: sha256_of(weights)},
        graph_sha256=graph_sha256(read_ir(target)),
    )
    stamp_ir(manifest, target)
    return manifest


def stamp_ir(manifest: Manifest, target: Path) -> None:
    """Put a manifest into an ``.xml`` file in place of the one there."""
    root = read_ir(target)
    about = root.find("rt_info")
    if about is None:
        about = ElementTree.SubElement(root, "rt_info")
    for name in (_FROM_ONNX, METADATA_KEY):
        for old in about.findall(name):
            about.remove(old)
    about.append(ElementTree.Element(METADATA_KEY, value=manifest.to_json()))
    _write(root, target)


def _keep_integers(model: Any) -> None:
    """Keep weights of eight bits from being folded into float32, by OpenVINO's own mark."""
    for node in model.get_ops():
        if node.get_type_name() == "Convert":
            read = node.input_value(0)
            if read.get_node().get_type_name() == "Constant" and read.get_element_type().size == 1:
                node.get_rt_info()[_NOT_FOLDED] = ""


def _keep_wide(target: Path) -> None:
    """Mark what is float32 among halves: the composite, and the angles of a DFT of any size.

    Where devices compute in fp16 they would halve those too: known pixels changed by 2.4e-4 on a
    processor, and fills at 512 x 512 came to 60 dB in the place of 70.
    """
    root = read_ir(target)
    for layer in root.iterfind("layers/layer"):
        if any(port.get("precision") == "FP32" for port in layer.iterfind("*/port")):
            about = layer.find("rt_info")
            if about is None:
                about = ElementTree.SubElement(layer, "rt_info")
            ElementTree.SubElement(about, "attribute", _NOT_HALVED)
    _write(root, target)


def _write(root: ElementTree.Element, target: Path) -> None:
    ElementTree.ElementTree(root).write(target, encoding="utf-8", xml_declaration=True)


def _name_the_nameless(model: Any) -> None:
    """Name what the reader added by who reads it: OpenVINO numbers it through a process's life."""
    for node in reversed(model.get_ordered_ops()):
        for place, value in enumerate(node.input_values()):
            read = value.get_node()
            if _NUMBERED.fullmatch(read.get_friendly_name()):
                read.set_friendly_name(f"{node.get_friendly_name()}/{place}")
