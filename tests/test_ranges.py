"""Ranges by layer and branch, and what is too large or too small for a number format."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.judging.ranges import ValueRange, branch_of, layer_of, layer_ranges, marks_of


def _range(
    name: str, largest: float, op: str = "Conv", not_finite: int = 0, **by_size: float
) -> ValueRange:
    low, high = np.array([-largest / 2, 0], np.float32), np.array([0, largest], np.float32)
    sizes = {key.removeprefix("at_"): value for key, value in by_size.items()} or {"8x8": largest}
    return ValueRange(name, op, low, high, (0.1, 0.2, 0.3, 0.4), sizes, not_finite)


@pytest.mark.parametrize(
    ("name", "layer", "branch"),
    [
        ("input.known", "input", "whole"),
        ("stem.conv_relu", "stem", "whole"),
        ("down2.local", "down2", "local"),
        ("down2.global_relu", "down2", "global"),
        ("dft.column_cos", "dft", "matrices"),
        ("block03.conv1.pad_global", "block03.conv1", "global"),
        ("block03.conv1.local_to_local", "block03.conv1", "local"),
        ("block03.conv1.global_to_local", "block03.conv1", "local"),
        ("block03.conv1.local_to_global", "block03.conv1", "global"),
        ("block03.conv1.local_relu", "block03.conv1", "local"),
        ("block03.conv1.spectral.reduce", "block03.conv1", "spectrum"),
        ("block03.conv1.spectral.fourier_re", "block03.conv1", "spectrum"),
        ("block03.local", "block03", "local"),
        ("block03.global", "block03", "global"),
        ("block00.relu", "block00", "whole"),
        ("block00.conv1.dilation2", "block00.conv1", "whole"),
        ("up1.conv10_relu", "up1", "whole"),
        ("predicted", "predicted", "whole"),
    ],
)
def test_a_name_tells_the_layer_and_the_branch(name: str, layer: str, branch: str) -> None:
    assert (layer_of(name), branch_of(name)) == (layer, branch)


@pytest.mark.parametrize(
    ("largest", "marks"),
    [
        (65504.0, ("over neural engine",)),
        (65505.0, ("over fp16",)),
        (32752.0, ()),
        (32753.0, ("over neural engine",)),
        (6.2e-5, ()),
        (6.0e-5, ("subnormal in fp16",)),
        (0.0, ()),
    ],
)
def test_marks_begin_right_beyond_the_limits(largest: float, marks: tuple[str, ...]) -> None:
    assert marks_of(largest) == marks


def test_infinities_are_marked_beside_the_rest() -> None:
    assert marks_of(7e4, not_finite=3) == ("not finite", "over fp16")


def test_layers_keep_the_graphs_order_and_name_their_largest_value() -> None:
    rows = layer_ranges(
        [
            _range("stem.pad", 9.0, "Pad"),
            _range("stem.conv", 3.0),
            _range("block00.conv1.spectral.reduce", 2.0, at_8x8=2.0, at_16x16=1.0),
            _range("block00.conv1.local", 5.0, "Add"),
            _range("block00.conv1.spectral.columns_re", 4.0, "MatMul", at_8x8=1.0, at_16x16=4.0),
            _range("block00.local", 6.0, "Add"),
        ]
    )
    assert [(row.layer, row.branch) for row in rows] == [
        ("stem", "whole"),
        ("block00.conv1", "local"),
        ("block00.conv1", "spectrum"),
        ("block00", "local"),
    ]
    assert rows[0].peak.name == "stem.conv"  # a pad only copies what came before
    assert rows[2].peak.name == "block00.conv1.spectral.columns_re"
    assert rows[2].by_size == {"8x8": 2.0, "16x16": 4.0}


def test_a_layer_carries_the_marks_of_all_its_values() -> None:
    (row,) = layer_ranges(
        [
            _range("stem.conv", 1e5),
            _range("stem.scaled", 1e-5, "Mul"),
            _range("stem.ratio", 2.0, "Div", not_finite=4),
            _range("stem.other", 2.0, "Div", not_finite=3),
        ]
    )
    assert row.marks == ("not finite", "over fp16", "subnormal in fp16")
    data = row.to_dict()
    assert (data["not_finite"], data["values"], data["peak"]) == (7, 4, "stem.conv")
