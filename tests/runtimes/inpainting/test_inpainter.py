"""The inpainter's promises, held with runners that record what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lama_edge.errors import LamaEdgeError, ModelError, PictureError, UsageError
from lama_edge.imaging import shrink, shrink_hole
from lama_edge.manifest import Manifest, Source
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.inpainting import inpainter as module
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan
from lama_edge.runtimes.vectors.model import STAND_IN
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec
from lama_edge.windows import Working, hole_windows

DYNAMIC = SizePolicy(None, 8, 16)
FIXED = SizePolicy(Size(48, 64), 8, 16)
POLICIES = {"dynamic": DYNAMIC, "fixed": FIXED}
ORIENTATION = 0x0112
SHAPES = ["L", "RGB", "RGBA"]


def gradient(height: int, width: int) -> Array:
    y, x = np.mgrid[:height, :width]
    return np.stack([y % 256, x % 256, (x + y) % 256], axis=2).astype(np.uint8)


class FakeRunner(Runner):
    """Checks what it is given, keeps it as (rgb, hole) pairs, and fills with a known picture."""

    runtime = replace(STAND_IN, host_memory=("host",))
    runtime_version = "1"
    provider = "fake"

    def __init__(
        self,
        policy: SizePolicy = DYNAMIC,
        form: IoForm = "float",
        *,
        composite: bool = True,
        fill: Callable[[int, int], Array] = gradient,
    ) -> None:
        io = io_spec(form, composite=composite)
        self.manifest = Manifest(
            format={"name": "fake"},
            io=io,
            size=policy,
            precision="fp32",
            dft="matmul",
            source=Source("0" * 64, {}, 1),
            tools={},
        )
        self.fill = fill
        self.seen: list[tuple[Array, Array]] = []
        self.closed = 0

    def run(self, image: Array, mask: Array) -> Array:
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        assert image.max() <= io.image.value_range[1]
        assert image.shape[0] == 1
        if io.form == "float":
            image, mask = image.transpose(0, 2, 3, 1) * 255, mask.transpose(0, 2, 3, 1)
            assert set(np.unique(mask)) <= {0.0, 1.0}
        hole = mask[0, :, :, 0] > 0
        self.seen.append((np.rint(image[0]).astype(np.uint8), hole))
        filled = self.fill(*hole.shape)
        if io.composite:
            filled = np.where(hole[:, :, np.newaxis], filled, image[0])
        if io.form == "uint8":
            return filled[np.newaxis].astype(np.uint8)
        return (filled.transpose(2, 0, 1)[np.newaxis] / 255).astype(np.float32)

    def close(self) -> None:
        self.closed += 1


def flat(value: int) -> Callable[[int, int], Array]:
    return lambda height, width: np.full((height, width, 3), value, np.uint8)


def picture(mode: str, height: int, width: int) -> Array:
    shape = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    return np.random.default_rng(7).integers(0, 256, (height, width, *shape), dtype=np.uint8)


def spots(height: int, width: int, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    hole = np.zeros((height, width), np.uint8)
    for _ in range(3):
        y, x = rng.integers(height), rng.integers(width)
        hole[y : y + 1 + height // 9, x : x + 1 + width // 9] = 255
    return hole


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from(SHAPES),
    st.sampled_from(["auto", "full", "crop", "resize"]),
    st.sampled_from([None, 64]),
    st.sampled_from(sorted(POLICIES)),
    st.sampled_from(["float", "uint8"]),
    st.booleans(),
    st.integers(1, 150),
    st.integers(1, 150),
    st.integers(0, 99),
)
def test_known_pixels_are_bit_identical_and_every_hole_pixel_is_filled(
    mode: str,
    strategy: module.Strategy,
    max_side: int | None,
    policy: str,
    form: IoForm,
    composite: bool,
    height: int,
    width: int,
    seed: int,
) -> None:
    pixels, mask = picture(mode, height, width) // 2, spots(height, width, seed)
    if mode == "RGBA":
        pixels[:, :, 3] += 1  # what is fully transparent keeps its value, see below
    before = pixels.copy()
    runner = FakeRunner(POLICIES[policy], form, composite=composite, fill=flat(200))
    max_side = None if strategy == "full" else max_side
    result = Inpainter(runner, strategy=strategy, max_side=max_side)(pixels, mask)
    hole = mask > 0
    np.testing.assert_array_equal(pixels, before)
    assert (result.shape, result.dtype) == (pixels.shape, np.uint8)
    np.testing.assert_array_equal(result[~hole], pixels[~hole])
    if mode == "RGBA":
        np.testing.assert_array_equal(result[:, :, 3], pixels[:, :, 3])
    colour = result[hole] if mode == "L" else result[hole][:, :3]
    shrunk = (policy == "fixed" and (height > 48 or width > 64)) or max_side is not None
    if not shrunk:
        assert (colour == 200).all()
    else:
        assert (colour >= 128).all()  # interpolation mixes in known pixels (below 128) at most
    assert runner.seen


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("strategy", ["auto", "full", "crop", "resize"])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (150, 201)])
def test_both_forms_composited_or_not_give_the_same_picture(
    policy: str, strategy: module.Strategy, size: tuple[int, int]
) -> None:
    pixels, mask = picture("RGB", *size), spots(*size)
    results = [
        Inpainter(FakeRunner(POLICIES[policy], form, composite=composite), strategy=strategy)(
            pixels, mask
        )
        for form in ("float", "uint8")
        for composite in (True, False)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_a_dynamic_model_sees_the_officially_padded_picture() -> None:
    pixels, mask = picture("RGB", 21, 35), spots(21, 35)
    runner = FakeRunner()
    result = Inpainter(runner, strategy="full")(pixels, mask)
    ((seen, hole),) = runner.seen
    np.testing.assert_array_equal(seen, np.pad(pixels, ((0, 3), (0, 5), (0, 0)), mode="symmetric"))
    np.testing.assert_array_equal(hole, np.pad(mask > 0, ((0, 3), (0, 5)), mode="symmetric"))
    np.testing.assert_array_equal(result[mask > 0], gradient(21, 35)[mask > 0])


def test_crop_runs_one_window_for_each_separate_hole() -> None:
    pixels, mask = picture("RGB", 700, 900), np.zeros((700, 900), np.uint8)
    mask[100:120, 100:130] = 1
    mask[600:610, 800:820] = 255
    runner = FakeRunner(fill=flat(9))
    result = Inpainter(runner, strategy="crop")(pixels, mask)
    windows = hole_windows(mask > 0, Working(DYNAMIC, 1024))
    assert len(windows) == len(runner.seen) == 2
    for window, (seen, hole) in zip(windows, runner.seen, strict=True):
        np.testing.assert_array_equal(seen, pixels[window.view.slices])
        np.testing.assert_array_equal(hole, mask[window.view.slices] > 0)
    assert (result[mask > 0] == 9).all()


def test_a_window_sees_the_holes_that_others_fill_as_holes_in_any_order() -> None:
    pixels, mask = picture("RGB", 500, 500), np.zeros((500, 500), np.uint8)
    mask[200:210, 200:210] = mask[270:280, 270:280] = 255
    runner = FakeRunner()
    result = Inpainter(runner, strategy="crop")(pixels, mask)
    windows = hole_windows(mask > 0, Working(DYNAMIC, 1024))
    assert len(windows) == len(runner.seen) == 2
    for window, (seen, hole) in zip(windows, runner.seen, strict=True):
        assert hole.sum() > 100  # its own hole has 100 pixels
        np.testing.assert_array_equal(hole, mask[window.view.slices] > 0)
        np.testing.assert_array_equal(seen, pixels[window.view.slices])
        fill = gradient(*hole.shape)[window.hole.within(window.view)]
        np.testing.assert_array_equal(result[window.hole.slices], fill)
    np.testing.assert_array_equal(result[mask == 0], pixels[mask == 0])


def test_auto_crops_round_small_holes_and_takes_whole_what_crops_would_nearly_see(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    for side, shape in ((2, (136, 136)), (200, (400, 504))):
        mask = np.zeros((400, 500), np.uint8)
        mask[100 : 100 + side, 180 : 180 + side] = 1
        runner = FakeRunner()
        Inpainter(runner)(picture("RGB", 400, 500), mask)
        assert runner.seen[0][1].shape == shape
    assert "crop, 1 window(s): the picture of 500x400 (width x height), of which crops see 9%" in (
        caplog.text
    )
    assert "full, 1 window(s): the picture of 500x400" in caplog.text


def test_resize_gives_the_model_the_whole_picture_shrunk() -> None:
    pixels, mask = picture("RGB", 150, 300), np.zeros((150, 300), np.uint8)
    mask[77, 51] = 1
    runner = FakeRunner(fill=flat(33))
    result = Inpainter(runner, strategy="resize", max_side=100)(pixels, mask)
    ((seen, hole),) = runner.seen
    np.testing.assert_array_equal(seen[:50, :100], shrink(pixels, 50, 100))
    np.testing.assert_array_equal(hole[:50, :100], shrink_hole(mask > 0, 50, 100))
    np.testing.assert_array_equal(result[mask == 0], pixels[mask == 0])


def test_a_crop_window_beyond_the_bound_is_shrunk_and_only_its_fill_enlarged() -> None:
    pixels, mask = picture("RGB", 600, 600) // 2, np.zeros((600, 600), np.uint8)
    mask[150:450, 150:450] = 255
    runner = FakeRunner(fill=flat(200))
    result = Inpainter(runner, strategy="crop", max_side=128)(pixels, mask)
    ((seen, _),) = runner.seen
    assert seen.shape == (128, 128, 3)
    np.testing.assert_array_equal(result[mask == 0], pixels[mask == 0])
    assert (result[158:442, 158:442] == 200).all()


class TilingRunner(FakeRunner):
    """Runs in tiles as well; counts how often it was opened so."""

    def __init__(self, policy: SizePolicy = DYNAMIC) -> None:
        super().__init__(policy, fill=flat(5))
        self.tiles: list[tuple[int | None, FakeRunner]] = []

    def tiled(self, tile: int | None = None) -> Runner:
        self.tiles.append((tile, FakeRunner(self.manifest.size, fill=flat(6))))
        return self.tiles[-1][1]


def test_tiles_are_opened_once_with_the_side_asked_for_and_closed() -> None:
    runner = TilingRunner()
    pixels, mask = picture("RGB", 90, 70), spots(90, 70)
    with Inpainter(runner, strategy="tiles", tile=128) as inpainter:
        for _ in range(2):
            assert (inpainter(pixels, mask)[mask > 0] == 6).all()
    ((tile, tiles),) = runner.tiles
    assert (tile, len(tiles.seen), tiles.closed, runner.seen) == (128, 2, 1, [])
    assert tiles.seen[0][1].shape == (96, 72)


def test_opening_for_tiles_lets_the_whole_model_go(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = TilingRunner()
    monkeypatch.setattr(module, "open_runner", lambda path, **options: runner)
    with Inpainter.open("m.onnx", strategy="tiles") as inpainter:
        assert runner.closed
        inpainter(picture("RGB", 90, 70), spots(90, 70))
    assert runner.tiles[0][1].closed


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[TilingRunner]:
    """What `open_runner` opened."""
    runners: list[TilingRunner] = []

    def open_whole(path: str, **options: Any) -> TilingRunner:
        runners.append(TilingRunner())
        return runners[-1]

    monkeypatch.setattr(module, "open_runner", open_whole)
    return runners


def test_another_strategy_after_opening_for_tiles_opens_the_whole_model_again(
    opened: list[TilingRunner],
) -> None:
    pixels, mask = picture("RGB", 90, 70), spots(90, 70)
    with Inpainter.open("m.onnx", strategy="tiles") as inpainter:
        inpainter.strategy = "full"
        for _ in range(2):
            assert (inpainter(pixels, mask)[mask > 0] == 5).all()
        inpainter.strategy = "tiles"
        assert (inpainter(pixels, mask)[mask > 0] == 6).all()
    assert [runner.closed for runner in opened] == [1, 1]
    assert len(opened[1].seen) == 2


def test_a_closed_inpainter_opens_nothing_again(opened: list[TilingRunner]) -> None:
    with Inpainter.open("m.onnx", strategy="tiles") as inpainter:
        inpainter.strategy = "full"
    inpainter(picture("RGB", 90, 70), spots(90, 70))
    assert len(opened) == 1


def test_a_path_in_the_place_of_a_runner_is_told_what_opens_it() -> None:
    with pytest.raises(UsageError, match=r"^'m\.onnx' is no open runner: .* by Inpainter\.open$"):
        Inpainter("m.onnx")  # type: ignore[arg-type]


def test_a_model_that_cannot_tile_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="cannot run in tiles: export it to ONNX with size='dyn"):
        Inpainter(FakeRunner(), strategy="tiles")(picture("RGB", 30, 20), spots(30, 20))


def test_auto_goes_on_without_tiles_where_the_model_has_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The window wants 630 MB, its tiles 470.
    monkeypatch.setattr(module, "free_bytes", lambda: 700_000_000)
    monkeypatch.setattr(FakeRunner, "provider", "host")
    pixels, mask = picture("RGB", 900, 900), np.zeros((900, 900), np.uint8)
    mask[300:600, 300:600] = 1
    plans: list[Plan] = []
    plain, tiling = FakeRunner(fill=flat(7)), TilingRunner()
    assert (Inpainter(tiling)(pixels, mask, report=plans.append)[400:500, 400:500] == 6).all()
    assert (Inpainter(plain)(pixels, mask, report=plans.append)[400:500, 400:500] == 7).all()
    assert [plan.choice.strategy for plan in plans] == ["tiles", "resize"]
    assert max(plain.seen[0][1].shape) == 592
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "give max_side=592" in warning


@pytest.mark.parametrize(("tile", "strategy"), [(None, "resize"), (128, "tiles")])
def test_auto_knows_that_small_tiles_take_less(
    monkeypatch: pytest.MonkeyPatch, tile: int | None, strategy: str
) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda: 200_000_000)
    monkeypatch.setattr(FakeRunner, "provider", "host")
    pixels, mask = picture("RGB", 900, 900), np.zeros((900, 900), np.uint8)
    mask[300:600, 300:600] = 1
    plans: list[Plan] = []
    runner = TilingRunner()
    Inpainter(runner, tile=tile)(pixels, mask, report=plans.append)
    assert [plan.choice.strategy for plan in plans] == [strategy]


def test_the_report_says_which_strategy_and_why() -> None:
    plans: list[Plan] = []
    pixels = picture("RGB", 30, 20)
    Inpainter(FakeRunner())(pixels, spots(30, 20), report=plans.append)
    Inpainter(FakeRunner())(pixels, np.zeros((30, 20), np.uint8), report=plans.append)
    assert [plan.to_dict()["strategy"] for plan in plans] == ["full", "none"]
    assert plans[0].to_dict()["windows"] == 1
    assert "30" in plans[0].to_dict()["reason"]


def test_auto_takes_whole_what_a_fixed_size_model_holds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for height, width in ((48, 64), (49, 64), (48, 65)):
        Inpainter(FakeRunner(FIXED))(picture("RGB", height, width), spots(height, width))
    chosen = [record.getMessage().split(",")[0] for record in caplog.records]
    assert chosen == ["strategy full", "strategy crop", "strategy crop"]


def test_a_small_window_grows_into_the_picture_for_a_fixed_size_model() -> None:
    policy = SizePolicy(Size(400, 480), 8, 16)
    pixels, mask = picture("RGB", 600, 700), np.zeros((600, 700), np.uint8)
    mask[0:4, 690:700] = 255
    mask[390:395, 300:303] = 255
    runner = FakeRunner(policy)
    result = Inpainter(runner, strategy="crop")(pixels, mask)
    assert len(runner.seen) == 2
    np.testing.assert_array_equal(runner.seen[0][0], pixels[:400, 220:])
    np.testing.assert_array_equal(result[0:4, 690:700], gradient(400, 480)[0:4, 470:480])
    np.testing.assert_array_equal(result[mask == 0], pixels[mask == 0])


def test_a_fixed_size_model_pads_what_the_picture_cannot_give() -> None:
    pixels, mask = picture("RGB", 30, 20), spots(30, 20)
    runner = FakeRunner(FIXED)
    Inpainter(runner)(pixels, mask)
    ((seen, hole),) = runner.seen
    growth = ((0, 18), (0, 44))
    np.testing.assert_array_equal(seen, np.pad(pixels, (*growth, (0, 0)), mode="symmetric"))
    np.testing.assert_array_equal(hole, np.pad(mask > 0, growth, mode="symmetric"))


def test_a_fixed_size_model_gets_a_larger_window_shrunk_with_the_whole_hole() -> None:
    pixels, mask = picture("RGB", 150, 120), np.zeros((150, 120), np.uint8)
    mask[77, 51] = 1
    runner = FakeRunner(FIXED, fill=flat(33))
    result = Inpainter(runner, strategy="full")(pixels, mask)
    ((seen, hole),) = runner.seen
    np.testing.assert_array_equal(seen[:, :38], shrink(pixels, 48, 38))
    np.testing.assert_array_equal(hole[:, :38], shrink_hole(mask > 0, 48, 38))
    np.testing.assert_array_equal(result[mask == 0], pixels[mask == 0])
    assert not (result[77, 51] == pixels[77, 51]).all()


def test_a_smooth_fill_survives_the_resize() -> None:
    runner = FakeRunner(FIXED, fill=lambda h, w: gradient(h, w) * np.uint8(2))
    mask = np.full((96, 128), 255, np.uint8)
    result = Inpainter(runner, strategy="full")(picture("RGB", 96, 128), mask).astype(int)
    y, x = np.mgrid[:96, :128]
    np.testing.assert_allclose(result[4:-4, 4:-4, 0], y[4:-4, 4:-4], atol=1.5)
    np.testing.assert_allclose(result[4:-4, 4:-4, 1], x[4:-4, 4:-4], atol=1.5)


def test_a_shrunk_window_is_widened_to_the_models_shape() -> None:
    pixels, mask = picture("RGB", 200, 900), np.zeros((200, 900), np.uint8)
    mask[5:195, 400:402] = 255
    policy = SizePolicy(Size(100, 300), 8, 16)
    runner = FakeRunner(policy)
    Inpainter(runner, strategy="crop")(pixels, mask)
    ((seen, _),) = runner.seen  # 200 rows at half the size: 600 columns fit, not just 142
    np.testing.assert_array_equal(seen, shrink(pixels[:, 101:701], 100, 300))


@pytest.mark.parametrize("strategy", ["auto", "full", "crop"])
@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (60, 40)])
def test_a_full_mask_is_filled_everywhere(
    strategy: module.Strategy, policy: str, size: tuple[int, int]
) -> None:
    runner = FakeRunner(POLICIES[policy], fill=flat(77))
    pixels = picture("RGBA", *size)
    result = Inpainter(runner, strategy=strategy)(pixels, np.ones(size, np.bool_))
    assert (result[pixels[:, :, 3] > 0, :3] == 77).all()


def sticker(seed: int, size: int = 160) -> tuple[Array, Array, Array]:
    """A drawn disc on a fully transparent ground: RGBA pixels, mask across its rim, alpha 0."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - size // 2
    unseen = np.hypot(y, x) > rng.integers(20, 50)
    pixels = picture("RGBA", size, size)
    pixels[:, :, 3] = np.where(unseen, 0, np.maximum(pixels[:, :, 3], 1))
    middle, reach = size // 2, int(rng.integers(8, 30))
    mask = np.zeros((size, size), np.uint8)
    mask[middle : middle + reach, middle : middle + 70] = 255
    return pixels, mask, unseen


