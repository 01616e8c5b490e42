"""Shares work of NumPy's single-threaded loops among threads; its matrix products have their own.

NumPy gives up the interpreter's lock inside its loops, so threads do run at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lama_edge.errors import needs_extra

# Less than this many elements a thread is not worth waking one.
_LEAST = 1 << 16

_count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_pool: ThreadPoolExecutor | None = None


def set_threads(count: int) -> None:
    """Say how many threads work on one operation, in this whole process from here on.

    Raises:
        MissingBackendError: when the ``export`` extra is not installed.
    """
    global _count, _pool
    with needs_extra("export"):
        from threadpoolctl import threadpool_limits
    threadpool_limits(count, user_api="blas")
    _count, _pool = count, None


def shared(work: Callable[[slice], object], length: int, elements: int) -> None:
    """Do work on a range in equal shares, each in a thread of its own.

    Args:
        work: given a share, as a slice of the range.
        length: the range's.
        elements: how many the whole work touches; little work stays in this thread.
    """
    global _pool
    count = min(_count, length, max(1, elements // _LEAST))
    if count <= 1:
        work(slice(0, length))
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(_count)
    bounds = [length * index // count for index in range(count + 1)]
    for _ in _pool.map(lambda pair: work(slice(*pair)), zip(bounds[:-1], bounds[1:], strict=True)):
        pass
