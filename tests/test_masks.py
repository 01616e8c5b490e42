"""Which pixels of a mask are hole: channels, transparency, growth, masks the wrong way round."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from places import DATA

from lama_edge.errors import PictureError, UsageError
from lama_edge.imaging import masks, reading
from lama_edge.imaging.masks import MaskRules, grown, hole_of, read_mask

CASES = DATA / "cases"
COLOURS = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (120, 60, 200), (1, 0, 0)]


def disc(height: int = 30, width: int = 40) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - 12) ** 2 + (columns - 17) ** 2 < 64


def layer(colour: tuple[int, ...], alpha: np.ndarray, under: tuple[int, ...]) -> np.ndarray:
    """Return RGBA [H,W,4] of one colour, of another where it is wholly transparent."""
    colours = np.where((alpha > 0)[:, :, None], np.uint8(colour), np.uint8(under))
    return np.dstack([colours, alpha.astype(np.uint8)])


def saved(image: Image.Image, suffix: str, **options: object) -> Image.Image:
    """Return an image as it comes back from a file."""
    file = io.BytesIO()
    image.save(file, suffix, **options)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("under", ["same", "black", "white", "noise"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_shape_in_alpha_alone_is_the_hole(colour: tuple[int, int, int], under: str) -> None:
    hole = disc()
    rgba = layer(colour, hole * 255, {"black": (0,) * 3, "white": (255,) * 3}.get(under, colour))
    if under == "noise":
        rgba[~hole, :3] = np.random.default_rng(1).integers(0, 256, ((~hole).sum(), 3))
    read = read_mask(saved(Image.fromarray(rgba), "PNG"))
    np.testing.assert_array_equal(read.hole, hole)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("kind", ["LA", "PA", "palette", "gif", "grey key", "colour key"])
def test_whatever_a_file_calls_alpha_counts(
    kind: str, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    hole, other = disc(), 128
    grey = np.where(hole, level, other).astype(np.uint8)
    if kind in ("LA", "PA"):
        mask = Image.new(kind, hole.shape[::-1])
        mask.frombytes(np.dstack([grey, hole * np.uint8(255)]).tobytes())
        if kind == "PA":
            mask.putpalette([index for index in range(256) for _ in range(3)])
    elif kind in ("palette", "gif"):
        indices = Image.fromarray(np.where(hole, 1, 2).astype(np.uint8), "P")
        indices.putpalette([9, 9, 9, *[level] * 3, *[other] * 3])
        mask = saved(indices, "PNG" if kind == "palette" else "GIF", transparency=2)
    elif kind == "grey key":
        mask = saved(Image.fromarray(grey), "PNG", transparency=other)
    else:
        mask = saved(Image.fromarray(grey).convert("RGB"), "PNG", transparency=(other,) * 3)
    read = read_mask(mask)
    assert read.channel == "alpha"
    np.testing.assert_array_equal(read.hole, hole)
    assert "read from its alpha" in caplog.text


@pytest.mark.parametrize("colour", ["black", "white"])
def test_the_given_masks_have_the_hole_of_the_plain_one(colour: str) -> None:
    plain = hole_of(reading.load_mask(CASES / "mask.png"))
    read = read_mask(reading.load_mask(CASES / f"mask-alpha-{colour}.png"))
    np.testing.assert_array_equal(read.hole, plain)
    assert read.channel == "alpha"


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(0, 99), st.sampled_from([255, 128]))
def test_a_canvas_stroke_with_soft_edges_has_one_colour(
    colour: tuple[int, int, int], seed: int, most: int
) -> None:
    alpha = np.random.default_rng(seed).integers(0, most + 1, (9, 8, 1))
    alpha[0, 0] = 0
    stored = np.rint(np.array(colour) * alpha / 255)
    straight = np.rint(stored * 255 / np.maximum(alpha, 1)).clip(0, 255)
    mask = Image.fromarray(np.dstack([straight, alpha]).astype(np.uint8))
    np.testing.assert_array_equal(hole_of(mask), alpha[:, :, 0] > 0)


def two_shapes() -> tuple[Image.Image, np.ndarray, np.ndarray]:
    grey, alpha = disc(), disc()[::-1, ::-1]
    mask = np.dstack([*[grey * np.uint8(255)] * 2, grey * np.uint8(9), alpha * np.uint8(255)])
    return Image.fromarray(mask), grey, alpha


def test_two_shapes_are_refused_until_one_is_chosen() -> None:
    mask, grey, alpha = two_shapes()
    with pytest.raises(PictureError, match=r"mask_rules\.channel='grey' or 'alpha'$") as refused:
        read_mask(mask)
    assert refused.value.code == "mask_unclear"
    np.testing.assert_array_equal(read_mask(mask, MaskRules("grey")).hole, grey)
    read = read_mask(mask, MaskRules("alpha", invert=True))
    np.testing.assert_array_equal(read.hole, ~alpha)


@pytest.mark.parametrize(("colour", "alpha"), [((0, 0, 0), 128), ((255, 255, 255), 0)])
def test_a_mask_without_any_shape_whose_readings_differ_is_refused(
    colour: tuple[int, ...], alpha: int
) -> None:
    with pytest.raises(PictureError, match="its alpha"):
        read_mask(Image.new("RGBA", (5, 4), (*colour, alpha)))


@pytest.mark.parametrize("alpha", [0, 7, 255])
def test_alpha_without_a_shape_leaves_the_grey_mask(alpha: int) -> None:
    hole = disc()
    mask = np.dstack([*[hole * np.uint8(255)] * 3, np.full(hole.shape, alpha, np.uint8)])
    read = read_mask(Image.fromarray(mask))
    assert read.channel == "grey"
    np.testing.assert_array_equal(read.hole, hole)


def test_an_opaque_mask_of_one_colour_stays_what_it_was() -> None:
    assert not hole_of(Image.new("RGBA", (5, 4), (0, 0, 0, 255))).any()
    assert hole_of(Image.new("RGBA", (5, 4), (9, 9, 9, 255))).all()


@pytest.mark.parametrize("channel", ["red", "green", "blue"])
def test_one_colour_counts_where_it_is_asked_for(channel: str) -> None:
    levels = np.random.default_rng(3).integers(0, 3, (9, 8, 3), dtype=np.uint8)
    rules = MaskRules(channel)  # type: ignore[arg-type]
    index = ("red", "green", "blue").index(channel)
    read = read_mask(Image.fromarray(levels), rules)
    np.testing.assert_array_equal(read.hole, levels[:, :, index] > 0)
    assert read.channel == channel
    grey = read_mask(Image.fromarray(levels[:, :, 0]), rules)
    np.testing.assert_array_equal(grey.hole, levels[:, :, 0] > 0)
    assert grey.channel == "grey"


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "F", "1"])
def test_alpha_is_not_made_up(mode: str) -> None:
    with pytest.raises(PictureError, match=f"no alpha \\(its mode is {mode}\\)") as refused:
        read_mask(Image.new(mode, (5, 4)), MaskRules("alpha"))
    assert refused.value.code == "mask_without_alpha"


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 40), st.integers(0, 9))
def test_the_hole_grows_by_a_disc(height: int, width: int, pixels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hole = rng.random((height, width)) < 0.004
    rows, columns = np.mgrid[:height, :width]
    expected = hole.copy()
    for row, column in np.argwhere(hole):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= pixels**2
    before = hole.copy()
    np.testing.assert_array_equal(grown(hole, pixels), expected)
    np.testing.assert_array_equal(hole, before)


def test_the_hole_is_turned_round_before_it_grows() -> None:
    levels = np.full((9, 9), 7, np.uint8)
    levels[4, 4] = 0
    read = read_mask(levels, MaskRules(grow=1, invert=True))
    assert [tuple(place) for place in np.argwhere(read.hole)] == [
        (3, 4), (4, 3), (4, 4), (4, 5), (5, 4)
    ]  # fmt: skip
    np.testing.assert_array_equal(hole_of(read, MaskRules(grow=3)), read.hole)


@pytest.mark.parametrize(("known", "warned"), [(9, True), (10, False), (0, True)])
def test_a_hole_of_nearly_everything_is_doubted(
    known: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hole = np.ones((10, 10), bool)
    hole.flat[:known] = False
    assert read_mask(hole, MaskRules(grow=2)).mostly_hole == warned
    assert ("say mask_rules.invert" in caplog.text) == warned
    caplog.clear()
    assert read_mask(~hole, MaskRules(invert=True)).mostly_hole == warned
    assert ("leave out mask_rules.invert" in caplog.text) == warned


@pytest.mark.parametrize("grow", [-1, masks.MAX_GROW + 1, 1.5])
def test_growth_out_of_range_is_refused(grow: float) -> None:
    with pytest.raises(UsageError, match=f"by {grow} pixels: give a whole number from 0 to 1024"):
        MaskRules(grow=grow)  # type: ignore[arg-type]


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no channel 'cyan': choose one of auto, grey, alpha"):
        MaskRules("cyan")  # type: ignore[arg-type]


def test_opaque_levels_next_to_each_other_are_two_colours() -> None:
    mask, grey, _ = two_shapes()
    levels = np.asarray(mask).copy()
    levels[:, :, :3] = grey[:, :, None]
    with pytest.raises(PictureError, match=r"mask_rules\.channel"):
        read_mask(Image.fromarray(levels))