@pytest.mark.parametrize("strategy", ["full", "crop", "resize"])
@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("seed", range(3))
def test_colours_under_alpha_0_reach_no_fill_and_keep_their_value(
    policy: str, strategy: module.Strategy, seed: int
) -> None:
    pixels, mask, unseen = sticker(seed)
    other = pixels.copy()
    other[unseen, :3] = (255, 0, 128)
    results = []
    for given_pixels in (pixels, other):
        runner = FakeRunner(POLICIES[policy])
        results.append(Inpainter(runner, strategy=strategy)(given_pixels, mask))
        known = [np.where(hole[:, :, np.newaxis], 0, seen) for seen, hole in runner.seen]
        np.testing.assert_array_equal(results[-1][unseen], given_pixels[unseen])
        np.testing.assert_array_equal(results[-1][:, :, 3], pixels[:, :, 3])
        if given_pixels is pixels:
            first = known
        np.testing.assert_equal(known, first)
    np.testing.assert_array_equal(results[0][~unseen], results[1][~unseen])
    np.testing.assert_array_equal(results[0][mask == 0], pixels[mask == 0])
    changed = (results[0] != pixels).any(axis=2)
    assert changed[(mask > 0) & ~unseen].mean() > 0.9


def test_transparent_ground_makes_no_window_larger_and_no_model_run() -> None:
    pixels, mask = picture("RGBA", 700, 900), np.zeros((700, 900), np.uint8)
    pixels[:, :, 3] = 0
    pixels[300:400, 300:400, 3] = 255
    mask[340:350, 340:350] = mask[10:12, 10:12] = 255
    runner = FakeRunner(fill=flat(9))
    result = Inpainter(runner, strategy="crop")(pixels, mask)
    ((_, hole),) = runner.seen
    assert hole.shape == (144, 144)
    assert (result[340:350, 340:350, :3] == 9).all()
    result[340:350, 340:350, :3] = pixels[340:350, 340:350, :3]
    np.testing.assert_array_equal(result, pixels)


