"""Models that are damaged, or lie of themselves: each with a name, made from one whole file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from mutations import damaged
from places import DATA

from lama_edge.manifest import METADATA_KEY

FLOAT, UINT8, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT64
Change = Callable[[onnx.ModelProto], None]


def truncated(whole: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield a file cut at so many places, its head and its end among them."""
    places = {int(place) for place in np.geomspace(1, len(whole) - 1, count)}
    for place in sorted({0, *places, *(len(whole) - place for place in places)}):
        yield f"cut at {place} of {len(whole)}", whole[:place]


def by_chance(whole: bytes, first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield a file damaged by seeded chance, on its surface or in its graph and manifest."""
    for seed in range(first, first + count):
        yield f"seed {seed}", damaged("model.onnx", whole, np.random.default_rng([23, seed]))


def with_manifests_of_the_vectors(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a file with each of the manifests that native wrappers are held to."""
    cases = json.loads((DATA / "vectors" / "manifests.json").read_text())["manifests"]
    for index, case in enumerate(cases):
        yield f"vector {index}", _with_text(whole, case["json"])


def with_damaged_manifests(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield a file with manifests that are no text, too long, of wrong types or absent."""
    text = manifest_of(whole)
    texts = {
        "empty": "",
        "blanks": "  ",
        "17 MiB": text + " " * (17 << 20),
        "a byte order mark": "\ufeff" + text,
        "twice": text + text,
        "nested": text.replace('"dft"', '"x":' + "[" * 900 + "]" * 900 + ',"dft"', 1),
        "nested in another value": text[:-1] + ',"x":' + '{"a":' * 40 + "1" + "}" * 41,
        "a name twice": '{"schema_version":2,' + text[1:],
        "control characters": text.replace("onnx", "on\nnx"),
    }
    for name, changed in texts.items():
        yield f"manifest {name}", _with_text(whole, changed)
    for name, (path, value) in _VALUES.items():
        yield f"manifest {name}", _with_value(whole, path, value)
    yield "no manifest", _changed(whole, lambda model: model.ClearField("metadata_props"))
    entries = onnx.load_from_string(whole).metadata_props
    other = next(entry.value for entry in entries if entry.key != METADATA_KEY)
    for name, text in (("manifest", '"precision"'), ("another text", other)):
        at = whole.rindex(text.encode())
        yield f"{name} of no UTF-8", whole[:at] + b"\xff" + whole[at + 1 :]


def contradicting(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files whose graph is another than their manifest says."""
    for name, change in _CHANGES.items():
        yield name, _changed(whole, change)


def with_external_data(whole: bytes, folder: Path, place: str | None) -> bytes:
    """Return a file whose largest weights lie in another one, which is there if `place` is."""
    model = onnx.load_from_string(whole)
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    if place == "weights.bin":
        (folder / place).write_bytes(tensor.raw_data)
    entries = {"location": place or "missing.bin", "offset": 0, "length": len(tensor.raw_data)}
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return bytes(model.SerializeToString())


def manifest_of(whole: bytes) -> str:
    """Return the manifest's text."""
    return str(entry_of(onnx.load_from_string(whole)).value)


def entry_of(model: onnx.ModelProto) -> onnx.StringStringEntryProto:
    """Return where a model carries its manifest."""
    entry: onnx.StringStringEntryProto
    (entry,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
    return entry


def _changed(whole: bytes, change: Change) -> bytes:
    model = onnx.load_from_string(whole)
    change(model)
    return bytes(model.SerializeToString())


def _with_text(whole: bytes, text: str) -> bytes:
    return _changed(whole, lambda model: setattr(entry_of(model), "value", text))


def _with_value(whole: bytes, path: str, value: Any) -> bytes:
    data = json.loads(manifest_of(whole))
    *folders, last = path.split(".")
    place = data
    for folder in folders:
        place = place[folder]
    place[last] = value
    return _with_text(whole, json.dumps(data))


# Each with the manifest's place and what stands there.
_VALUES: dict[str, tuple[str, Any]] = {
    "of a whole number with a point": ("size.min_size", 16.0),
    "of a size that is true": ("size.multiple", True),
    "of another multiple": ("size.multiple", 7),
    "of another smallest size": ("size.min_size", 8),
    "of a fixed size": ("size.fixed", [64, 64]),
    "of a fixed size that is odd": ("size.fixed", [63, 64]),
    "of three sides": ("size.fixed", [64, 64, 64]),
    "of a batch": ("io.batch", 3),
    "of no batch": ("io.batch", None),
    "of another form": ("io.form", "uint8"),
    "of a form that is a list": ("io.form", ["float"]),
    "without composite": ("io.composite", False),
    "of an engine": ("engine", {"profiles": [[1, 2, 3]]}),
    "of an engine of no kind": ("engine", 7),
    "of another precision": ("precision", "int8"),
    "of a precision that is none": ("precision", None),
    "of features beyond reason": ("source.architecture.ngf", 1 << 40),
    "of features below none": ("source.architecture.ngf", -1),
    "of an entry that is a number": ("source.entry", 3),
    "of what was ignored as a number": ("source.ignored", 3),
    "of a graph's hash that is a list": ("graph_sha256", [1]),
    "of bands": ("format.kernels", "bands"),
}


def _rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "picture"
    for node in model.graph.node:
        node.input[:] = ["picture" if name == "image" else name for name in node.input]


def _swap_names(model: onnx.ModelProto) -> None:
    names = {"image": "mask", "mask": "image"}
    for value in model.graph.input:
        value.name = names[value.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def _rename_output(model: onnx.ModelProto) -> None:
    last = model.graph.output[0].name
    model.graph.output[0].name = "result"
    model.graph.node.add(op_type="Identity", input=[last], output=["result"])


def _type_of(model: onnx.ModelProto, index: int) -> onnx.TypeProto.Tensor:
    found: onnx.TypeProto.Tensor = model.graph.input[index].type.tensor_type
    return found


def _set_dtype(kind: int) -> Change:
    return lambda model: setattr(_type_of(model, 0), "elem_type", kind)


def _set_extent(axis: int, extent: int) -> Change:
    return lambda model: setattr(_type_of(model, 0).shape.dim[axis], "dim_value", extent)


def _set_rank(model: onnx.ModelProto) -> None:
    del _type_of(model, 0).shape.dim[3]


def _no_shape(model: onnx.ModelProto) -> None:
    for index in (0, 1):
        _type_of(model, index).ClearField("shape")


def _more_input(model: onnx.ModelProto) -> None:
    model.graph.input.add().CopyFrom(onnx.helper.make_tensor_value_info("more", FLOAT, [1]))


def _more_output(model: onnx.ModelProto) -> None:
    model.graph.output.add().CopyFrom(onnx.helper.make_tensor_value_info("more", FLOAT, [1]))
    model.graph.node.add(op_type="ReduceMax", input=["image"], output=["more"]).attribute.add(
        name="keepdims", type=onnx.AttributeProto.INT, i=0
    )


def _end_with(op_type: str, *inputs: tuple[str, onnx.TensorProto]) -> Change:
    """Put an operation between what the graph computes and its output."""

    def change(model: onnx.ModelProto) -> None:
        given = model.graph.output[0].name
        for node in model.graph.node:
            node.output[:] = ["before" if name == given else name for name in node.output]
        for name, tensor in inputs:
            tensor.name = name
            model.graph.initializer.add().CopyFrom(tensor)
        names = ["before", *(name for name, _ in inputs)]
        model.graph.node.add(op_type=op_type, input=names, output=[given])
        model.graph.output[0].type.tensor_type.ClearField("shape")

    return change


def _ints(*values: int) -> onnx.TensorProto:
    return onnx.helper.make_tensor("", INT64, [len(values)], values)


def _number(value: float) -> onnx.TensorProto:
    return onnx.helper.make_tensor("", FLOAT, [], [value])


_LONG = 1 << 20
_CHANGES: dict[str, Change] = {
    "another name of an input": _rename_input,
    "inputs' names exchanged": _swap_names,
    "another name of the output": _rename_output,
    "an input of uint8": _set_dtype(UINT8),
    "an input of no type": _set_dtype(0),
    "an input of a type unknown": _set_dtype(99),
    "four channels": _set_extent(1, 4),
    "channels last": _set_extent(3, 3),
    "an extent of 0": _set_extent(2, 0),
    "an extent below 0": _set_extent(2, -5),
    "an extent beyond reason": _set_extent(2, 1 << 62),
    "an input of three axes": _set_rank,
    "inputs without shapes": _no_shape,
    "one input more": _more_input,
    "one output more": _more_output,
    "an output of another shape": _end_with("Flatten"),
    "an output that is too small": _end_with(
        "Slice", ("starts", _ints(0)), ("ends", _ints(8)), ("axes", _ints(2))
    ),
    "an output of nothing": _end_with(
        "Slice", ("starts", _ints(9)), ("ends", _ints(9)), ("axes", _ints(2))
    ),
    "an output that is not finite": _end_with("Mul", ("factor", _number(float("nan")))),
    "an output without bounds": _end_with("Mul", ("factor", _number(-1e30))),
    "no graph": lambda model: model.ClearField("graph"),
    "no nodes": lambda model: model.graph.ClearField("node"),
    "an opset of the future": lambda model: setattr(model.opset_import[0], "version", 999),
    "a name that a log line has": lambda model: setattr(
        model.graph.node[0], "name", f"\n All nodes placed on [{'x' * _LONG}]. Number of nodes: 9"
    ),
    "a name with what terminals obey": lambda model: setattr(
        model.graph.node[0], "op_type", "Nothing\x1b[2J\x9b\u2028" + "y" * 5000
    ),
}
