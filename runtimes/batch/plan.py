"""What a run over many workers has to do: pairs, what is done already, and in which order."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

from PIL import Image

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.imaging.saving import suffix_for
from lama_edge.pictures.pairs import Claims, Pair, find_pairs, pair_with_all
from lama_edge.runtimes.batch.job import InpaintMany
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.work import Setup, Task
from lama_edge.stores import Entry, Store, StoreFileError

# Pictures that are put in order of size together, and how many of them are looked at at a time.
# A store answers in some 50 ms; the next ones are looked at while workers have the last.
_ORDERED_TOGETHER = 512
_LOOKED_AT_ONCE = 8
# Holds the size in every format that is read, behind a JPEG's thumbnail and profile too.
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Stores:
    """Where a run's files lie."""

    pictures: Store
    masks: Store
    output: Store


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


def make_plan(job: InpaintMany, stores: Stores, setup: Setup, earlier: Mapping[str, Row]) -> Plan:
    """Find a run's pictures, and tell those that an earlier run did.

    What is as large and as old as a row of the record says is taken for unchanged, as make and git
    do; of what is not, a worker compares the hashes.

    Args:
        job: what is asked for.
        stores: where its files lie.
        setup: of the run.
        earlier: rows of earlier runs by their results' names; empty to do everything.

    Raises:
        UsageError: when a folder is missing or holds no picture.
        StoreError: when a store cannot be read.
    """
    pairs, without_mask = _pairs(job, stores)
    pictures = {one.name: one for one in stores.pictures.entries(recursive=job.recursive)}
    masks = _masks(job, stores)
    results = {one.name: one for one in stores.output.entries(recursive=True)} if earlier else {}
    plan = Plan(
        failed=[
            Task(number, name, "", "", _entry(pictures, name), None).failed(
                f"there is no mask for it in {stores.masks.spell()!r}"
            )
            for number, name in enumerate(without_mask)
        ]
    )
    claims = Claims(stores.pictures, stores.masks, stores.output, pairs)
    for number, pair in enumerate(pairs, len(plan.failed)):
        suffix = suffix_for(job.picture_format, PurePosixPath(pair.image).suffix)
        target = f"{pair.result}{suffix}"
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
        known = _known(earlier.get(target), setup, results)
        if known is not None and task.is_of(known):
            plan.unchanged.append(known)
        else:
            plan.tasks.append(task if known is None else task.knowing(known))
    return plan


def _pairs(job: InpaintMany, stores: Stores) -> tuple[list[Pair], list[str]]:
    here = {"recursive": job.recursive, "output": stores.output}
    if stores.masks.kind() == "file":
        return pair_with_all(stores.pictures, stores.masks, **here), []
    return find_pairs(stores.pictures, stores.masks, **here)


def _masks(job: InpaintMany, stores: Stores) -> dict[str, Entry]:
    if stores.masks.kind() == "file":
        found = stores.masks.find("")
        return {} if found is None else {"": found}
    return {one.name: one for one in stores.masks.entries(recursive=job.recursive)}


def _entry(entries: Mapping[str, Entry], name: str) -> tuple[int, str] | None:
    found = entries.get(name)
    return None if found is None else (found.size, found.stamp)


def _known(row: Row | None, setup: Setup, results: Mapping[str, Entry]) -> Row | None:
    """Return an earlier run's row if its result is there and this run's model and options made it."""
    if row is None or row.status == "failed":
        return None
    result = results.get(row.result)
    same = (row.model_sha256, row.options) == (setup.model_sha256, setup.options)
    return row if same and result is not None and result.size == row.result_bytes else None


def by_size(
    tasks: Sequence[Task], pictures: Store, looking: Callable[[], None] = lambda: None
) -> Iterator[Task]:
    """Give tasks so that pictures of like size follow each other, and memory is used again.

    Sizes are read from the files' first bytes, of some hundred pictures at a time, while those
    before are worked on.

    Args:
        tasks: what to give.
        pictures: where the pictures lie.
        looking: called while it waits for a store.
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
    try:
        head = pictures.head(name, _HEAD_BYTES)
        with Image.open(io.BytesIO(head)) as image:
            return image.height, image.width
    except (StoreFileError, LamaEdgeError):
        return 0, 0
    except Exception:  # a damaged header raises whatever its parser meets; a worker will say so
        return 0, 0
