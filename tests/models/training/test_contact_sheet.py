"""The contact sheet: every row is there, its hole is covered, and the file fits a README."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from places import ROOT

from lama_edge.errors import PictureError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.evaluation import contact_sheet as module
from lama_edge.models.training.evaluation.comparison import NAVIER_STOKES, TELEA, classical
from lama_edge.models.training.evaluation.contact_sheet import SECTIONS, Section, main, section_rows
from lama_edge.models.training.losses.metrics import hole_psnr_db
from lama_edge.models.training.weights import save_weights
from lama_edge.pictures.holdout import periodic_surface
from lama_edge.pictures.textures import PERIODIC

pytest.importorskip("cv2")

README_SHEET = ROOT / "docs" / "images" / "lama-tiny.jpg"
LARGEST_BYTES = 600_000
SMALL = Section(256, ("bricks",), ("coffee",))


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return FfcResnetGenerator(FfcResnetConfig(ngf=4, n_blocks=1)).eval()


def test_every_row_shows_the_first_scene_of_its_kind_and_the_better_classical_fill(generator):
    rows = section_rows(generator, SMALL)
    assert [row.label for row in rows] == ["bricks", "photograph: coffee"]
    index = next(i for i in range(100) if periodic_surface(256, i) == "bricks")
    assert np.array_equal(rows[0].sample.truth, module.holdout(256, index + 1)[index].truth)
    for row in rows:
        fills = dict(zip((TELEA, NAVIER_STOKES), classical(row.sample), strict=True))
        best = max(fills, key=lambda name: hole_psnr_db(fills[name], row.sample))
        assert row.classical_name == best
        assert np.array_equal(row.classical, fills[best])


def test_the_sections_name_scenes_and_photographs_that_exist():
    assert all(set(section.surfaces) == set(PERIODIC) for section in SECTIONS)  # none left out
    assert [section.size for section in SECTIONS] == [256, 512]
    assert all(section.photographs for section in SECTIONS)


def test_scenes_and_photographs_that_do_not_exist_are_refused(generator):
    with pytest.raises(PictureError, match="clouds"):
        section_rows(generator, Section(256, ("clouds",), ()))
    with pytest.raises(PictureError, match="smaller than 512"):
        section_rows(generator, Section(512, (), ("coffee",)))


def test_the_file_is_small_and_shows_nothing_of_what_the_hole_hides(
    tmp_path, generator, monkeypatch
):
    weights, out = tmp_path / "small.safetensors", tmp_path / "sheet.png"
    save_weights(weights, generator)
    monkeypatch.setattr(module, "SECTIONS", (SMALL,))
    assert main([str(out), str(weights)]) == 0
    sheet = np.asarray(Image.open(out))
    (row, _) = section_rows(generator, SMALL)
    cells = [find(sheet, part) for part in (row.classical, row.ours, row.sample.truth)]
    assert [left for _, left in cells] == sorted(left for _, left in cells)
    top, left = cells[0]
    shown = sheet[top : top + 256, left - 268 : left - 12]
    assert np.array_equal(shown[~row.sample.hole], row.sample.truth[~row.sample.hole])
    assert len(np.unique(shown[row.sample.hole], axis=0)) == 2


def find(sheet, part):
    """Top and left of a cell in the sheet."""
    wanted = part[:8].tobytes()
    for top in range(sheet.shape[0] - 256):
        for left in range(28, sheet.shape[1] - 256, 268):
            if sheet[top : top + 8, left : left + 256].tobytes() == wanted:
                return top, left
    raise AssertionError("the sheet lacks a cell")


def test_the_sheet_in_the_readme_is_small_enough():
    assert README_SHEET.stat().st_size < LARGEST_BYTES
    assert Image.open(README_SHEET).width < 1200


def test_an_output_that_is_no_picture_is_refused(capsys, tmp_path):
    assert main([str(tmp_path / "sheet.pdf")]) == 2
    assert ".jpg" in capsys.readouterr().err
