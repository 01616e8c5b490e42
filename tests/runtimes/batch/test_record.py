"""The record of a run: rows outlive a kill, parts stay few, and one sorted file is left."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.runtimes.batch.record import (
    FLUSH_LOCAL_S,
    FLUSH_ROWS,
    FLUSH_URL_S,
    MERGED_PARTS,
    NAME,
    PARTS,
    Record,
    schema,
)
from lama_edge.runtimes.batch.rows import Row, Status
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import Store
from lama_edge.stores.local import LocalStore


class Killed(BaseException):
    """The end of a process, in a test."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def row(name: str, status: Status = "written", **known: Any) -> Row:
    return Row(picture=name, mask=f"{name}.png", status=status, windows=((64, 72),), **known)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / NAME).to_pylist()


def names_of(folder: Path) -> list[str]:
    return [one["picture"] for one in rows_of(folder)]


def parts_of(folder: Path) -> list[Path]:
    return sorted((folder / PARTS).glob("*"))


def killed(store: Store, *names: str, resume: bool = False, **known: Any) -> None:
    """A run that keeps rows, and then is no more."""
    record = Record(store, resume=resume)
    for name in names:
        record.add(row(name, **known))
    record.flush()


def test_a_record_is_one_sorted_file_with_a_row_a_picture(store: Store, folder: Path) -> None:
    record = Record(store)
    for name in ("b", "a", "c", "a"):
        record.add(row(name))
    assert record.close() == str(folder / NAME)
    assert names_of(folder) == ["a", "b", "c"]
    assert sorted(path.name for path in folder.iterdir()) == [NAME]


def test_every_field_comes_back_as_it_was(store: Store) -> None:
    whole = Row(
        picture="ä.jpg", mask="m.png", result="r.jpg", status="written", notes=("a", "b"), width=3,
        height=2, hole_share=0.1, mask_channel="grey", strategy="crop", reason="why",
        windows=((1, 2), (3, 4)), seconds=0.1, worker="w", attempts=2, picture_sha256="1",
        mask_sha256="2", model_sha256="3", options="{}", picture_stamp="4", mask_stamp="5",
        picture_bytes=2**40, mask_bytes=6, result_stamp="r", result_bytes=7, result_sha256="8",
        version="9",
    )  # fmt: skip
    bare = Row(picture="b.jpg", status="failed", error="no mask")
    record = Record(store)
    record.add(whole)
    record.add(bare)
    record.close()
    assert dict(Record(store, resume=True).earlier()) == {whole.key: whole, bare.key: bare}


def test_the_columns_are_those_of_a_row() -> None:
    assert schema().names == [one.name for one in fields(Row)]


def test_names_that_are_no_utf_8_are_kept_and_found_again(store: Store) -> None:
    odd = row("caf\udce9")
    record = Record(store)
    record.add(odd)
    record.add(row("b"))
    record.close()
    assert Record(store, resume=True).earlier()[odd.key].status == "written"


def test_a_killed_run_loses_no_row_that_waited_its_time(store: Store, folder: Path) -> None:
    clock = Clock()
    record = Record(store, clock=clock)
    record.add(row("a"))
    assert parts_of(folder) == []
    clock.now += FLUSH_LOCAL_S
    record.tick()
    assert len(parts_of(folder)) == 1
    clock.now += FLUSH_LOCAL_S
    record.tick()
    assert len(parts_of(folder)) == 1, "nothing waited"
    record.add(row("b"))
    clock.now += FLUSH_LOCAL_S / 2
    record.add(row("c"))
    assert {key[0] for key in Record(store, resume=True).earlier()} == {"a"}
    clock.now += FLUSH_LOCAL_S / 2
    record.add(row("d"))
    assert {key[0] for key in Record(store, resume=True).earlier()} == {"a", "b", "c", "d"}


def test_many_rows_do_not_wait(store: Store, folder: Path) -> None:
    record = Record(store, clock=Clock())
    for at in range(FLUSH_ROWS):
        record.add(row(f"{at}"))
    assert len(parts_of(folder)) == 1


