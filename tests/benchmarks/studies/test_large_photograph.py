"""The cost of a large photograph: what is measured, and that the page holds what is committed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from same_process import without_processes

from lama_edge.benchmarks.studies.large_photograph import (
    HOLE_SHARE,
    PHOTOGRAPH,
    main,
    measure,
    write_pictures,
)
from lama_edge.benchmarks.studies.large_photograph import PAGE as GENERATED
from lama_edge.errors import UsageError
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.spec import Size

RESULT, PAGE = ROOT / "benchmarks/results/large-photograph.json", ROOT / "docs/how-to/inpainting.md"


def test_the_page_holds_the_committed_figures() -> None:
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    assert document["config"] == BIG_LAMA.to_dict()
    assert Size(document["picture"]["height"], document["picture"]["width"]) == PHOTOGRAPH
    page = PAGE.read_text(encoding="utf-8")
    assert GENERATED.updated(page, document) == page
    assert main(["--check", "--json-out", str(RESULT), "--page", str(PAGE)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--page", "none.md"], "there is no page 'none.md'"),
        (["--page", str(PAGE), "--json-out", "none.json"], "there is no result 'none.json'"),
        (["--page", str(PAGE), "--measure", "--rounds", "0"], "--rounds is 0; give 1 or more"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == UsageError.exit_code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_hole_is_one_disc_of_its_share(tmp_path: Path) -> None:
    image, mask = write_pictures(tmp_path, Size(300, 400))
    assert Image.open(image).size == (400, 300)
    hole = np.asarray(Image.open(mask)) > 0
    assert hole.mean() == pytest.approx(HOLE_SHARE, rel=0.02)
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    assert len(rows) == pytest.approx(len(columns), abs=1)
    assert hole.sum() == pytest.approx(np.pi / 4 * len(rows) * len(columns), rel=0.05)


def test_each_strategy_is_measured_in_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)
    config, size = FfcResnetConfig(ngf=8, n_blocks=1), Size(200, 304)
    document = measure(config, size, 2)
    assert list(document["strategies"]) == ["crop", "tiles"]
    for samples in document["strategies"].values():
        assert len(samples["samples_s"]) == len(samples["peaks_bytes"]) == 2
        assert min(*samples["samples_s"], *samples["peaks_bytes"]) > 0
    assert document["picture"] == {"height": 200, "width": 304, "hole_share": HOLE_SHARE}
    assert "A photograph of 304 x 200 pixels" in GENERATED.updated(
        "\n".join(GENERATED.markers), document
    )
