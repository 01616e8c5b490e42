"""Models run in tiles: what comes out is what the whole model gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DATA

from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.graph.bands.winograd import TILE as WINOGRAD_TILE
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import (
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import Array, Runner, open_runner
from lama_edge.runtimes.onnxruntime.tiles.pieces import pieces
from lama_edge.runtimes.onnxruntime.tiles.runner import open_tiles
from lama_edge.spec import IoForm, IoSpec, Size
from lama_edge.stages import STAGES_KEY, StagePlan

FAMILIES: dict[str, Path | None] = {
    "tiny": None,
    "tiny-bands": None,
    **{name: DATA / name for name in ("fourier", "regular", "dilated")},
    "fourier-bands": DATA / "fourier",
}
# The design's bound; measured 0 at every size, tile and hole below (ONNX Runtime 1.31, CPU), but
# for the form in bands on a processor without AVX-512: 7.5e-7.
LARGEST_DIFFERENCE = 1e-5
# A halo that is one cell too small changed the result by more than this in all ten cases below.
LEAST_DAMAGE = 1e-4

Models = Callable[[str, IoForm, bool], Path]


@pytest.fixture(scope="module")
def models(exported: Callable[..., Path]) -> Models:
    """Exports the families of tests/data and lama-tiny, in bands where the name says so."""

    def model(family: str, form: IoForm, composite: bool) -> Path:
        name, _, bands = family.partition("-")
        return exported(
            None if name == "tiny" else name,
            io=form,
            composite=composite,
            kernels="bands" if bands else "direct",
        )

    return model


def _picture(io: IoSpec, holes: list[tuple[slice, slice]], size: Size) -> tuple[Array, Array]:
    """Return a seeded picture and its mask in the model's form."""
    rng = np.random.default_rng((size.height, size.width, len(holes)))
    hole = np.zeros((size.height, size.width), bool)
    for rows, columns in holes:
        hole[rows, columns] = True
    levels = rng.integers(0, 256, (1, size.height, size.width, 3), dtype=np.uint8)
    mask = np.where(hole, 255, 0).astype(np.uint8)[np.newaxis, :, :, np.newaxis]
    if io.form == "uint8":
        return levels, mask
    planar = levels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(planar), (mask.transpose(0, 3, 1, 2) / 255).astype(np.float32)


def _tiles(runner: Runner, path: Path, tile: int | None) -> Runner:
    return open_tiles(path, runner.manifest, provider="cpu", threads=1, tile=tile)


def _difference(path: Path, size: Size, holes: list[tuple[slice, slice]], tile: int) -> float:
    with open_runner(path, provider="cpu", threads=1) as whole, _tiles(whole, path, tile) as tiles:
        image, mask = _picture(whole.manifest.io, holes, size)
        expected, result = whole.run(image, mask), tiles.run(image, mask)
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        return float(np.abs(result.astype(np.float64) - expected).max())


@st.composite
def _cases(draw: st.DrawFn) -> tuple[str, Size, list[tuple[slice, slice]], int]:
    family = draw(st.sampled_from(sorted(FAMILIES)))
    least = 9 if family == "dilated" else 2
    height, width = (8 * draw(st.integers(least, least + 18)) for _ in range(2))

    def stretch(length: int) -> slice:
        start = draw(st.integers(0, length - 1))
        return slice(start, draw(st.integers(start + 1, length)))

    holes = [(stretch(height), stretch(width)) for _ in range(draw(st.integers(0, 3)))]
    if draw(st.booleans()):
        holes.append((slice(None), slice(draw(st.sampled_from([None, width - 1])), None)))
    # From one cell, over sizes that leave a remainder of one cell, to more than the picture.
    tile = draw(st.sampled_from([1, 8, 16, 24, 40, 56, 64, height - 8, width - 8, 512]))
    return family, Size(height, width), holes, max(1, tile)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=_cases(), form=st.sampled_from(["float", "uint8"]), composite=st.booleans())
def test_tiles_give_what_the_whole_model_gives(
    models: Models,
    case: tuple[str, Size, list[tuple[slice, slice]], int],
    form: IoForm,
    composite: bool,
) -> None:
    family, size, holes, tile = case
    difference = _difference(models(family, form, composite), size, holes, tile)
    assert difference <= (LARGEST_DIFFERENCE if form == "float" else 0)


