"""Finds the first value inside an ONNX model that differs from a reference's of the same name.

Both graphs run on ONNX Runtime's CPU provider without its optimisations, which would fuse the
values away. Those to compare are made outputs, a few at a time so that memory stays bounded, and
only what they depend on is run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.documents.arrays import load_arrays
from lama_edge.errors import ModelError, needs_extra
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import is_checkpoint
from lama_edge.runtimes.onnxruntime.library import ort

with needs_extra("export"):
    import onnx

    from lama_edge.exporters.formats.onnx.file import build_onnx
    from lama_edge.exporters.graph.deploy_graph import DEFAULT_OPSET, GraphOptions
    from lama_edge.models.checkpoint import load_checkpoint

# A value differs when it does so by more than this share of the reference's largest one. Graphs
# built from the same checkpoint with the same options agree to the bit, those with another form
# of the DFT to 9.4e-7 (tests/data and lama-tiny, at 136 x 88).
_RELATIVE_THRESHOLD = 1e-5
# Fewer namesakes than this share of the values mean that the graph is no relative of ours.
_LEAST_SHARED = 0.5
_FIRST_BATCH = 8
_BATCH_BYTES = 256 << 20
_ONLY_FATAL = 4

Values = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Graph:
    model: Any
    manifest: Manifest

    def operators(self) -> dict[str, str]:
        """Return the operator that gives each value, in topological order."""
        nodes = self.model.graph.node
        return {name: node.op_type for node in nodes for name in node.output if name}


def first_difference(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Compare a model's values with the reference's, from the inputs on.

    Args:
        payload: ``model``, an ONNX file with a manifest; ``reference``, another one or a
            checkpoint, which is exported as the model's manifest says; ``ignore``, what to leave
            out of that; and ``picture``, a file with a picture and its hole.

    Returns:
        ``first_difference``: None, or the value's name (``tensor``), the operator that gives it
        (``op``), the largest absolute difference (``max_abs_diff``; None where the shapes differ
        or a value is not finite), its index (``position``; empty where the shapes differ), and
        how many values were compared (``checked``). ``reason``: why it is None.

    Raises:
        ModelError: when a graph cannot be read or run.
        CheckpointError: when the reference cannot be used.
    """
    picture, hole = load_arrays(Path(payload["picture"]))
    case = ParityCase(picture, hole)
    model = _read(payload["model"])
    reference = _reference_graph(payload["reference"], model.manifest, payload.get("ignore", ()))
    ours, theirs = model.operators(), reference.operators()
    shared = [name for name in ours if name in theirs]
    if len(shared) < _LEAST_SHARED * len(ours):
        count = f"{len(shared)} of the model's {len(ours)} values"
        return {"first_difference": None, "reason": f"only {count} are named in the reference too"}
    for checked, (name, value, wanted) in enumerate(_pairs(model, reference, shared, case), 1):
        if ours[name] != theirs[name] and value.shape != wanted.shape:
            continue  # the two forms of the DFT lay some of their values out differently
        found = _difference(value, wanted)
        if found is not None:
            first = {"tensor": name, "op": ours[name], **found, "checked": checked}
            return {"first_difference": first, "reason": None}
    reason = f"all {len(shared)} values agree on ONNX Runtime's CPU provider without optimisations"
    return {"first_difference": None, "reason": reason}


def _read(path: str) -> _Graph:
    model = onnx.load(path)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY not in texts:
        raise ModelError(f"{path!r} carries no lama-edge manifest")
    return _Graph(model, Manifest.from_json(texts[METADATA_KEY]))


def _reference_graph(reference: str, manifest: Manifest, ignore: Collection[str]) -> _Graph:
    if not is_checkpoint(reference):
        return _read(reference)
    checkpoint = load_checkpoint(reference, ignore=ignore)
    options = GraphOptions(
        io=manifest.io,
        size=manifest.size,
        dft="op" if manifest.dft == "op" else "matmul",
        opset=int(manifest.format.get("opset", DEFAULT_OPSET)),
        kernels=manifest.kernels,
    )
    return _Graph(build_onnx(checkpoint.config, checkpoint.tensors, options), manifest)


def _pairs(
    model: _Graph, reference: _Graph, names: Sequence[str], case: ParityCase
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Yield each named value of both graphs, computed in batches of bounded size."""
    begun, count = 0, _FIRST_BATCH
    while begun < len(names):
        batch = names[begun : begun + count]
        ours, theirs = (_values_of(graph, batch, case) for graph in (model, reference))
        for name in batch:
            yield name, ours[name], theirs[name]
        begun += count
        largest = max(value.nbytes for value in ours.values())
        count = max(1, min(4 * count, _BATCH_BYTES // max(1, largest)))


def _values_of(graph: _Graph, names: Sequence[str], case: ParityCase) -> Values:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = _ONLY_FATAL
    part = _part(graph.model, names)
    session = ort.InferenceSession(
        part.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    io = graph.manifest.io
    image, mask = to_model(io, case.image, case.hole)
    wanted = {value.name for value in session.get_inputs()}
    feeds = {io.image.name: image, io.mask.name: mask}
    feeds = {name: array for name, array in feeds.items() if name in wanted}
    return dict(zip(names, session.run(list(names), feeds), strict=True))


def _part(model: Any, names: Sequence[str]) -> Any:
    """Return a model of the nodes that some values depend on, with these as its outputs."""
    needed = set(names)
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(_read_by(node))
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(reversed(nodes))
    graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    graph.input.extend(value for value in model.graph.input if value.name in needed)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return onnx.ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        functions=model.functions,
        graph=graph,
    )


def _read_by(node: Any) -> set[str]:
    """Return the values that a node reads, those that its subgraphs take from outside included."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            names.update(*(_read_by(inner) for inner in graph.node))
    return names


def _difference(ours: NDArray[Any], theirs: NDArray[Any]) -> dict[str, Any] | None:
    """Return the largest difference and where it is, or None when there is none to speak of."""
    if ours.shape != theirs.shape:
        return {"max_abs_diff": None, "position": []}
    if ours.size == 0 or not all(array.dtype.kind in "biuf" for array in (ours, theirs)):
        return None
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.array(np.abs(ours - theirs))
    apart[(ours == theirs) | (np.isnan(ours) & np.isnan(theirs))] = 0
    apart[np.isnan(apart)] = np.inf
    largest = float(apart.max())
    scale = float(np.max(np.abs(theirs), where=np.isfinite(theirs), initial=0))
    if largest <= _RELATIVE_THRESHOLD * scale:
        return None
    position = [int(index) for index in np.unravel_index(int(apart.argmax()), apart.shape)]
    return {"max_abs_diff": largest if np.isfinite(largest) else None, "position": position}
