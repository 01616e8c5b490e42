"""Who does what where: Dask, in this process's threads or on a cluster.

Dask hands tasks to workers, notices workers that die and those that come, and gives a dead one's
tasks to others. What is left to do here: few tasks are with it at a time, so that neither it nor
a store is flooded, and whatever it says becomes a row or one clear error. See record 25.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError, needs_extra, one_line
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.slot import close_run, perform
from lama_edge.runtimes.batch.work import Setup, Task

# One picture in work and one that waits for each slot: its worker is never idle for a message.
TASKS_PER_SLOT = 2
_ASKED_AT_ONCE = 16
# Where web servers that nobody asked for listen until they are stopped.
_NOBODY = "127.0.0.1:0"
# How often whoever waits is told that time goes by, and how long a cluster may take to answer.
TICK_S = 0.5
CONNECT_S = 10
WORKERS_WITHIN_S = 60.0


class ClusterError(LamaEdgeError):
    """A cluster that is not reached, or lost while a run was on it."""


class Engine:
    """A running Dask, see `open_engine`.

    Attributes:
        slots: how many pictures are inpainted at a time, now; 0 while there is no worker.
    """

    def __init__(self, client: Any, address: str | None) -> None:
        self._client = client
        self._address = address
        self._name = "this machine" if address is None else f"the cluster {address}"
        self.slots = 0
        self._count()

    def run(self, setup: Setup, tasks: Iterator[Task], tick: Callable[[], None]) -> Iterator[Row]:
        """Inpaint pictures, in about the order that they come in.

        Args:
            setup: what the run is.
            tasks: are taken as there is room for them.
            tick: called about every `TICK_S`, also while nothing happens.

        Yields:
            Rows, as they are done.

        Raises:
            ClusterError: when the cluster is lost, or has no worker from the first and gets none.
            LamaEdgeError: what no worker can go on with, see `Slot.perform`.
        """
        began = counted = time.monotonic()
        had_workers = False
        told: queue.SimpleQueue[tuple[Any, Row | Exception]] = queue.SimpleQueue()
        inside: dict[Any, Task] = {}
        waiting = iter(tasks)

        def ask(future: Any) -> None:
            try:
                told.put((future, future.result()))
            except Exception as error:  # whatever went wrong there, or on the way
                told.put((future, error))

        def done(future: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the run ended meanwhile: nobody asks
                asking.submit(ask, future)

        # A row lies with its worker until it is asked for. Where that one died since, the answer
        # takes as long as doing it again, which the others are not to wait for.
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as asking:
            try:
                while True:
                    room = max(1, self.slots * TASKS_PER_SLOT) - len(inside)
                    for task in islice(waiting, max(0, room)):
                        key = f"lama-edge-{setup.run}-{task.number}"
                        future = self._client.submit(perform, setup, task, key=key, pure=False)
                        inside[future] = task
                        future.add_done_callback(done)
                    if not inside:
                        return
                    try:
                        future, answer = told.get(timeout=TICK_S)
                    except queue.Empty:
                        pass
                    else:
                        yield self._row(inside.pop(future), answer)
                    if time.monotonic() - counted >= TICK_S:
                        self._count()
                        counted = time.monotonic()
                    had_workers = had_workers or self.slots > 0
                    if not had_workers and counted - began > WORKERS_WITHIN_S:
                        raise ClusterError(
                            f"{self._name} had no worker for {WORKERS_WITHIN_S:.0f} s: start some "
                            f"with dask worker {self._address}"
                        )
                    tick()
            finally:
                self._end(setup.run, list(inside))

    def _row(self, task: Task, answer: Row | Exception) -> Row:
        """Return what became of a task."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        if isinstance(answer, Row):
            return answer
        if isinstance(answer, LamaEdgeError):
            raise answer
        if isinstance(answer, KilledWorker):
            deaths = answer.allowed_failures + 1
            return task.failed(f"{deaths} workers died while they had it")
        # Nobody cancelled it but the client that lost its way.
        if isinstance(answer, CancelledError | CommClosedError | TimeoutError):
            raise self._lost() from answer
        if isinstance(answer, ModuleNotFoundError):
            raise MissingBackendError(
                f"the workers of {self._name} lack {answer.name!r}: on each of them, "
                'pip install "lama-edge[cluster]"'
            ) from answer
        self._check()
        raise ClusterError(f"{self._name} could not do a task: {one_line(answer)}") from answer

    def _count(self) -> None:
        """Ask how many pictures can be inpainted at a time."""
        self._check()
        with contextlib.suppress(OSError, TimeoutError):
            self.slots = sum(self._client.nthreads().values())

    def _check(self) -> None:
        if self._client.status not in ("running", "connecting", "newly-created"):
            raise self._lost()

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"the connection to {self._name} was lost: what is done is kept, "
            "go on when it is there again"
        )

    def _end(self, run: str, futures: list[Any]) -> None:
        """Let the run's child processes go, wherever they are."""
        with contextlib.suppress(Exception):  # of a cluster that is lost
            self._client.cancel(futures, force=True)
            self._client.run(close_run, run, on_error="ignore")