@pytest.mark.parametrize("tile", [56, 200])
def test_pieces_of_what_is_several_bands_and_groups_give_the_whole(
    models: Models, tile: int
) -> None:
    """At 62 x 100 cells; what the sizes above need is one band and one group of frequencies."""
    holes = [(slice(0, 300), slice(100, 500)), (slice(490, None), slice(None))]
    path = models("tiny-bands", "float", True)
    assert _difference(path, Size(496, 800), holes, tile) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_of_the_smallest_size_run(models: Models, family: str) -> None:
    path = models(family, "float", False)
    least = 72 if family == "dilated" else 16
    for tile in (1, 8, 512):
        for size in (Size(least, least), Size(least, least + 8), Size(least + 24, least)):
            assert _difference(path, size, [], tile) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize(
    "config",
    [
        FfcResnetConfig(ngf=4, n_blocks=1, n_downsampling=1),
        FfcResnetConfig(ngf=4, n_blocks=1, n_downsampling=2, ratio_global=0.5),
        FfcResnetConfig(ngf=4, n_blocks=1, n_downsampling=4),
        Pix2PixHdGlobalConfig(ngf=4, n_blocks=1, n_downsampling=1),
        Pix2PixHdGlobalConfig(ngf=4, n_blocks=1, n_downsampling=5),
        Pix2PixHdMultidilatedConfig(ngf=5, n_blocks=1, n_downsampling=1, dilation_num=5),
    ],
    ids=lambda config: f"{config.kind}-{config.n_downsampling}",
)
def test_halos_follow_from_the_architecture(
    make_checkpoint: Callable[..., Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    config: GeneratorConfig,
) -> None:
    checkpoint = make_checkpoint(config)
    monkeypatch.setattr("lama_edge.pipeline.load_checkpoint", lambda path, **_: checkpoint)
    path = tmp_path / "model.onnx"
    export_model(Export("onnx", "seeded", path, composite=False, check_parity=False))
    side = max(config.min_size, 4 * config.size_multiple)
    size = Size(side + config.size_multiple, side + 2 * config.size_multiple)
    for tile in (1, config.reduction, 3 * config.reduction, side):
        assert _difference(path, size, [], tile) <= LARGEST_DIFFERENCE


def _with_plan(path: Path, to: Path, change: Callable[[StagePlan], StagePlan] | None) -> Path:
    """Write the model again with another plan, or without one."""
    model = onnx.load(path)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    text = entries.pop(STAGES_KEY)
    if change is not None:
        entries[STAGES_KEY] = change(StagePlan.from_json(text)).to_json()
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, to)
    return to


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("fourier", "encoder"),
        ("fourier", "bands"),
        ("fourier", "decoder"),
        ("fourier-bands", "encoder"),
        ("fourier-bands", "bands"),
        ("fourier-bands", "decoder"),
        ("regular", "bands"),
        ("dilated", "bands"),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_halo_one_cell_smaller_would_be_wrong(
    models: Models, tmp_path: Path, family: str, kind: str, side: int
) -> None:
    def shrink(plan: StagePlan) -> StagePlan:
        stages = []
        for stage in plan.stages:
            halo = list(stage.halo)
            if stage.kind == kind and halo[side]:
                halo[side] -= 1
            stages.append(replace(stage, halo=(halo[0], halo[1])))
        return replace(plan, stages=tuple(stages))

    path = _with_plan(models(family, "float", False), tmp_path / "narrow.onnx", shrink)
    difference = _difference(path, Size(136, 200), [], 16)
    print(f"{family} {kind} {side}: {difference:.1e}")
    assert difference > LEAST_DAMAGE


def test_pieces_of_what_works_in_tiles_of_its_own_begin_where_they_do(models: Models) -> None:
    """So that they come out alike to the bit; other pieces differ by rounding alone."""
    model = onnx.load(models("fourier-bands", "float", False))
    (text,) = (entry.value for entry in model.metadata_props if entry.key == STAGES_KEY)
    stages = [stage for stage in StagePlan.from_json(text).stages if stage.kind == "bands"]
    assert {stage.align for stage in stages if stage.inputs} == {WINOGRAD_TILE}
    for length in (2, 16, 37):
        for each in pieces(length, 5, (1, 1), WINOGRAD_TILE):
            assert each.read_start % WINOGRAD_TILE == 0
            assert each.read_stop % WINOGRAD_TILE == 0 or each.read_stop == length


