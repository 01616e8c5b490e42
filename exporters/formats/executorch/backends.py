"""ExecuTorch's backends, as partitioners that choose what each of them computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lama_edge.errors import needs_extra


def _xnnpack() -> Any:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return XnnpackPartitioner()


def _coreml() -> Any:
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    # By itself it would compute in fp16, known pixels and all.
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
        MissingBackendError: when executorch is not installed.
    """
    with needs_extra("executorch"):
        return _PARTITIONERS[backend]()
