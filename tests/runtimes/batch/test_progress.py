"""How far a run is: counted, with a speed of late, the time left and the slowest worker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lama_edge.runtimes.batch.progress import WINDOW_PICTURES, Slowest, Tally
from lama_edge.runtimes.batch.rows import Row, Status


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def row(status: Status = "written", *, picture: str = "x.png", **known: Any) -> Row:
    return Row(picture=picture, status=status, **{"attempts": 1, "seconds": 2.0, **known})


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_run_is_counted(clock: Clock) -> None:
    tally = Tally(10, clock=clock)
    clock.now += 7
    tally.workers = 2
    for status in ("written", "written", "unchanged", "failed"):
        tally.add(row(status, error="no"))
    told = tally.progress()
    assert (told.total, told.written, told.unchanged, told.failed, told.done) == (10, 2, 1, 1, 4)
    assert (told.workers, told.seconds, told.waiting) == (2, 7.0, "")
    assert json.loads(json.dumps(told.to_dict()))["done"] == 4


def test_before_the_first_picture_nobody_knows_how_long_it_takes(clock: Clock) -> None:
    tally = Tally(10, clock=clock)
    tally.waiting = "no workers"
    clock.now += 5
    told = tally.progress()
    assert (told.pictures_per_second, told.seconds_left, told.waiting) == (0.0, None, "no workers")


def test_while_a_run_waits_nobody_knows_how_long_it_takes(clock: Clock) -> None:
    tally = Tally(10, clock=clock)
    clock.now += 5
    tally.add(row(seconds=1))
    clock.now += 1
    assert tally.progress().seconds_left is not None
    tally.waiting = "no workers"
    assert tally.progress().seconds_left is None


def test_the_speed_begins_with_the_work_and_not_with_opening_models(clock: Clock) -> None:
    tally = Tally(11, clock=clock)
    clock.now += 30
    tally.add(row(seconds=2.0))
    told = tally.progress()
    assert (told.pictures_per_second, told.seconds_left) == (0.5, 20.0)


def test_what_was_not_worked_on_is_no_speed(clock: Clock) -> None:
    tally = Tally(1000, clock=clock)
    clock.now += 2
    for at in range(500):
        tally.add(row("unchanged"))
        tally.add(row("failed", picture=f"{at}.png", error="no mask", attempts=0))
    assert tally.progress().pictures_per_second == 0.0
    assert tally.progress().seconds_left == 0.0
    assert tally.summary("r").pictures_per_second == 0.0


def test_the_speed_is_that_of_late(clock: Clock) -> None:
    tally = Tally(10_000, clock=clock)
    for _ in range(200):
        clock.now += 1
        tally.add(row(seconds=1.0))
    assert tally.progress().pictures_per_second == pytest.approx(1.0)
    for _ in range(300):
        clock.now += 0.25
        tally.add(row(seconds=0.25))
    assert tally.progress().pictures_per_second == pytest.approx(4.0)
    assert tally.progress().seconds_left == pytest.approx(9500 / 4)


def test_the_speed_is_not_that_of_the_last_burst(clock: Clock) -> None:
    tally = Tally(100, clock=clock)
    for _ in range(30):
        clock.now += 0.1
        tally.add(row(seconds=0.1))
    clock.now += 27
    assert tally.progress().pictures_per_second == pytest.approx(1.0)


def test_slow_pictures_have_a_speed_too_and_a_stall_lowers_it(clock: Clock) -> None:
    tally = Tally(100, clock=clock)
    for _ in range(WINDOW_PICTURES + 5):
        clock.now += 100
        tally.add(row(seconds=100.0))
    assert tally.progress().pictures_per_second == pytest.approx(0.01)
    clock.now += 2000
    assert tally.progress().pictures_per_second == pytest.approx(0.005)


def test_the_slowest_worker_is_told_by_its_median(clock: Clock) -> None:
    tally = Tally(100, clock=clock)
    for seconds in (1.0, 1.0, 50.0):
        tally.add(row(worker="quick", seconds=seconds))
    assert tally.progress().slowest is None, "there is one alone"
    tally.add(row(worker="slow", seconds=3.0))
    tally.add(row(worker="slow", seconds=3.0))
    assert tally.progress().slowest is None, "two pictures tell little"
    tally.add(row(worker="slow", seconds=2.0))
    assert tally.progress().slowest == Slowest("slow", 3.0, 3)
    assert tally.progress().to_dict()["slowest"] == {
        "worker": "slow",
        "seconds": 3.0,
        "pictures": 3,
    }


def test_a_worker_that_is_gone_is_not_the_slowest(clock: Clock) -> None:
    tally = Tally(100, clock=clock)
    for name, seconds in (("gone", 5.0), ("a", 1.0), ("b", 2.0)):
        for _ in range(3):
            tally.add(row(worker=name, seconds=seconds))
    assert tally.progress().slowest == Slowest("gone", 5.0, 3)
    clock.now += 61
    for name in ("a", "b"):
        tally.add(row(worker=name, seconds=1.0))
    assert tally.progress().slowest == Slowest("b", 2.0, 4)


def test_the_summary_names_every_failure_also_of_one_picture_with_several_masks(
    clock: Clock,
) -> None:
    tally = Tally(4, clock=clock)
    tally.workers = 3
    tally.progress()
    tally.workers = 1
    clock.now += 4
    tally.add(row())
    tally.add(row("failed", picture="b.png", mask="b_mask1.png", error="one"))
    tally.add(row("failed", picture="b.png", mask="b_mask2.png", error="two"))
    tally.add(row("unchanged"))
    summary = tally.summary("out/record.parquet")
    assert summary.failed == {"b.png": "one", "b.png with b_mask2.png": "two"}
    assert (summary.written, summary.unchanged, summary.total) == (1, 1, 4)
    assert (summary.seconds, summary.pictures_per_second, summary.workers) == (4.0, 0.75, 3)
    assert json.loads(json.dumps(summary.to_dict()))["record"] == "out/record.parquet"
    assert tally.progress().failed == 2
