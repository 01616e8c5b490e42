"""Inpainting folders of pictures by several workers."""

from __future__ import annotations

from collections.abc import Callable

from lama_edge.errors import needs_extra
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.progress import Progress, Summary


def inpaint_many(
    job: InpaintMany, progress: Callable[[Progress], None] = lambda progress: None
) -> Summary:
    """Inpaint every picture of a folder by several workers, going on past those that cannot be.

    Args:
        job: what to do.
        progress: called about once a second, in the caller's thread.

    Raises:
        LamaEdgeError: when the run cannot begin, or go on.
    """
    with needs_extra("cluster"):
        import distributed  # noqa: F401
        import fsspec  # noqa: F401
        import pyarrow  # noqa: F401
    raise NotImplementedError