def test_a_hole_that_is_all_transparent_leaves_the_picture_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pixels, _, unseen = sticker(0)
    runner = FakeRunner()
    np.testing.assert_array_equal(Inpainter(runner)(pixels, unseen), pixels)
    assert not runner.seen
    assert "all of the hole is fully transparent: nothing is filled" in caplog.text


def test_an_empty_mask_returns_the_picture_and_runs_nothing() -> None:
    runner = FakeRunner()
    pixels = picture("RGB", 30, 20)
    result = Inpainter(runner)(pixels, np.zeros((30, 20), np.uint8))
    assert not runner.seen
    assert result is not pixels
    assert not np.shares_memory(result, pixels)
    np.testing.assert_array_equal(result, pixels)
    image = Image.fromarray(pixels)
    assert Inpainter(runner)(image, Image.new("1", (20, 30))) == image
    assert not runner.seen


def test_the_values_1_and_255_are_both_hole() -> None:
    pixels, mask = picture("RGB", 30, 20), spots(30, 20)
    results = [
        Inpainter(FakeRunner())(pixels, (mask > 0).astype(np.uint8) * value) for value in (1, 255)
    ]
    np.testing.assert_array_equal(*results)
    assert (results[0] != pixels).any()


@pytest.mark.parametrize("mode", SHAPES)
def test_a_pil_picture_comes_back_in_its_mode_and_with_its_info(mode: str) -> None:
    image = Image.fromarray(picture(mode, 30, 20))
    image.info = {"icc_profile": b"a profile", "dpi": (72, 72)}
    mask = spots(30, 20)
    result = Inpainter(FakeRunner())(image, Image.fromarray(mask))
    assert isinstance(result, Image.Image)
    assert (result.mode, result.size, result.info) == (mode, image.size, image.info)
    np.testing.assert_array_equal(
        np.asarray(result), Inpainter(FakeRunner())(np.asarray(image), mask)
    )


