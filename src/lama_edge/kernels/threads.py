"""Shares work of NumPy's single-threaded loops among threads; its matrix products have their own.

NumPy gives up the interpreter's lock inside its loops, so threads do run at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lama_edge.errors import needs_extra

# With fewer elements a share is not worth waking a thread for: that takes 20 to 50 µs.
_LEAST = 1 << 16


def _allowed() -> int:
    """Return as many threads as NumPy's BLAS starts with."""
    wish = os.environ.get("OMP_NUM_THREADS", "")
    if wish.isdecimal() and int(wish):
        return int(wish)
    processors = os.cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else processors


_count = _allowed()
_pool: ThreadPoolExecutor | None = None


def set_threads(count: int) -> None:
    """Say how many threads work on one operation, in this whole process from here on.

    Until then ``OMP_NUM_THREADS`` says it, or the processors that this process may use. Not to be
    called while an operation runs.

    Raises:
        MissingBackendError: when the ``export`` extra is not installed.
    """
    global _count
    with needs_extra("export"):
        from threadpoolctl import threadpool_limits
    threadpool_limits(count, user_api="blas")
    if _pool is not None:
        _pool.shutdown()
    _forget_pool()
    _count = count


def _forget_pool() -> None:
    global _pool
    _pool = None


# A forked process has the pool but none of its threads, and would wait for them for good.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def shared(work: Callable[[slice], object], length: int, elements: int) -> None:
    """Do work on a range in equal shares, the first in this thread and each other in its own.

    Args:
        work: given a share, as a slice of the range; must not share work itself.
        length: the range's.
        elements: how many the whole work touches; little work stays in this thread.

    Raises:
        Exception: what `work` raises, once every share has ended.
    """
    global _pool
    count = max(1, min(_count, length, elements // _LEAST))
    if count == 1:
        work(slice(0, length))
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(_count - 1, "kernels")
    what_to_ignore = np.geterr()

    def run(share: slice) -> None:
        with np.errstate(**what_to_ignore):  # each thread has a state of its own
            work(share)

    first, *others = (slice(length * i // count, length * (i + 1) // count) for i in range(count))
    futures = [_pool.submit(run, share) for share in others]
    try:
        work(first)
    finally:
        errors = [future.exception() for future in futures]
    for error in filter(None, errors):
        raise error
