"""ExecuTorch's backends, as partitioners that choose what each of them computes."""

from __future__ import annotations

from typing import Any

from lama_edge.errors import needs_extra


def partitioner_of(backend: str) -> Any:
    """Return the partitioner of a backend.

    Raises:
        MissingBackendError: when executorch is not installed.
    """
    with needs_extra("executorch"):
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return XnnpackPartitioner()
