"""The plan of stages that a dynamic graph carries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lama_edge.errors import ModelError
from lama_edge.stages import Stage, StagePlan

PLAN = StagePlan(
    scale=8,
    align=1,
    stages=(
        Stage("encoder", ("image", "mask"), ("local", "global"), halo=(2, 1)),
        Stage("constants", (), ("matrix",), whole=("local",)),
        Stage("channels", (), ("spectrum",), pointwise=("global",), whole=("matrix",)),
        Stage("frequencies", (), ("mixed",), pointwise=("spectrum",)),
        Stage(
            "bands",
            ("local",),
            ("sum",),
            pointwise=("mixed",),
            halo=(1, 1),
            align=4,
            like=("global", "local"),
        ),
        Stage("decoder", ("sum",), ("inpainted",), pointwise=("image", "mask"), halo=(1, 2)),
    ),
)


def test_a_plan_survives_its_own_json() -> None:
    again = StagePlan.from_json(PLAN.to_json())
    assert again == PLAN
    assert [stage.like for stage in again.stages] == [()] * 4 + [("global", "local"), ()]


def test_the_json_is_canonical() -> None:
    text = PLAN.to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_another_version_is_refused_with_advice() -> None:
    for version in (1, 99):
        data = {**json.loads(PLAN.to_json()), "version": version}
        # All of the message, which is one line: a dot is anything but a line's end.
        with pytest.raises(ModelError, match=rf"^.*version {version}.*export the model again.*\Z"):
            StagePlan.from_json(json.dumps(data))


def test_the_text_of_version_1_is_told_from_a_damaged_one() -> None:
    """It has no `like`, which must not be what the message is about."""
    data = json.loads(PLAN.to_json())
    for stage in data["stages"]:
        del stage["like"]
    with pytest.raises(ModelError, match="KeyError"):
        StagePlan.from_json(json.dumps(data))
    with pytest.raises(ModelError, match="stages have version 1; this release reads 2"):
        StagePlan.from_json(json.dumps({**data, "version": 1}))


@pytest.mark.parametrize("damage", ["", "[]", "{}", "null", '{"version": 2}', "{", "[" * 100_000])
def test_a_damaged_text_is_refused(damage: str) -> None:
    with pytest.raises(ModelError, match="stages cannot be read"):
        StagePlan.from_json(damage)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("scale",), 0, "scale is 0"),
        (("scale",), 8.0, r"scale is 8\.0"),
        (("align",), True, "align is True"),
        (("stages",), [], "encoder must come first"),
        (("stages", 0, "kind"), "bands", "encoder must come first"),
        (("stages", 4, "kind"), "decoder", "each once"),
        (("stages", 4, "like"), ["global", "sum"], "takes extents of what it does not read"),
        (("stages", 4, "like"), ["local", "mixed"], "takes extents of what it does not read"),
        (("stages", 4, "like"), ["global"], "takes extents of what it does not read"),
        (("stages", 4, "like"), ["global", "local", "mixed"], "takes extents of what it does"),
        (("stages", 4, "like"), ["local", "local"], "takes extents of what it does not read"),
        (("stages", 4, "like"), [3, "local"], "names expected"),
        (("stages", 4, "like"), "ab", "names expected, not 'ab'"),
        (("stages", 2, "kind"), "rows", "unknown kind 'rows'"),
        (("stages", 2, "kind"), ["bands"], "unknown kind a list"),
        (("stages", 2, "halo"), [1], "not enough values"),
        (("stages", 4, "halo"), [1, -1], "halo is -1"),
        (("stages", 4, "halo"), [1, 10**30], r"number of 100 bits at stages\[4\]\.halo\[1\]"),
        (("stages", 4, "inputs"), ["globe"], "no stage gives 'globe'|takes extents"),
        (("stages", 2, "whole"), ["sum"], "no stage gives 'sum' before it is read"),
        (("stages", 4, "inputs"), "local", "names expected, not 'local'"),
        (("stages", 3, "outputs"), [3], "names expected"),
        (("stages", 3, "outputs"), [], "gives nothing"),
        (("stages", 2, "pointwise"), [], "reads nothing piece by piece"),
    ],
)
def test_a_plan_that_no_export_writes_is_refused(
    path: tuple[Any, ...], value: object, message: str
) -> None:
    data = json.loads(PLAN.to_json())
    *parents, last = path
    inner = data
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ModelError, match=message):
        StagePlan.from_json(json.dumps(data))


def test_more_stages_than_any_generator_has_are_refused() -> None:
    data = json.loads(PLAN.to_json())
    data["stages"][1:1] = [data["stages"][1]] * 1024
    with pytest.raises(ModelError, match="more than 1024 stages"):
        StagePlan.from_json(json.dumps(data))