@contextlib.contextmanager
def open_engine(workers: int | None, cluster: str | None) -> Iterator[Engine]:
    """Start Dask in this process, or connect to a cluster.

    In this process nothing listens: its parts talk to each other in memory.

    Args:
        workers: pictures at a time in this process's own child processes, where `cluster` is None.
        cluster: a Dask scheduler's address, such as ``tcp://10.0.0.1:8786`` or ``tls://…``.

    Raises:
        MissingBackendError: when the extra ``cluster`` is not installed.
        ClusterError: when the cluster is not there.
        UsageError: when the address cannot be one.
    """
    with needs_extra("cluster"):
        import distributed  # noqa: F401 - before its loggers are named
    # What happens to workers is said in the run's own words. Dask gives its client's log a level
    # of its own.
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _in_this_process(workers) if cluster is None else _connected(cluster) as client:
        yield Engine(client, cluster)


@contextlib.contextmanager
def _in_this_process(workers: int | None) -> Iterator[Any]:
    """Give a client of a Dask of this process's threads."""
    from distributed import Client, LocalCluster, Security

    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=workers,
            processes=False,
            dashboard_address=_NOBODY,
            worker_dashboard_address=_NOBODY,
            memory_limit=0,
            # Whoever asks for TLS on networks has nothing to ask for in memory.
            security=Security(require_encryption=False),
        ) as local,
        Client(local) as client,
    ):
        # Dask starts web servers whether one wants them or not.
        for node in (local.scheduler, *local.workers.values()):
            node.http_server.stop()
        yield client


@contextlib.contextmanager
def _connected(cluster: str) -> Iterator[Any]:
    """Give a client of a cluster.

    Raises:
        ClusterError: as `open_engine`.
        UsageError: as `open_engine`.
    """
    from distributed import Client

    try:
        client = Client(cluster, timeout=CONNECT_S)
    except FileNotFoundError as error:
        raise UsageError(
            f"a file that Dask's configuration names for TLS is not there ({one_line(error)}): "
            "give the whole paths of the certificates and the key"
        ) from error
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {cluster!r} ({one_line(error)}): start one with "
            "dask scheduler, and workers with dask worker"
        ) from error
    except (RuntimeError, TypeError) as error:  # Dask's configuration against the address
        raise UsageError(
            f"TLS as Dask's configuration has it does not go with {cluster!r} ({one_line(error)}): "
            "tls://… wants distributed.comm.tls.ca-file, client.cert and client.key there, "
            "tcp://… no require-encryption"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{cluster!r} is no address of a Dask scheduler ({one_line(error)}): give one such as "
            "tcp://10.0.0.1:8786"
        ) from error
    with client:
        yield client
