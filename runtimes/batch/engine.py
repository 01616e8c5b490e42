"""Who does what where: Dask, in this process's threads or on a cluster.

Dask hands tasks to workers, notices workers that die and those that come, and gives a dead one's
tasks to others. What is left to do here: few tasks are with it at a time, so that neither it nor
a store is flooded, and whatever it says becomes a row or one clear error. See record 25.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Callable, Iterator
from typing import Any

from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError, needs_extra, one_line
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.slot import close_run, perform
from lama_edge.runtimes.batch.work import Setup, Task

# One picture in work and one that waits for each slot: its worker is never idle for a message.
TASKS_PER_SLOT = 2
# How often whoever waits is told that time goes by, and how long a cluster may take to answer.
TICK_S = 0.5
CONNECT_S = 10
WORKERS_WITHIN_S = 60


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
            ClusterError: when the cluster is lost.
            LamaEdgeError: what no worker can go on with, see `Slot.perform`.
        """
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        inside: dict[Any, Task] = {}
        more = True
        try:
            while True:
                while more and len(inside) < max(1, self.slots * TASKS_PER_SLOT):
                    task = next(tasks, None)
                    if task is None:
                        more = False
                        break
                    key = f"lama-edge-{setup.run}-{task.number}"
                    future = self._client.submit(perform, setup, task, key=key, pure=False)
                    inside[future] = task
                    future.add_done_callback(done.put)
                if not inside:
                    return
                try:
                    future = done.get(timeout=TICK_S)
                except queue.Empty:
                    self._count()
                    tick()
                    continue
                yield self._row(inside.pop(future), future)
                tick()
        finally:
            self._end(setup.run, list(inside))

    def _row(self, task: Task, future: Any) -> Row:
        """Return what became of a task."""
        from distributed import KilledWorker

        try:
            row: Row = future.result(timeout=CONNECT_S)
            return row
        except LamaEdgeError:
            raise
        except KilledWorker as error:
            deaths = error.allowed_failures + 1
            return task.failed(f"{deaths} workers died while they had it")
        except ModuleNotFoundError as error:
            raise MissingBackendError(
                f"the workers of {self._address} lack {error.name!r}: on each of them, "
                'pip install "lama-edge[cluster]"'
            ) from error
        except Exception as error:  # of the connection, or of unpickling on the other side
            self._check()
            raise ClusterError(
                f"the cluster {self._address} could not do a task: {one_line(error)}"
            ) from error

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
            f"the connection to the cluster {self._address} was lost: what is done is kept, "
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
        ClusterError: when the cluster is not there, or has no worker.
        UsageError: when the address cannot be one.
    """
    with needs_extra("cluster"):
        from distributed import Client, LocalCluster

    # What happens to workers is said in the run's own words.
    for name in ("distributed", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if cluster is None:
        with (
            LocalCluster(
                n_workers=1,
                threads_per_worker=workers,
                processes=False,
                dashboard_address=None,
                memory_limit=0,
            ) as local,
            Client(local) as client,
        ):
            yield Engine(client, None)
        return
    try:
        client = Client(cluster, timeout=CONNECT_S)
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {cluster!r} ({one_line(error)}): start one with "
            "dask scheduler, and workers with dask worker"
        ) from error
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{cluster!r} is no address of a Dask scheduler ({one_line(error)}): give one such as "
            "tcp://10.0.0.1:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_WITHIN_S)
        except TimeoutError as error:
            raise ClusterError(
                f"the cluster {cluster} had no worker for {WORKERS_WITHIN_S} s: start some with "
                f"dask worker {cluster}"
            ) from error
        yield Engine(client, cluster)
