"""A run's record: one row a picture, as Parquet beside the results."""

from __future__ import annotations

import heapq
import itertools
import logging
import operator
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from lama_edge.errors import UsageError, needs_extra, reason
from lama_edge.runtimes.batch.rows import Row, row_of, storable
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import Store
from lama_edge.stores.local import LocalStore

NAME = "record.parquet"
PARTS = ".record"
# What a kill may lose, by how dear a small file is.
FLUSH_LOCAL_S = 1.0
FLUSH_URL_S = 10.0
FLUSH_ROWS = 500
# Parts that become one; a run of 100 000 rows has at most some dozens of them at a time, and a row
# is written about four times.
MERGED_PARTS = 16
ROW_GROUP_ROWS = 10_000
_BATCH_ROWS = 256

_PART = re.compile(r"part-(\d+)\.parquet")
_MARK = b"lama_edge.record"
_LAYOUT = b"1"
_log = logging.getLogger(__name__)

Plain = dict[str, Any]
_key = operator.itemgetter("picture", "mask")
_REPEATED = (
    "status",
    "mask_channel",
    "strategy",
    "reason",
    "worker",
    "model_sha256",
    "options",
    "version",
)


class Record:
    """The rows of a run, kept while it goes, and in one file at its end.

    Parts in the hidden folder ``.record`` hold what there is until `close`: a run that is killed
    loses the rows of the last second, in a store behind a URL of the last ten. Nothing of runs
    before is touched until the first rows are kept. To be used by one thread.

    Args:
        output: the store of the results.
        resume: whether rows of runs before stay; else they go.
        clock: the time in seconds, as `time.monotonic` gives it.

    Raises:
        UsageError: when a ``record.parquet`` is there that is damaged, or no record, or something
            stands in the way of one.
        StoreError: when the store cannot be used.
        MissingBackendError: when pyarrow is not installed.
    """

    def __init__(
        self, output: Store, *, resume: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = output
        self._room = _inside(output, PARTS)
        self._resume = resume
        self._clock = clock
        self._every_s = FLUSH_LOCAL_S if isinstance(output, LocalStore) else FLUSH_URL_S
        self._waiting: dict[tuple[str, str], Plain] = {}
        self._waiting_since = 0.0
        self._begun = False
        self._damaged: set[str] = set()
        # Of this run: each part's number, and how often what is in it was merged.
        self._parts: list[tuple[int, int]] = []
        self._schema = schema()
        for name, kind in ((NAME, "folder"), (PARTS, "file")):
            if _inside(output, name).kind() == kind:
                raise UsageError(
                    f"the record cannot be kept: {output.spell(name)!r} is a {kind}; move it away, "
                    "or name another output"
                )
        if output.find(NAME) is not None:
            self._check()

    def earlier(self) -> Mapping[tuple[str, str], Row]:
        """Return the rows of runs before by `Row.key`; none without `resume`.

        To be asked for before the first row is added.

        Raises:
            UsageError: as the class.
            StoreError: when the store cannot be used.
        """
        if not self._resume:
            return {}
        with ExitStack() as opened:
            sources = [self._rows(opened, name) for name in self._kept_before(self._old_parts())]
            return {_key(plain): _interned(plain) for _, plain in _merged(sources)}

    def add(self, row: Row) -> None:
        """Take a row; one of the same picture and mask gives way. Now and then all are written.

        Raises:
            LamaEdgeError: when the store cannot be written to.
        """
        if not self._waiting:
            self._waiting_since = self._clock()
        self._waiting[row.key] = _storable(row.to_dict())
        if len(self._waiting) >= FLUSH_ROWS:
            self.flush()
        else:
            self.tick()

    def tick(self) -> None:
        """Write the rows that wait if it is time for it; to be called while no row comes.

        Raises:
            LamaEdgeError: when the store cannot be written to.
        """
        if self._waiting and self._clock() - self._waiting_since >= self._every_s:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait.

        Raises:
            LamaEdgeError: when the store cannot be written to.
        """
        if not self._waiting:
            return
        if not self._begun:
            self._begin()
        number = self._parts[-1][0] + 1 if self._parts else 1
        with self._room.written(_part(number)) as path:
            self._write(path, sorted(self._waiting.values(), key=_key))
        self._waiting.clear()
        self._parts.append((number, 0))
        self._merge_parts()

    def close(self) -> str:
        """Put all rows into one file, sorted by picture and mask, and remove the parts.

        Of runs before, what this run has no row of stays, unless it failed. A run without a row
        that does not resume leaves all as it was.

        Returns:
            Where the record is, as the store spells it.

        Raises:
            LamaEdgeError: when the store cannot be written to.
        """
        self.flush()
        if self._resume and not self._begun:
            self._begin()
        if self._begun:
            parts = [_part(number) for number, _ in self._parts]
            before = self._kept_before([])
            self._merge([*before, *parts], NAME, fails_until=len(before))
            self._remove(parts)
            if isinstance(self._output, LocalStore):
                with suppress(OSError):  # of somebody's file in it
                    (self._output.path / PARTS).rmdir()
            self._parts.clear()
            self._begun = False
        return self._output.spell(NAME)

    def _begin(self) -> None:
        """Make room for the rows of this run: those before go into one file, or go."""
        old = self._old_parts()
        if not self._resume:
            if self._output.find(NAME) is not None:
                self._output.remove(NAME)
        elif old:
            self._merge(self._kept_before(old), NAME)
        self._remove(old)
        self._begun = True

    def _merge_parts(self) -> None:
        """Make one of the last parts where enough were merged as often as each other.

        The last one's name is kept, so that what a kill leaves is read in the right order.
        """
        while True:
            last = self._parts[-MERGED_PARTS:]
            if len(last) < MERGED_PARTS or len({level for _, level in last}) > 1:
                return
            names = [_part(number) for number, _ in last]
            self._merge(names, names[-1])
            self._remove(names[:-1])
            number, level = last[-1]
            self._parts[-MERGED_PARTS:] = [(number, level + 1)]

    def _merge(self, names: Sequence[str], target: str, *, fails_until: int = 0) -> None:
        """Write the rows of files into one of them; failures in the first few do not stay."""
        with self._store_of(target).written(target) as path, ExitStack() as opened:
            merged = _merged([self._rows(opened, name) for name in names])
            kept = (row for at, row in merged if at >= fails_until or row["status"] != "failed")
            self._write(path, kept)

    def _write(self, path: Path, rows: Iterable[Plain]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        left = iter(rows)
        with pq.ParquetWriter(path, self._schema, compression="zstd") as writer:
            while group := list(itertools.islice(left, ROW_GROUP_ROWS)):
                writer.write_table(pa.Table.from_pylist(group, schema=self._schema))

    def _rows(self, opened: ExitStack, name: str) -> Iterator[Plain]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = opened.enter_context(self._store_of(name).fetched(name))
        try:
            file = opened.enter_context(pq.ParquetFile(path))
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise self._refusal(name, f"it is damaged ({reason(error)})") from error

    def _kept_before(self, parts: Sequence[str]) -> list[str]:
        """Return the files of runs before whose rows count, in the order they were written."""
        sound = [name for name in parts if name not in self._damaged and self._is_sound(name)]
        return [*([NAME] if self._output.find(NAME) is not None else []), *sound]

    def _is_sound(self, part: str) -> bool:
        """Tell whether a part can be read; a machine that lost its power leaves others."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._room.fetched(part) as path:
            try:
                with pq.ParquetFile(path) as file:
                    found = file.schema_arrow
                    for _ in file.iter_batches():
                        pass
            except (pa.ArrowException, OSError) as error:
                _log.warning(
                    "%s is damaged (%s): the pictures whose rows it held are done again",
                    self._room.spell(part),
                    reason(error),
                )
                self._damaged.add(part)
                return False
        self._check_layout(part, found)
        return True

    def _check(self) -> None:
        """Refuse a file that has the record's name and is none, or cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._output.fetched(NAME) as path:
            try:
                found = pq.read_schema(path)
            except (pa.ArrowException, OSError) as error:
                raise self._refusal(NAME, f"it is damaged ({reason(error)})") from error
        self._check_layout(NAME, found)

    def _check_layout(self, name: str, found: Any) -> None:
        marked = (found.metadata or {}).get(_MARK) == _LAYOUT
        if not marked or found.names != self._schema.names:
            raise self._refusal(name, "it is none that this version of lama-edge wrote")

    def _refusal(self, name: str, why: str) -> UsageError:
        return UsageError(
            f"{self._store_of(name).spell(name)!r} cannot be gone by: {why}; move it away, or name "
            "another output"
        )

    def _old_parts(self) -> list[str]:
        numbered = [
            (int(match[1]), entry.name)
            for entry in self._room.entries()
            if (match := _PART.fullmatch(entry.name))
        ]
        return [name for _, name in sorted(numbered)]

    def _remove(self, parts: Iterable[str]) -> None:
        for name in parts:
            self._room.remove(name)

    def _store_of(self, name: str) -> Store:
        return self._output if name == NAME else self._room


def schema() -> Any:
    """Return the Arrow schema of records, which says in its metadata that it is one.

    Raises:
        MissingBackendError: when pyarrow is not installed.
    """
    with needs_extra("cluster"):
        import pyarrow as pa
    text = pa.string()
    repeated = pa.dictionary(pa.int32(), text)
    size = pa.struct([("height", pa.int32()), ("width", pa.int32())])
    types = {
        "picture": text,
        "mask": text,
        "result": text,
        "status": repeated,
        "error": text,
        "notes": pa.list_(text),
        "width": pa.int32(),
        "height": pa.int32(),
        "hole_share": pa.float64(),
        "mask_channel": repeated,
        "strategy": repeated,
        "reason": repeated,
        "windows": pa.list_(size),
        "seconds": pa.float64(),
        "worker": repeated,
        "attempts": pa.int32(),
        "picture_sha256": text,
        "mask_sha256": text,
        "model_sha256": repeated,
        "options": repeated,
        "picture_stamp": text,
        "mask_stamp": text,
        "picture_bytes": pa.int64(),
        "mask_bytes": pa.int64(),
        "result_stamp": text,
        "result_bytes": pa.int64(),
        "result_sha256": text,
        "version": repeated,
    }
    return pa.schema(list(types.items()), metadata={_MARK: _LAYOUT})


def _inside(output: Store, name: str) -> Store:
    """Return what has a name there as a store of its own: none lists what is hidden in it."""
    if isinstance(output, LocalStore):
        return LocalStore(output.path / name)
    return open_store(f"{output.address.rstrip('/')}/{name}")


def _part(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _merged(sources: Sequence[Iterator[Plain]]) -> Iterator[tuple[int, Plain]]:
    """Merge rows sorted by picture and mask: of equal ones the last source's, with its index."""
    numbered = [zip(itertools.repeat(at), source) for at, source in enumerate(sources)]
    # Of equal keys the earlier source's comes first.
    for _, same in itertools.groupby(heapq.merge(*numbered, key=_key_of), _key_of):
        yield list(same)[-1]


def _key_of(numbered: tuple[int, Plain]) -> Any:
    return _key(numbered[1])


def _interned(plain: Plain) -> Row:
    """Return a row; what many have alike is there once."""
    for name in _REPEATED:
        plain[name] = sys.intern(plain[name])
    return row_of(plain)


def _storable(plain: Plain) -> Plain:
    return {
        name: storable(value)
        if isinstance(value, str)
        else [*map(storable, value)]
        if name == "notes"
        else value
        for name, value in plain.items()
    }