def test_a_batch_gives_what_its_pictures_give_alone(models: Models) -> None:
    path = models("fourier", "float", True)
    with open_runner(path, provider="cpu", threads=1) as whole, _tiles(whole, path, 16) as tiles:
        pictures = [
            _picture(whole.manifest.io, [(slice(8, 30), slice(n, 40))], Size(48, 64))
            for n in (5, 20)
        ]
        image, mask = (np.concatenate(arrays) for arrays in zip(*pictures, strict=True))
        together = tiles.run(image, mask)
        for n, picture in enumerate(pictures):
            np.testing.assert_array_equal(together[n], tiles.run(*picture)[0])


def test_the_picture_and_the_mask_stay_as_they_are(models: Models) -> None:
    path = models("fourier", "float", True)
    with open_runner(path, provider="cpu", threads=1) as whole, _tiles(whole, path, 24) as tiles:
        for holes in ([], [(slice(8, 30), slice(0, 40))]):
            image, mask = _picture(whole.manifest.io, holes, Size(48, 64))
            before = image.copy(), mask.copy()
            result = tiles.run(image, mask)
            assert result is not image
            assert not np.shares_memory(result, image)
            np.testing.assert_array_equal(image, before[0])
            np.testing.assert_array_equal(mask, before[1])


def test_a_tiled_runner_describes_itself_and_checks_what_it_is_given(models: Models) -> None:
    path = models("fourier", "float", True)
    with open_runner(path, provider="cpu") as whole:
        tiles = whole.tiled()
        assert (tiles.manifest, tiles.title) == (whole.manifest, whole.title)
    image, mask = _picture(tiles.manifest.io, [], Size(48, 64))
    with pytest.raises(ModelError, match="multiples of 8"):
        tiles.run(image[:, :, 1:], mask[:, :, 1:])
    tiles.close()
    tiles.close()
    with pytest.raises(ModelError, match="closed"):
        tiles.run(image, mask)


def test_a_tile_without_extent_is_refused(models: Models) -> None:
    with (
        open_runner(models("fourier", "float", True), provider="cpu") as whole,
        pytest.raises(UsageError, match="a tile of 0 pixels"),
    ):
        whole.tiled(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": Size(64, 64)}, "takes 64x64 only.*size='dynamic'"),
        ({"dft": "op"}, "dft='matmul'"),
    ],
)
def test_models_that_cannot_run_in_tiles_say_why(
    exported: Callable[..., Path], options: dict[str, Any], message: str
) -> None:
    with (
        open_runner(exported(**options), provider="cpu") as whole,
        pytest.raises(ModelError, match=message),
    ):
        whole.tiled()


def test_a_model_without_stages_says_so(models: Models, tmp_path: Path) -> None:
    path = _with_plan(models("fourier", "float", True), tmp_path / "older.onnx", None)
    with (
        open_runner(path, provider="cpu") as whole,
        pytest.raises(ModelError, match="export it again with this release"),
    ):
        whole.tiled()


def test_a_plan_that_names_other_values_is_refused_when_it_runs(
    models: Models, tmp_path: Path
) -> None:
    def rename(plan: StagePlan) -> StagePlan:
        return StagePlan.from_json(plan.to_json().replace("reduce_relu", "reduced"))

    path = _with_plan(models("fourier", "float", True), tmp_path / "renamed.onnx", rename)
    with open_runner(path, provider="cpu") as whole, whole.tiled() as tiles:
        picture = _picture(whole.manifest.io, [(slice(8, 30), slice(0, 40))], Size(48, 64))
        with pytest.raises(ModelError, match="reduced"):
            tiles.run(*picture)


def test_the_plan_is_no_part_of_the_manifest(models: Models) -> None:
    with open_runner(models("fourier", "float", True), provider="cpu") as runner:
        assert "bands" not in json.dumps(runner.manifest.to_dict())
