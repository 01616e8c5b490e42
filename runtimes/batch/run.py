"""Inpainting folders of pictures by several workers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from lama_edge.errors import SAYS_FLAGS, LamaEdgeError, UsageError, needs_extra
from lama_edge.files import split_part
from lama_edge.models.checkpoint import is_zoo_name
from lama_edge.runtimes.batch.engine import open_engine
from lama_edge.runtimes.batch.job import InpaintMany, options_text
from lama_edge.runtimes.batch.model import local_model
from lama_edge.runtimes.batch.plan import Plan, by_size, make_plan
from lama_edge.runtimes.batch.progress import Progress, Summary, Tally
from lama_edge.runtimes.batch.record import Record
from lama_edge.runtimes.batch.work import Setup
from lama_edge.runtimes.inpainting.files import Stores
from lama_edge.runtimes.model_files import located, model_sha256
from lama_edge.stores.addresses import is_url, open_store
from lama_edge.stores.base import Store
from lama_edge.stores.local import LocalStore

# A result that another machine still writes to is younger: writing takes seconds.
_LEFT_BEHIND_S = 60.0


def inpaint_many(
    job: InpaintMany, progress: Callable[[Progress], None] = lambda progress: None
) -> Summary:
    """Inpaint every picture of a folder by several workers, going on past those that cannot be.

    Results are those of `inpaint_folder`, bit for bit, where the model's runtime gives the same
    for any number of threads, and names and folders too. Each worker is a process with the model
    open in it; one that dies is replaced and its picture begun once more. What becomes of each
    picture is kept while the run goes, in a record that a later run can `resume` from, also after
    an error or a kill.

    Args:
        job: what to do.
        progress: called in the caller's thread, several times a second.

    Raises:
        UsageError: when a folder is missing, holds no picture, cannot be made, or is another run's.
        ModelError: when the model cannot be opened.
        MissingBackendError: when its runtime, or the extra ``cluster``, is not installed.
        StoreError: when a store is not there, or is lost.
        ClusterError: when the cluster is not there, or is lost.
    """
    with needs_extra("cluster"):
        import distributed  # noqa: F401 - before anything is read or made
        import fsspec  # noqa: F401
        import pyarrow  # noqa: F401
    job = _settled(job)
    stores = Stores(open_store(job.pictures), open_store(job.masks), open_store(job.output))
    setup = Setup(
        run=secrets.token_hex(8),
        job=job,
        model_sha256=model_sha256(located(local_model(job.model))),
        options=options_text(job),
        says_flags=bool(os.environ.get(SAYS_FLAGS)),
    )
    stores.output.check_writable()
    with _alone(stores.output):
        return _kept(job, setup, stores, progress)


def _kept(
    job: InpaintMany, setup: Setup, stores: Stores, progress: Callable[[Progress], None]
) -> Summary:
    """Do what is to be done, and keep the record of it, whatever ends the run."""
    record = Record(stores.output, resume=job.resume)
    plan = make_plan(job, stores, setup, record.earlier())
    tally = Tally(len(plan))
    for row in plan.unchanged:
        tally.add(replace(row, status="unchanged"))
    for row in plan.failed:
        record.add(row)
        tally.add(row)
    try:
        _run(job, setup, plan, stores, record, tally, progress)
    except BaseException:
        # A store that is lost cannot keep what is left either, and that is not what to tell of.
        with suppress(LamaEdgeError):
            record.flush()
            stores.output.sweep(older_than_s=_LEFT_BEHIND_S)
        raise
    # First, so that the record's folder can go.
    stores.output.sweep(older_than_s=_LEFT_BEHIND_S)
    return tally.summary(record.close())


def _run(
    job: InpaintMany,
    setup: Setup,
    plan: Plan,
    stores: Stores,
    record: Record,
    tally: Tally,
    progress: Callable[[Progress], None],
) -> None:
    if not plan.tasks:
        return
    # A worker without a picture would be a model in memory for nothing.
    workers = job.workers and min(job.workers, len(plan.tasks))
    with open_engine(workers, job.cluster) as engine:

        def tick() -> None:
            record.tick()
            tally.workers = engine.slots
            tally.waiting = "" if engine.slots else "no workers: waiting for one"
            progress(tally.progress())

        tick()
        for row in engine.run(setup, by_size(plan.tasks, stores.pictures), tick):
            tally.add(row)
            record.add(replace(row, status="written") if row.status == "unchanged" else row)


@contextmanager
def _alone(output: Store) -> Iterator[None]:
    """Refuse a second run into a folder of this machine: each would take the other's record away.

    The folder itself is locked, so that nothing is left of a run that is killed.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        yield
        return
    if not isinstance(output, LocalStore):
        yield
        return
    folder = os.open(output.path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise UsageError(
            f"another run writes to {output.spell()!r}: wait for its end, or name another output"
        ) from error
    except OSError:  # shared disks may have no locks
        pass
    try:
        yield
    finally:
        os.close(folder)


def _settled(job: InpaintMany) -> InpaintMany:
    """Return a job with what it leaves open, and with paths that are the same everywhere."""
    model = str(job.model)
    if job.cluster is None:
        workers = job.workers or 1
        threads = job.threads or max(1, _cores() // workers)
        return replace(job, model=model, workers=workers, threads=threads)
    # Who starts a worker gives it a thread for each processor that it may use.
    if not is_url(model) and not is_zoo_name(split_part(model)[0]):
        model = _absolute(model)
    return replace(
        job,
        threads=job.threads or 1,
        model=model,
        pictures=_absolute(job.pictures),
        masks=_absolute(job.masks),
        output=_absolute(job.output),
    )


def _absolute(address: str | Path) -> str:
    """Return an address that does not depend on the current folder, which is another elsewhere."""
    return str(address if is_url(address) else Path(address).absolute())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
