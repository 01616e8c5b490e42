"""Work shared among threads."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from lama_edge.kernels import threads


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_cover_the_range_each_in_a_thread(count, in_threads):
    shares, names = [], set()
    together = threading.Barrier(count, timeout=10)

    def work(share):
        together.wait()
        shares.append(share)
        names.add(threading.get_ident())

    in_threads(count, lambda: threads.shared(work, 10, 1 << 20))
    assert sorted(i for share in shares for i in range(share.start, share.stop)) == [*range(10)]
    assert len(names) == count
    assert threading.get_ident() in names


def test_little_work_stays_in_this_thread(in_threads):
    shares = []
    in_threads(2, lambda: threads.shared(shares.append, 10, 2 * threads._LEAST - 1))
    in_threads(2, lambda: threads.shared(shares.append, 1, 1 << 20))
    in_threads(2, lambda: threads.shared(shares.append, 0, 0))
    assert shares == [slice(0, 10), slice(0, 1), slice(0, 0)]


@pytest.mark.parametrize("bad", [0, 1])
def test_passes_an_exception_on_when_all_shares_have_ended(bad, in_threads):
    ended = threading.Event()

    def work(share):
        if (share.start > 0) == bad:
            raise ZeroDivisionError("seen")
        ended.wait(0.05)
        ended.set()

    with pytest.raises(ZeroDivisionError, match="seen"):
        in_threads(2, lambda: threads.shared(work, 2, 1 << 20))
    assert ended.is_set()


@pytest.mark.filterwarnings("error")
def test_what_is_ignored_here_is_ignored_in_every_thread(in_threads):
    huge = np.full(1 << 10, 1000, np.float32)
    with np.errstate(all="ignore"):
        in_threads(2, lambda: threads.shared(lambda share: np.exp(huge[share]), 1 << 10, 1 << 10))
    with pytest.raises(RuntimeWarning, match="overflow"):
        threads.shared(lambda share: np.exp(huge[share]), 1 << 10, 1 << 10)


def test_a_number_of_threads_holds_for_products_too_and_ends_those_before(in_threads):
    def blas():
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    def kernels():
        return sum(thread.name.startswith("kernels") for thread in threading.enumerate())

    def run(count):
        return in_threads(count, lambda: threads.shared(lambda share: None, 64, 1 << 20))

    seen = []
    for count in (3, 2, 1):
        run(count)
        seen.append((blas(), kernels() < count))
    assert seen == [({3}, True), ({2}, True), ({1}, True)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(in_threads):
    x = np.ones(1 << 12)

    def add():
        threads.shared(lambda share: np.add(x[share], 1, out=x[share]), len(x), len(x))

    in_threads(2, add)
    child = os.fork()
    if not child:
        try:
            add()
        finally:
            os._exit(int(x.min()) - 3)
    for _ in range(500):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        threading.Event().wait(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child waits for threads that it does not have")
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(("wish", "count"), [("3", 3), ("", None), ("0", None), ("4,2", None)])
def test_starts_with_the_threads_that_the_environment_or_the_scheduler_allows(
    wish, count, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7, 9, 11}, raising=False)
    assert threads._allowed() == (count or 5)