def test_parts_stay_few_and_the_last_row_wins(store: Store, folder: Path) -> None:
    record = Record(store, clock=Clock())
    most, rows, pictures = 0, MERGED_PARTS**2 + MERGED_PARTS + 5, 200
    for at in range(rows):
        record.add(row(f"{at % pictures:03d}", seconds=float(at)))
        record.flush()
        most = max(most, len(parts_of(folder)))
    assert most < 2 * MERGED_PARTS
    assert len(Record(store, resume=True).earlier()) == pictures
    record.close()
    last = {at % pictures: float(at) for at in range(rows)}
    assert [one["seconds"] for one in rows_of(folder)] == [last[at] for at in range(pictures)]


def test_a_kill_between_a_merge_and_the_end_of_its_parts_changes_no_row(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(store)
    for at in range(MERGED_PARTS - 1):
        record.add(row("same", seconds=float(at)))
        record.add(row(f"{at}"))
        record.flush()
    record.add(row("same", seconds=99.0))

    def kill(store: Store, name: str) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "remove", kill)
        with pytest.raises(Killed):
            record.flush()
    assert len(parts_of(folder)) == MERGED_PARTS
    earlier = Record(store, resume=True).earlier()
    assert len(earlier) == MERGED_PARTS
    assert earlier["same", "same.png"].seconds == 99.0


def test_a_kill_at_the_end_leaves_the_record_right(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(store, "a", "b", seconds=1.0)
    record = Record(store, resume=True)
    record.add(row("b", seconds=2.0))
    record.flush()

    def kill(store: Store, name: str) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "remove", kill)
        with pytest.raises(Killed):
            record.close()
    assert len(parts_of(folder)) == 1
    earlier = Record(store, resume=True).earlier()
    assert {key[0]: one.seconds for key, one in earlier.items()} == {"a": 1.0, "b": 2.0}


def test_a_resumed_run_keeps_what_killed_ones_did(store: Store, folder: Path) -> None:
    killed(store, "a", "b", seconds=1.0)
    killed(store, "b", "c", seconds=2.0, resume=True)
    record = Record(store, resume=True)
    assert {key[0] for key in record.earlier()} == {"a", "b", "c"}
    record.add(row("c", "unchanged", seconds=3.0))
    record.add(row("d", seconds=3.0))
    record.close()
    assert {one["picture"]: one["seconds"] for one in rows_of(folder)} == {
        "a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0,
    }  # fmt: skip
    assert not (folder / PARTS).exists()


def test_failures_of_pictures_that_are_gone_do_not_stay(store: Store, folder: Path) -> None:
    killed(store, "bad", status="failed", error="damaged")
    killed(store, "good", resume=True)
    record = Record(store, resume=True)
    record.add(row("new"))
    record.add(row("worse", "failed"))
    record.close()
    assert names_of(folder) == ["good", "new", "worse"]


def test_a_run_that_does_not_resume_begins_anew(store: Store, folder: Path) -> None:
    killed(store, "a")
    Record(store, resume=True).close()
    killed(store, "b", resume=True)
    record = Record(store)
    assert record.earlier() == {}
    record.add(row("c"))
    assert {key[0] for key in Record(store, resume=True).earlier()} == {"a", "b"}
    record.flush()
    assert {key[0] for key in Record(store, resume=True).earlier()} == {"c"}
    record.close()
    assert names_of(folder) == ["c"]


def test_a_run_without_a_row_changes_nothing(store: Store, folder: Path) -> None:
    killed(store, "a")
    before = parts_of(folder)
    Record(store).close()
    assert parts_of(folder) == before
    assert not (folder / NAME).exists()


def test_a_resumed_run_that_has_nothing_to_do_ends_what_a_killed_one_did_not(
    store: Store, folder: Path
) -> None:
    killed(store, "a")
    for _ in range(2):
        Record(store, resume=True).close()
        assert names_of(folder) == ["a"]
        assert sorted(path.name for path in folder.iterdir()) == [NAME]