def test_grey_of_16_bits_keeps_them_outside_the_hole_and_the_model_sees_8() -> None:
    levels = np.random.default_rng(3).integers(0, 65536, (30, 20), dtype=np.uint16)
    mask, runner = spots(30, 20), FakeRunner(fill=flat(90))
    result = np.asarray(Inpainter(runner, strategy="full")(Image.fromarray(levels), mask))
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result[mask == 0], levels[mask == 0])
    assert (result[mask > 0] == 90 * 257).all()
    seen, hole = runner.seen[0][0][:30, :20, 0], runner.seen[0][1][:30, :20]
    np.testing.assert_array_equal(seen[~hole], np.rint(levels / 257)[~hole])


def test_grey_pictures_get_the_luma_of_the_fill() -> None:
    runner = FakeRunner()
    result = Inpainter(runner)(picture("L", 16, 24), np.ones((16, 24), np.bool_))
    luma = Image.fromarray(gradient(16, 24)).convert("L")
    np.testing.assert_array_equal(result, np.asarray(luma))
    assert (np.ptp(runner.seen[0][0], axis=2) == 0).all()


def test_other_modes_come_back_as_rgb() -> None:
    result = Inpainter(FakeRunner())(Image.new("CMYK", (20, 30)), spots(30, 20))
    assert (result.mode, result.size) == ("RGB", (20, 30))


