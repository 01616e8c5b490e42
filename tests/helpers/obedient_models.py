"""Models that do what their mask says: never end, want memory that nobody has, or give no numbers.

They carry the manifest of a real export and take what that takes, so that what opens models opens
them; nothing of them is learned.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from damaged_models import entry_of
from onnx import TensorProto, helper, numpy_helper

from lama_edge.spec import Size

SIDE = 64
# Pixels of the mask's first row that are orders where they are hole.
ORDERS = ("never end", "out of memory", "fail", "no numbers")
_OPSETS = [helper.make_opsetid("", 17)]


def obedient(exported: Callable[..., Path], folder: Path) -> Path:
    """Write a float model of 64 x 64 that gives `1 - image`, unless it is ordered otherwise."""
    constants: dict[str, Any] = {
        "one": np.float32(1),
        "yes": np.bool_(True),
        "endless": np.int64(1 << 60),
        "too_much": np.int64(1 << 44),
        "some": np.array([1], np.int64),
        "first_row": np.array([0], np.int64),
    }
    nodes = [helper.make_node("Sub", ["one", "image"], ["inverted"])]
    for at, order in enumerate(ORDERS):
        name = order.replace(" ", "_")
        constants |= {f"{name}_at": np.array([0, 0, 0, at], np.int64)}
        constants |= {f"{name}_beyond": np.array([1, 1, 1, at + 1], np.int64)}
        nodes += [
            helper.make_node("Slice", ["mask", f"{name}_at", f"{name}_beyond"], [f"{name}_cut"]),
            helper.make_node("Reshape", [f"{name}_cut", "some"], [f"{name}_float"]),
            helper.make_node("Cast", [f"{name}_float"], [name], to=TensorProto.INT64),
        ]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Identity", ["before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    nodes += [
        # As many turns as it is ordered, of nothing.
        helper.make_node("Mul", ["never_end", "endless"], ["turns"]),
        helper.make_node("Loop", ["turns", "yes", "inverted"], ["looped"], body=body),
        # A tensor of one value, or of more than there is memory.
        helper.make_node("Mul", ["out_of_memory", "too_much"], ["much"]),
        helper.make_node("Add", ["much", "some"], ["extent"]),
        helper.make_node("Expand", ["one", "extent"], ["large"]),
        helper.make_node("ReduceMin", ["large"], ["least"], keepdims=0),
        helper.make_node("Mul", ["looped", "least"], ["after_memory"]),
        # A row of the picture, or one that is not there.
        helper.make_node("Mul", ["fail", "endless"], ["row"]),
        helper.make_node("Gather", ["after_memory", "row"], ["picked"], axis=2),
        helper.make_node("ReduceMin", ["picked"], ["from_row"], keepdims=0),
        helper.make_node("Sub", ["from_row", "from_row"], ["nothing"]),
        helper.make_node("Add", ["after_memory", "nothing"], ["after_failing"]),
        # 0, or 0 / 0.
        helper.make_node("Sub", ["one", "no_numbers_float"], ["divisor"]),
        helper.make_node("Div", ["nothing", "divisor"], ["nothing_or_nan"]),
        helper.make_node("Add", ["after_failing", "nothing_or_nan"], ["inpainted"]),
    ]
    whole = onnx.load(exported("fourier", Size(SIDE, SIDE)))
    return _saved(folder / "obedient.onnx", whole, nodes, constants)


def no_numbers(exported: Callable[..., Path], folder: Path) -> Path:
    """Write a float model of 64 x 64 that gives NaN everywhere."""
    nodes = [
        helper.make_node("Sub", ["image", "two"], ["negative"]),
        helper.make_node("Sqrt", ["negative"], ["inpainted"]),
    ]
    whole = onnx.load(exported("fourier", Size(SIDE, SIDE)))
    return _saved(folder / "no-numbers.onnx", whole, nodes, {"two": np.float32(2)})


def largest_sums(exported: Callable[..., Path], folder: Path, *, shared: bool = False) -> Path:
    """Write a uint8 model of 64 x 64 that gives 200 where the picture is white, if its int8 sums
    are exact: pairs of products that are added in 16 bits saturate, and give half of that.

    Args:
        exported: the fixture.
        folder: where to.
        shared: whether two operations share weights, so that ONNX Runtime refuses exact sums.
    """
    channels = 9
    constants: dict[str, Any] = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "weight": np.full((3, channels, 1, 1), 127, np.int8),
        "weight_zero": np.int8(0),
        "scale": np.float32(channels * 255 * 127 / 200),
    }
    inputs = ["nine", "one", "zero", "weight", "one", "weight_zero", "scale", "zero"]
    nodes = [
        helper.make_node("Transpose", ["image"], ["planar"], perm=[0, 3, 1, 2]),
        helper.make_node("Concat", ["planar"] * 3, ["nine"], axis=1),
        helper.make_node("QLinearConv", inputs, ["sums"], kernel_shape=[1, 1]),
    ]
    if shared:
        again = helper.make_node("Concat", ["sums"] * 3, ["again"], axis=1)
        nodes += [again, helper.make_node("QLinearConv", ["again", *inputs[1:]], ["twice"])]
    last = "twice" if shared else "sums"
    nodes += [helper.make_node("Transpose", [last], ["inpainted"], perm=[0, 2, 3, 1])]
    whole = onnx.load(exported("fourier", Size(SIDE, SIDE), io="uint8"))
    name = "shared-weights.onnx" if shared else "largest-sums.onnx"
    return _saved(folder / name, whole, nodes, constants)


def large_batch(exported: Callable[..., Path], folder: Path) -> Path:
    """Write a float model whose every run takes 256 pictures of 1024 x 1024: 3 GiB."""
    whole = onnx.load(exported("fourier", Size(SIDE, SIDE)))
    entry = entry_of(whole)
    manifest = json.loads(entry.value)
    manifest["io"]["batch"] = 256
    manifest["size"]["fixed"] = [1024, 1024]
    entry.value = json.dumps(manifest)
    for value in (*whole.graph.input, *whole.graph.output):
        batch, _, *sides = value.type.tensor_type.shape.dim
        batch.dim_value = 256
        for side in sides:
            side.dim_value = 1024
    nodes = [helper.make_node("Identity", ["image"], ["inpainted"])]
    return _saved(folder / "large-batch.onnx", whole, nodes, {})


def optional_input(exported: Callable[..., Path], folder: Path) -> Path:
    """Write a float model with an input more, of a kind that ONNX Runtime's Java side lacks."""
    whole = onnx.load(exported("fourier", Size(SIDE, SIDE)))
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    extra = helper.make_value_info("extra", helper.make_optional_type_proto(tensor))
    whole.graph.input.append(extra)
    nodes = [helper.make_node("Identity", ["image"], ["inpainted"])]
    return _saved(folder / "optional-input.onnx", whole, nodes, {})


def _saved(
    path: Path, whole: onnx.ModelProto, nodes: list[onnx.NodeProto], constants: dict[str, Any]
) -> Path:
    tensors = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    ]
    graph = helper.make_graph(nodes, "obedient", whole.graph.input, whole.graph.output, tensors)
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=8)
    model.metadata_props.extend(whole.metadata_props)
    onnx.save(model, path)
    return path
