"""Where bands, tiles and frequencies lie, against plain loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lama_edge.exporters.graph.bands.extents import Bands, bands_of, frequency_groups
from lama_edge.exporters.graph.builder import GraphBuilder

# Of these sizes each is one band and one group of frequencies.
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


def _several_bands(test: Callable[..., None]) -> Callable[..., None]:
    """Add sizes of several bands: of whole tiles, of tiles cut short, and a prime height."""
    for batch, height, width in ((1, 64, 64), (2, 62, 100), (1, 96, 130), (2, 67, 50)):
        test = example(batch=batch, height=height, width=width)(test)
    return test


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.integers(1, 3), height=SIDE, width=SIDE)
@_several_bands
def test_every_pixel_is_in_one_band_and_its_tile_sees_what_is_around_it(
    batch: int, height: int, width: int
) -> None:
    found = _bands(batch, height, width)
    assert found["height"].tolist() == [height]
    assert found["width"].tolist() == [width]
    (pixels,) = found["pixels"]
    rows, rest = divmod(int(pixels), width)
    assert rest == 0
    assert height % rows == 0
    count, across = batch * height // rows, -(-width // 4)
    tiles = -(-rows // 4) * across
    assert found["seen"].shape == (count, 36, tiles)
    y, x = (axis.ravel() for axis in np.mgrid[:rows, :width])
    tile = y // 4 * across + x // 4
    assert np.array_equal(found["place"], (y % 4 * 4 + x % 4) * tiles + tile)
    # Of the 36 pixels that a tile sees, results use the nine around each pixel of the band.
    images = np.arange(batch * height * width).reshape(batch, height, width)
    around = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    seen = found["seen"].reshape(count, 6, 6, tiles)
    for dy in range(3):
        for dx in range(3):
            expected = around[:, dy : dy + height, dx : dx + width].reshape(count, -1)
            assert np.array_equal(seen[:, y % 4 + dy, x % 4 + dx, tile], expected)
    # Those that no result uses are pixels, too.
    assert 0 <= seen.min() <= seen.max() < images.size


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batch=st.integers(1, 3), height=SIDE, width=SIDE)
@_several_bands
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
    [
        (64, 64, 32),
        (128, 128, 16),
        (256, 256, 8),
        (96, 128, 16),
        # Bands that end within a tile, and heights of one band.
        (62, 100, 31),
        (127, 64, 127),
        (2, 2, 2),
    ],
)
def test_a_band_has_about_128_tiles_where_its_rows_divide(
    height: int, width: int, rows: int
) -> None:
    assert _bands(1, height, width)["pixels"] == [rows * width]


@pytest.mark.parametrize(
    ("height", "bins", "together"),
    [(64, 33, 11), (128, 65, 5), (256, 129, 3), (8, 5, 5), (1100, 7, 1)],
)
def test_a_group_has_about_1024_lines_where_its_frequencies_divide(
    height: int, bins: int, together: int
) -> None:
    (groups,) = _values(lambda b, x: [frequency_groups(b, x)], (1, 1, height, bins, 1))
    assert groups.shape == (bins // together, together * height)