def test_orientation_is_applied_to_picture_and_mask() -> None:
    upright, mask = picture("RGB", 30, 20), spots(30, 20)
    expected = Inpainter(FakeRunner())(upright, mask)
    turned = []
    for pixels in (upright, mask):
        image = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
        image.getexif()[ORIENTATION] = 6
        turned.append(image)
    for chosen in (turned[1], Image.fromarray(mask)):
        result = Inpainter(FakeRunner())(turned[0], chosen)
        assert result.getexif().get(ORIENTATION, 1) == 1
        np.testing.assert_array_equal(np.asarray(result), expected)


def test_unusable_input_is_refused_before_the_model_runs() -> None:
    runner = FakeRunner()
    inpainter = Inpainter(runner)
    good, mask = picture("RGB", 30, 40), spots(30, 40)
    with pytest.raises(
        PictureError, match=r"mask is 30x40 \(width x height\) and the picture 40x30"
    ):
        inpainter(good, mask.T)
    with pytest.raises(PictureError, match="dtype int64"):
        inpainter(good.astype(np.int64), mask)
    with pytest.raises(PictureError, match="mask has dtype int32"):
        inpainter(good, mask.astype(np.int32))
    with pytest.raises(PictureError, match="picture is a list"):
        inpainter([[0]], mask)
    assert not runner.seen


