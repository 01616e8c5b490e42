"""Where bands, tiles and frequencies lie, against plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.export.bands import Bands, bands_of, frequency_groups
from lama_edge.export.expressions import Expression, best_divisor, extent, stacked
from lama_edge.export.graph_builder import GraphBuilder

SIDE = st.integers(2, 40)


def _values(
    write: Callable[[GraphBuilder, ir.Value], Sequence[ir.Value]], shape: tuple[int, ...]
) -> list[np.ndarray]:
    """Run what is written for a float32 map of this shape."""
    b = GraphBuilder(17)
    x = ir.val("x", ir.DataType.FLOAT, shape)
    outputs = write(b, x)
    first, *_ = outputs
    model = b.build([x], first, name="values", ir_version=8)
    for output in outputs[1:]:
        model.graph.outputs.append(output)
    for output in outputs:
        output.type = ir.TensorType(output.dtype or ir.DataType.INT64)
    session = ort.InferenceSession(
        ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return [np.asarray(value) for value in session.run(None, {"x": np.zeros(shape, np.float32)})]


def _bands(batch: int, height: int, width: int) -> dict[str, np.ndarray]:
    names = list(Bands.__dataclass_fields__)

    def write(b: GraphBuilder, x: ir.Value) -> list[ir.Value]:
        bands = bands_of(b, x)
        return [getattr(bands, name) for name in names]

    return dict(zip(names, _values(write, (batch, 1, height, width, 1)), strict=True))


def _reflected(position: int, length: int) -> int:
    position = abs(position)
    return max(0, length - 1 - abs(length - 1 - position))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.integers(1, 3), height=SIDE, width=SIDE)
def test_every_pixel_is_in_one_band_and_its_tile_sees_what_is_around_it(
    batch: int, height: int, width: int
) -> None:
    found = _bands(batch, height, width)
    (pixels,) = found["pixels"]
    rows, rest = divmod(int(pixels), width)
    assert rest == 0
    assert height % rows == 0
    count = batch * height // rows
    down, across = -(-rows // 4), -(-width // 4)
    assert found["seen"].shape == (count, 36, down * across)
    assert found["place"].shape == (pixels,)
    for band in (0, count // 2, count - 1):
        image, first = divmod(band * rows, height)
        for pixel in {0, int(pixels) // 2, int(pixels) - 1}:
            y, x = divmod(pixel, width)
            within, tile = divmod(int(found["place"][pixel]), down * across)
            assert within == y % 4 * 4 + x % 4
            # The nine pixels around it, among the 36 that its tile sees.
            for dy in range(3):
                for dx in range(3):
                    seen = found["seen"][band, (within // 4 + dy) * 6 + within % 4 + dx, tile]
                    line = _reflected(first + y + dy - 1, height)
                    expected = (image * height + line) * width + _reflected(x + dx - 1, width)
                    assert seen == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.integers(1, 3), height=SIDE, width=SIDE)
def test_bands_and_groups_lead_to_every_line_of_a_spectrum_once(
    batch: int, height: int, width: int
) -> None:
    bins = width // 2 + 1
    found = _bands(batch, height, width)
    assert found["bins"] == [bins]
    # [N,F,H] read in the order [N,H,F].
    lines = np.arange(batch * bins * height).reshape(batch, bins, height)
    assert np.array_equal(found["spectrum"].ravel(), np.moveaxis(lines, 1, 2).ravel())
    (groups,) = _values(lambda b, x: [frequency_groups(b, x)], (batch, 1, height, bins, 1))
    lines = np.arange(batch * height * bins).reshape(batch, height, bins)
    assert np.array_equal(groups.ravel(), np.moveaxis(lines, 1, 2).ravel())
    assert groups.shape[1] % height == 0


@pytest.mark.parametrize(
    ("height", "width", "rows"),
    [(64, 64, 32), (128, 128, 16), (256, 256, 8), (96, 128, 16), (127, 64, 127), (2, 2, 2)],
)
def test_a_band_has_about_128_tiles_where_its_rows_divide(
    height: int, width: int, rows: int
) -> None:
    assert _bands(1, height, width)["pixels"] == [rows * width]


def test_expressions_compute_what_arrays_do() -> None:
    def write(b: GraphBuilder, x: ir.Value) -> list[ir.Value]:
        n = extent(b, x, 0)
        steps = n.steps()
        return [
            (steps - 3).reflected(n - 2).value,
            steps.tiles(4).value,
            stacked([steps, -steps], 1).value,
            (steps * 2 % 5).where((steps % 2).equals(0), 9).value,
            best_divisor(n, _costs(b, [3, 1, 2, 0, 1, 5, 1, 1, 0, 1, 1, 4]), steps + 1).value,
        ]

    reflected, tiles, pair, picked, divisor = _values(write, (12,))
    assert reflected.tolist() == [3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert tiles.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert np.array_equal(pair, np.stack([np.arange(12), -np.arange(12)], 1))
    assert picked.tolist() == [0, 9, 4, 9, 3, 9, 2, 9, 1, 9, 0, 9]
    assert divisor == [4]


def _costs(b: GraphBuilder, costs: list[int]) -> Expression:
    return Expression(b, b.constant("costs", np.array(costs, np.float32)), "float32")