def test_a_failure_that_nobody_has_any_more_goes_without_another_row(
    store: Store, folder: Path
) -> None:
    killed(store, "a")
    killed(store, "bad", resume=True, status="failed")
    Record(store, resume=True).close()
    assert names_of(folder) == ["a"]


def test_damaged_parts_are_told_and_skipped(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed(store, "0")
    record = Record(store, resume=True)
    for name in ("b", "c", "d"):
        record.add(row(name))
        record.flush()
    empty, cut, _ = parts_of(folder)
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING):
        again = Record(store, resume=True)
        assert {key[0] for key in again.earlier()} == {"0", "d"}
        again.add(row("e"))
        again.close()
    assert [str(empty) in line.message for line in caplog.records] == [True, False]
    assert all("done again" in line.message for line in caplog.records)
    assert names_of(folder) == ["0", "d", "e"]
    assert not (folder / PARTS).exists()


@pytest.mark.parametrize("resume", [True, False])
def test_a_file_of_the_records_name_that_is_none_is_refused_and_left(
    store: Store, folder: Path, resume: bool
) -> None:
    folder.mkdir()
    for data in (b"", b"my notes", b"PAR1" + bytes(40) + b"PAR1"):
        (folder / NAME).write_bytes(data)
        with pytest.raises(UsageError, match=r"record\.parquet' cannot be gone by: it is damaged"):
            Record(store, resume=resume)
    unmarked = schema().remove_metadata().empty_table()
    for table in (pa.table({"picture": ["a"], "mask": ["b"]}), unmarked):
        pq.write_table(table, folder / NAME)
        with pytest.raises(UsageError, match=r"none that this version .* wrote; move it away"):
            Record(store, resume=resume)
    assert (folder / NAME).exists()


def test_what_stands_in_a_records_way_is_told_before_any_work(store: Store, folder: Path) -> None:
    (folder / NAME).mkdir(parents=True)
    with pytest.raises(UsageError, match=r"record\.parquet' is a folder; move it away"):
        Record(store)
    (folder / NAME).rmdir()
    (folder / PARTS).write_text("notes")
    with pytest.raises(UsageError, match=r"\.record' is a file; move it away"):
        Record(store)


def test_a_record_with_damage_inside_is_refused(store: Store, folder: Path) -> None:
    record = Record(store)
    for at in range(50):
        record.add(row(f"{at}", error=f"{at**9}"))
    record.close()
    data = bytearray((folder / NAME).read_bytes())
    data[4:400] = bytes(396)
    (folder / NAME).write_bytes(data)
    with pytest.raises(UsageError, match="it is damaged"):
        Record(store, resume=True).earlier()


def test_a_part_of_another_program_is_refused(store: Store, folder: Path) -> None:
    killed(store, "a")
    pq.write_table(pa.table({"picture": ["a"]}), folder / PARTS / "part-000009.parquet")
    with pytest.raises(UsageError, match="part-000009"):
        Record(store, resume=True).earlier()
    (folder / PARTS / "part-000009.parquet").rename(folder / PARTS / "mine.parquet")
    assert len(Record(store, resume=True).earlier()) == 1
    Record(store).add(row("b"))
    killed(store, "b")
    assert (folder / PARTS / "mine.parquet").exists()


def test_without_pyarrow_the_line_to_type_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[cluster\]"'):
        Record(store)


def test_behind_a_url_rows_wait_longer_and_are_found_again() -> None:
    store = open_store("memory://of-records/out")
    clock = Clock()
    record = Record(store, clock=clock)
    record.add(row("b"))
    clock.now += FLUSH_URL_S - 1
    record.tick()
    parts = open_store("memory://of-records/out/.record")
    assert parts.entries() == []
    clock.now += 1
    record.tick()
    assert [entry.name for entry in parts.entries()] == ["part-000001.parquet"]
    again = Record(store, resume=True)
    assert {key[0] for key in again.earlier()} == {"b"}
    again.add(row("a"))
    again.close()
    assert parts.entries() == []
    assert [entry.name for entry in store.entries()] == [NAME]
    assert [
        one["picture"] for one in pq.read_table(pa.BufferReader(store.read(NAME))).to_pylist()
    ] == ["a", "b"]
