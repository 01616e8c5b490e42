"""How figures are spelled, and where the charts put them."""

from __future__ import annotations

import pytest

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.svg import latency_limit, linear_scale, log_scale, round_up


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (None, "–"), (0, "0 µs"), (0.2, "200 µs"), (0.9999, "1.00 ms"), (41.26, "41.3 ms"),
        (999.4, "999 ms"), (999.6, "1.00 s"), (60_180, "60.2 s"), (900_000, "15.0 min"),
    ],
)  # fmt: skip
def test_durations_get_the_unit_that_fits(value_ms: float | None, text: str) -> None:
    assert figures.duration(value_ms).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1536, "1.50 KiB"), (1 << 20, "1.00 MiB"), (1_717_986_918, "1.60 GiB")],
)
def test_memory_has_binary_units(value: int, text: str) -> None:
    assert figures.memory(value).replace("\u00a0", " ") == text


def test_files_have_decimal_units() -> None:
    assert figures.file_size(204_100_000).replace("\u00a0", " ") == "204 MB"
    assert figures.file_size(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0"), (1.53e-6, "1.5e-6"), (1e-4, "1e-4"), (0.214, "0.21"), (1.0, "1")],
)
def test_differences_are_short(value: float | None, text: str) -> None:
    assert figures.scientific(value) == text


def test_a_small_share_is_not_called_none() -> None:
    assert figures.percent(0.00001).replace("\u00a0", " ") == "<0.01 %"
    assert figures.percent(0.0).replace("\u00a0", " ") == "0.00 %"
    assert figures.percent(0.314).replace("\u00a0", " ") == "31.4 %"


@pytest.mark.parametrize("largest", [0.0, 1e-3, 0.2, 41.3, 999.0, 6230.0, 60_180.0, 5e6])
def test_a_linear_axis_ends_at_a_round_value_above_everything(largest: float) -> None:
    scale = linear_scale(largest, figures.duration_unit)
    assert scale.top >= largest
    assert scale.ticks[0] == (0, "0")
    assert scale.ticks[-1][0] == 100
    assert 2 <= len(scale.ticks) <= 7
    assert len({text for _, text in scale.ticks}) == len(scale.ticks)
    assert scale.position(scale.top / 2) == 50


def test_one_outlier_does_not_shrink_all_bars() -> None:
    assert latency_limit([[10.0, 11.0, 900.0], [5.0]], [12.0, 5.0]) == 18.0
    assert latency_limit([[10.0, 13.0]], [12.0]) == 13.0


def test_a_logarithmic_axis_keeps_the_order_of_its_values() -> None:
    scale = log_scale([1.5e-6, 1e-4, 0.21, 0.0])
    places = [scale.position(value) for value in (0.0, 1.5e-6, 1e-4, 0.21)]
    assert places == sorted(places)
    assert len(set(places)) == 4
    assert scale.ticks[-1] == (100.0, "1")


def test_round_values_are_one_two_and_five() -> None:
    assert [round_up(v) for v in (1.0, 1.1, 2.1, 5.1)] == [1.0, 2.0, 5.0, 10.0]
