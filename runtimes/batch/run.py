"""Inpainting folders of pictures by several workers."""

from __future__ import annotations

from collections.abc import Callable

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
    raise NotImplementedError
