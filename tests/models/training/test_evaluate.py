"""The evaluation: a fixed holdout, fills that keep known pixels, tables that land in the card."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lama_edge.errors import UsageError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.evaluation.comparison import (
    NAVIER_STOKES,
    OURS,
    TELEA,
    classical,
    fill,
    fill_by_every_method,
    score,
    summarise,
)
from lama_edge.models.training.evaluation.evaluate import main
from lama_edge.models.training.evaluation.tables import (
    BEGIN_MARKER,
    END_MARKER,
    replace_figures,
    width_table,
)
from lama_edge.models.training.weights import save_weights
from lama_edge.pictures import holdout as samples_module
from lama_edge.pictures import scenes
from lama_edge.pictures.holdout import general_holdout, holdout, periodic_surface
from lama_edge.pictures.masks import NARROW

SIDE = 32


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return FfcResnetGenerator(FfcResnetConfig(ngf=4, n_blocks=1)).eval()


@pytest.fixture
def weights(tmp_path, generator):
    path = tmp_path / "small.safetensors"
    save_weights(path, generator)
    return path


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "card.md"
    path.write_text(f"# A card\n\n{BEGIN_MARKER}\nold\n{END_MARKER}\n\nThe end – Ende.\n", "utf-8")
    return path


@pytest.mark.parametrize("draw", [holdout, general_holdout])
def test_a_holdout_is_the_same_every_time_and_begins_a_larger_one(draw):
    for a, b in zip(draw(SIDE, 2), draw(SIDE, 3), strict=False):
        assert np.array_equal(a.truth, b.truth)
        assert np.array_equal(a.mask, b.mask)


def test_wide_and_narrow_holes_are_judged_on_the_same_scenes():
    (wide,), (narrow,) = holdout(SIDE, 1), holdout(SIDE, 1, masks=NARROW)
    assert np.array_equal(wide.truth, narrow.truth)
    assert not np.array_equal(wide.mask, narrow.mask)


def test_scenes_of_the_holdout_are_not_those_of_a_training_seed():
    (sample,) = general_holdout(SIDE, 1)
    for seed in range(20):
        rng = np.random.default_rng([seed, 1, 0])
        assert not np.array_equal(sample.truth, scenes.make_scene(rng, SIDE, SIDE))


def test_the_surface_that_a_scene_of_the_holdout_is_said_to_show_is_the_one_drawn(monkeypatch):
    drawn = []

    def recording(name, surface):
        return lambda *arguments: drawn.append(name) or surface(*arguments)

    recorded = {name: recording(name, surface) for name, surface in scenes.PERIODIC.items()}
    monkeypatch.setattr(scenes, "PERIODIC", recorded)
    holdout(SIDE, 12)
    assert drawn == [periodic_surface(SIDE, index) for index in range(12)]
    assert set(samples_module.PERIODIC) == set(recorded)


def test_a_fill_keeps_known_pixels_and_ignores_what_was_in_the_hole(generator):
    (sample,) = holdout(SIDE, 1)
    filled = fill(generator, sample.truth, sample.mask)
    known = ~sample.hole
    assert np.array_equal(filled[known], sample.truth[known])
    erased = np.where(known[..., None], sample.truth, 77).astype(np.uint8)
    assert np.array_equal(filled, fill(generator, erased, sample.mask))


def test_the_classical_methods_do_not_see_what_was_in_the_hole():
    pytest.importorskip("cv2")
    (sample,) = holdout(SIDE, 1)
    erased = np.where(sample.hole[..., None], 77, sample.truth).astype(np.uint8)
    for seen, unseen in zip(
        classical(sample), classical(samples_module.Sample(erased, sample.mask)), strict=True
    ):
        assert np.array_equal(seen, unseen)
        assert np.array_equal(seen[~sample.hole], sample.truth[~sample.hole])


def test_the_margin_is_above_the_better_classical_method(generator):
    pytest.importorskip("cv2")
    samples = holdout(SIDE, 3)
    scores = [score(fill_by_every_method(generator, one), one) for one in samples]
    comparison = summarise(scores)
    assert (comparison.size, comparison.count) == (SIDE, 3)
    better = max(comparison.telea.psnr_db, comparison.navier_stokes.psnr_db)
    assert comparison.margin_db == pytest.approx(comparison.ours.psnr_db - better)


def test_the_truth_is_a_perfect_fill_and_a_flat_one_has_no_sharpness():
    pytest.importorskip("cv2")
    scores = []
    for sample in holdout(SIDE, 3):
        flat = np.where(sample.hole[..., None], 128, sample.truth).astype(np.uint8)
        scores.append(score({TELEA: flat, NAVIER_STOKES: sample.truth, OURS: sample.truth}, sample))
    comparison = summarise(scores)
    assert comparison.ours.psnr_db == pytest.approx(100)
    assert comparison.ours.ssim == pytest.approx(1)
    assert comparison.ours.sharpness == pytest.approx(1)
    assert comparison.telea.sharpness == 0
    assert comparison.margin_db == 0


def test_sharpness_is_a_ratio_of_sums_so_that_flat_pictures_hardly_count():
    pytest.importorskip("cv2")
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :2] = 0
    ramps = [
        np.broadcast_to(np.uint8(np.arange(SIDE) * step)[None, :, None], (SIDE, SIDE, 3))
        for step in (1, 7)
    ]
    flat = np.zeros((SIDE, SIDE, 3), np.uint8)
    scores = [
        score({TELEA: flat, NAVIER_STOKES: flat, OURS: ours}, samples_module.Sample(truth, mask))
        for truth, ours in zip(ramps, (flat, ramps[1]), strict=True)
    ]
    assert summarise(scores).ours.sharpness == pytest.approx(7 / 8)


def test_no_sample_is_refused():
    with pytest.raises(UsageError, match="no sample"):
        summarise([])


def test_every_hole_is_in_one_row_of_the_table_of_widths():
    pytest.importorskip("cv2")
    scores = [
        score(dict.fromkeys((TELEA, NAVIER_STOKES, OURS), one.truth), one)
        for one in holdout(64, 12)
    ]
    rows = width_table([scores], name="x").splitlines()[2:]
    assert len(rows) >= 2
    assert sum(int(row.split("|")[3]) for row in rows) == 12


def test_the_command_prints_the_tables_and_writes_the_same_into_the_card(capsys, card, weights):
    pytest.importorskip("cv2")
    assert main([str(weights), "--card", str(card), "--count", "1", "--sizes", "32", "64"]) == 0
    printed = capsys.readouterr().out
    for words in ("periodic scenes | wide | 32", "photographs | narrow | 64", "small above"):
        assert words in printed
    text = card.read_text("utf-8")
    assert text.startswith(f"# A card\n\n{BEGIN_MARKER}\n\n")
    assert text.endswith(f"{END_MARKER}\n\nThe end – Ende.\n")
    assert printed.strip() in text
    assert "old" not in text
    replace_figures(card, printed.strip())
    assert card.read_text("utf-8") == text


def test_a_card_without_markers_is_refused_before_anything_is_measured(capsys, tmp_path, weights):
    path = tmp_path / "plain.md"
    path.write_text(f"{END_MARKER} {BEGIN_MARKER}")
    assert main([str(weights), "--card", str(path)]) == 2
    assert END_MARKER in capsys.readouterr().err
    with pytest.raises(UsageError, match="cannot be read"):
        replace_figures(tmp_path / "none.md", "")


@pytest.mark.parametrize(
    "option", [("--count", "0"), ("--sizes", "100"), ("--sizes", "8"), ("--threads", "0")]
)
def test_numbers_that_cannot_be_used_are_refused_by_name(capsys, weights, option):
    assert main([str(weights), *option]) == 2
    assert " ".join(option) in capsys.readouterr().err
