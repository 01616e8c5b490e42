"""Two results of a fleet: device by device, and only under like conditions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lama_edge.benchmarks.bench.compare import Comparison
from lama_edge.benchmarks.fleet.compare import compare_fleets
from lama_edge.errors import LamaEdgeError, UsageError

Document = dict[str, Any]


def _fleet(**results: Document | str) -> Document:
    return {
        "devices": [
            {
                "name": name,
                "target": "ssh",
                "result": None if isinstance(result, str) else result,
                "error": result if isinstance(result, str) else None,
            }
            for name, result in results.items()
        ]
    }


@pytest.fixture
def laptop(bench_documents: list[Document]) -> Document:
    return bench_documents[1]


def test_devices_are_paired_by_name(laptop: Document) -> None:
    slower = copy.deepcopy(laptop)
    for run in slower["runs"]:
        for one in run["rounds"]:
            one["samples_ms"] = [2 * sample for sample in one["samples_ms"]]
    found = compare_fleets(_fleet(a=laptop, b=laptop), _fleet(b=slower, a=laptop))
    assert [*found] == ["a", "b"]
    same, worse = found.values()
    assert isinstance(same, Comparison)
    assert isinstance(worse, Comparison)
    assert (same.regressed, worse.regressed) == (False, True)


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"a": "nobody answers"}, "no result in the new document: nobody answers"),
        ({}, "not in the new document"),
        ({"a": {"environment": {"chip": "another"}}}, r"environment\.chip"),
    ],
)
def test_what_cannot_be_compared_is_said_of_the_device_alone(
    laptop: Document, new: Document, words: str
) -> None:
    changed = {
        name: value
        if isinstance(value, str)
        else {**laptop, "environment": {**laptop["environment"], **value["environment"]}}
        for name, value in new.items()
    }
    found = compare_fleets(_fleet(a=laptop, b=laptop), _fleet(**changed, b=laptop))
    assert isinstance(found["a"], LamaEdgeError)
    with pytest.raises(UsageError, match=words):
        raise found["a"]
    assert isinstance(found["b"], Comparison)


def test_fleets_without_a_common_device_are_refused(laptop: Document) -> None:
    with pytest.raises(UsageError, match="no device is in both documents: a against b, c"):
        compare_fleets(_fleet(a=laptop), _fleet(b=laptop, c="dead"))
