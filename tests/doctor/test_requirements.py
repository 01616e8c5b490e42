"""What lama-edge asks for is read as pip reads it."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging import requirements as pips
from packaging.utils import canonicalize_name

from lama_edge.doctor.requirements import installed_extras, read

LINES = metadata.requires("lama-edge") or []
VERSIONS = ("0.9", "1.16.3", "1.17", "1.5.1", "1.6", "2.13.0+cpu", "2.14", "9.0", "10", "20260101")


@pytest.mark.parametrize("line", LINES)
def test_each_line_of_ours_is_read_as_pip_reads_it(line: str) -> None:
    theirs = pips.Requirement(line)
    ours = read(line)
    extra = next(
        (
            one
            for one in metadata.metadata("lama-edge").get_all("Provides-Extra") or []
            if f'extra == "{one}"' in line
        ),
        "",
    )
    applies = theirs.marker is None or theirs.marker.evaluate({"extra": extra})
    assert (ours is not None) == applies
    if ours is None:
        return
    assert (ours.name, ours.extra) == (canonicalize_name(theirs.name), extra)
    assert set(ours.extras) == theirs.extras
    for version in VERSIONS:
        assert ours.takes(version) == (version in theirs.specifier), version


def test_an_extra_holds_what_the_extras_in_it_ask_for() -> None:
    found = {one.name: one for one in installed_extras()}
    assert {"numpy", "pillow"} <= found[""].installed.keys() | {*found[""].missing}
    export = found["export"].installed.keys() | {*found["export"].missing}
    assert {"onnx", "psutil"} <= export
    # What builds the site is of no use beside a wheel.
    assert not {"dev", "docs"} & found.keys()
