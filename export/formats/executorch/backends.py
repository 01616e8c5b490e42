"""ExecuTorch's backends, as partitioners that choose what each of them computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lama_edge.errors import needs_extra

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch import fx

    from lama_edge.export.torch_module.translation import Translate, Translation


def _xnnpack() -> Any:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return XnnpackPartitioner()


def _coreml() -> Any:
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    # The graph says what is computed in fp16; Core ML is to cast nothing by itself.
    specs = CoreMLBackend.generate_compile_specs(
        minimum_deployment_target=ct.target.iOS16, compute_precision=ct.precision.FLOAT32
    )
    return CoreMLPartitioner(compile_specs=specs)


def _vulkan() -> Any:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner()


_PARTITIONERS: dict[str, Callable[[], Any]] = {
    "xnnpack": _xnnpack,
    "coreml": _coreml,
    "vulkan": _vulkan,
}


def partitioner_of(backend: str) -> Any:
    """Return the partitioner of a backend.

    Raises:
        MissingBackendError: when executorch, or for Core ML coremltools, is not installed.
    """
    with needs_extra("executorch"):
        return _PARTITIONERS[backend]()


def operators_of(backend: str) -> Mapping[str, Translate]:
    """Return the translations that a backend wants in the place of the torch module's own."""
    return {"Conv": _padded_alike} if backend == "coreml" else {}


def _padded_alike(t: Translation, node: ir.Node) -> fx.Node:
    """Pad a convolution on both sides alike, and drop what that adds.

    Core ML's converter makes fp32 of an fp16 map that it pads by itself, and the next convolution
    refuses that.
    """
    import torch

    from lama_edge.export.torch_module.translation import shape_of

    x, weight, *bias = node.inputs
    (strides, dilations) = (list(node.attributes[k].as_ints()) for k in ("strides", "dilations"))
    pads = list(node.attributes["pads"].as_ints())
    biases = t[bias[0]] if bias else None
    convolved = t.call(torch.conv2d, t[x], t[weight], biases, strides, pads[2:], dilations)
    for axis, (before, after) in enumerate(zip(pads[:2], pads[2:], strict=True), start=2):
        if before != after:
            wanted = shape_of(node.outputs[0])[axis]
            convolved = t.call(torch.narrow, convolved, axis, after - before, wanted)
    return convolved
