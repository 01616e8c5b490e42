"""What a run over many workers has to do: pairs, what is done already, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.imaging.reading import stored_size
from lama_edge.pictures.pairs import Claims
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.rows import Row, key_of
from lama_edge.runtimes.batch.work import Setup, Task
from lama_edge.runtimes.inpainting.files import Stores
from lama_edge.runtimes.inpainting.folders import no_mask, pairs_of, target_of
from lama_edge.stores.base import Entry, Store

# Pictures that are put in order of size together, and how many of them are looked at at a time.
# A store answers in some 50 ms; the next ones are looked at while workers have the last.
_ORDERED_TOGETHER = 512
_LOOKED_AT_ONCE = 8
# Holds the size in every format that is read, behind a JPEG's thumbnail and profile too.
_HEAD_BYTES = 1 << 16


@dataclass
class Plan:
    """What a run has to do.

    Attributes:
        tasks: pictures to inpaint, or to look at more closely.
        unchanged: rows of pictures that an earlier run did, and that are as they were.
        failed: rows of pictures that cannot be begun.
    """

    tasks: list[Task] = field(default_factory=list)
    unchanged: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tasks) + len(self.unchanged) + len(self.failed)


def make_plan(
    job: InpaintMany, stores: Stores, setup: Setup, earlier: Mapping[tuple[str, str], Row]
) -> Plan:
    """Find a run's pictures, and tell those that an earlier run did.

    What is as large and as old as a row of the record says is taken for unchanged, as git does; of
    what is not, a worker compares the hashes.

    Args:
        job: what is asked for.
        stores: where its files lie.
        setup: of the run.
        earlier: rows of earlier runs by `Row.key`; empty to do everything.

    Raises:
        UsageError: when a folder is missing or holds no picture.
        StoreError: when a store cannot be read.
    """
    pairs, without_mask = pairs_of(
        stores.pictures, stores.masks, recursive=job.recursive, output=stores.output
    )
    pictures = {one.name: one for one in stores.pictures.entries(recursive=job.recursive)}
    masks = _masks(job, stores)
    results = {one.name: one for one in stores.output.entries(recursive=True)} if earlier else {}
    plan = Plan(
        failed=[
            Task(number, name, "", "", _entry(pictures, name), None).failed(no_mask(stores.masks))
            for number, name in enumerate(without_mask)
        ]
    )
    claims = Claims(stores.pictures, stores.masks, stores.output, pairs)
    for number, pair in enumerate(pairs, len(plan.failed)):
        target = target_of(pair, job.picture_format)
        task = Task(
            number=number,
            picture=pair.image,
            mask=pair.mask,
            result=target,
            picture_entry=_entry(pictures, pair.image),
            mask_entry=_entry(masks, pair.mask),
        )
        try:
            claims.add(target, pair)
        except UsageError as error:
            plan.failed.append(task.failed(str(error)))
            continue
        known = _known(earlier.get(key_of(pair.image, pair.mask)), task, setup, results)
        if known is not None and task.is_of(known, results[target]):
            plan.unchanged.append(known)
        else:
            plan.tasks.append(replace(task, known=known))
    return plan


def _masks(job: InpaintMany, stores: Stores) -> dict[str, Entry]:
    if stores.masks.kind() == "file":
        found = stores.masks.find("")
        return {} if found is None else {"": found}
    return {one.name: one for one in stores.masks.entries(recursive=job.recursive)}


def _entry(entries: Mapping[str, Entry], name: str) -> tuple[int, str] | None:
    found = entries.get(name)
    return None if found is None else (found.size, found.stamp)


def _known(row: Row | None, task: Task, setup: Setup, results: Mapping[str, Entry]) -> Row | None:
    """Return an earlier run's row if its result is there, and is of this model and options."""
    if row is None or row.status == "failed" or row.result != task.result:
        return None
    same = (row.model_sha256, row.options) == (setup.model_sha256, setup.options)
    return row if same and row.result in results else None


def by_size(tasks: Sequence[Task], pictures: Store) -> Iterator[Task]:
    """Give tasks so that pictures of like size follow each other, and memory is used again.

    Sizes are read from the files' first bytes, of some hundred pictures at a time, while those
    before are worked on.

    Args:
        tasks: what to give.
        pictures: where the pictures lie.
    """
    waiting = iter(tasks)
    with ThreadPoolExecutor(_LOOKED_AT_ONCE) as pool, ThreadPoolExecutor(1) as ahead:

        def ordered() -> list[Task]:
            some = list(islice(waiting, _ORDERED_TOGETHER))
            sizes = list(pool.map(lambda task: _size(pictures, task.picture), some))
            order = sorted(range(len(some)), key=lambda at: (sizes[at], at))
            return [some[at] for at in order]

        coming = ahead.submit(ordered)
        while some := coming.result():
            coming = ahead.submit(ordered)
            yield from some


def _size(pictures: Store, name: str) -> tuple[int, int]:
    """Return a picture's height and width; (0, 0) where its first bytes do not tell."""
    with suppress(LamaEdgeError):  # a worker meets it too, and says so
        return stored_size(pictures.head(name, _HEAD_BYTES)) or (0, 0)
    return 0, 0