@pytest.mark.parametrize(
    ("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_a_fill_that_is_not_finite_is_refused_by_name(value: float, name: str) -> None:
    def fill(height: int, width: int) -> Array:
        array = np.full((height, width, 3), 8.0)
        array[0, 0, 0] = value
        return array

    runner = FakeRunner(composite=False, fill=fill)
    with pytest.raises(ModelError, match=f"the model returned {name} at 1 of 2304 values"):
        Inpainter(runner)(picture("RGB", 30, 20), spots(30, 20))


def test_float_fills_are_rounded_to_nearest_and_clipped() -> None:
    levels = np.array([-40.0, 0.4, 0.6, 99.4, 99.6, 254.6, 400.0])
    runner = FakeRunner(
        SizePolicy(None, 1, 1), fill=lambda h, w: np.broadcast_to(levels[:w, None], (h, w, 3))
    )
    result = Inpainter(runner)(picture("RGB", 1, 7), np.ones((1, 7), np.bool_))
    assert result[0, :, 0].tolist() == [0, 0, 1, 99, 100, 255, 255]


def test_an_output_that_breaks_the_contract_is_refused() -> None:
    class Wrong(FakeRunner):
        def run(self, image: Array, mask: Array) -> Array:
            return super().run(image, mask)[:, :, 1:]

    with pytest.raises(ModelError, match=r"returned float32 \(1, 3, 31, 24\) instead of float32"):
        Inpainter(Wrong())(picture("RGB", 30, 20), spots(30, 20))


def test_an_unknown_strategy_is_refused_before_the_model_is_opened(tmp_path: Path) -> None:
    for make in (
        lambda: Inpainter(FakeRunner(), strategy="whole"),  # type: ignore[arg-type]
        lambda: Inpainter.open(tmp_path / "none.onnx", strategy="whole"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match="unknown strategy 'whole'; choose one of: auto, full"):
            make()


def test_open_hands_path_provider_and_threads_to_the_runner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner, asked = FakeRunner(), []

    def open_runner(path: str, *, provider: str, threads: int | None) -> Runner:
        asked.append((path, provider, threads))
        return runner

    monkeypatch.setattr(module, "open_runner", open_runner)
    with Inpainter.open("m", provider="cpu", threads=2, strategy="crop") as inpainter:
        assert (inpainter.runner, inpainter.strategy) == (runner, "crop")
        assert not runner.closed
    assert asked == [("m", "cpu", 2)]
    assert runner.closed == 1


def test_open_names_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(LamaEdgeError, match="does not exist"):
        Inpainter.open(tmp_path / "none.onnx")
