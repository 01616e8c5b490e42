"""Workers beside one process: what is measured, and that the page holds what is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from same_process import without_processes

from lama_edge.benchmarks.studies.worker_speed import (
    CASES,
    SIDES,
    WAYS,
    Case,
    main,
    measure,
    text,
    write_pictures,
)
from lama_edge.benchmarks.studies.worker_speed import PAGE as GENERATED
from lama_edge.errors import ModelError, UsageError
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig

pytest.importorskip("distributed")

RESULT, PAGE = ROOT / GENERATED.result, ROOT / GENERATED.page


def test_the_page_holds_the_committed_figures() -> None:
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    assert document["config"] == BIG_LAMA.to_dict()
    for key, case in CASES.items():
        assert document["cases"][key]["pictures"] == case.pictures
    page = PAGE.read_text(encoding="utf-8")
    assert GENERATED.updated(page, document) == page
    assert main(["--check", "--json-out", str(RESULT), "--page", str(PAGE)]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--page", "none.md"], "there is no page 'none.md'"),
        (["--json-out", "none.json"], "there is no result 'none.json'"),
        (["--measure", "--tiny-rounds", "0"], "--tiny-rounds is 0; give 1 or more"),
        (["--measure", "--tiny-pictures", "-1"], "--tiny-pictures is -1; give 0 or more"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(GENERATED.markers))
    assert main(["--page", str(page), *words]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_pictures_are_of_mixed_sizes_with_a_hole_each(tmp_path: Path) -> None:
    write_pictures(tmp_path / "three", 3)
    write_pictures(tmp_path / "two", 2)
    sizes = set()
    for path in sorted((tmp_path / "three/pictures").iterdir()):
        with (
            Image.open(path) as picture,
            Image.open(tmp_path / f"three/masks/{path.stem}_mask.png") as mask,
        ):
            assert picture.size == mask.size
            assert all(SIDES[0] <= side <= SIDES[1] for side in picture.size)
            assert 0 < (np.asarray(mask) > 0).mean() < 1
            sizes.add(picture.size)
    assert len(sizes) == 3
    for path in (tmp_path / "two").rglob("*.*"):
        other = tmp_path / "three" / path.relative_to(tmp_path / "two")
        assert path.read_bytes() == other.read_bytes()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that are done at once, in the test's own process and its workers'."""
    without_processes(monkeypatch)
    monkeypatch.setattr("lama_edge.benchmarks.studies.worker_speed.SIDES", (32, 64))


@pytest.mark.usefixtures("small")
def test_every_way_is_measured_in_every_round_and_makes_the_same() -> None:
    cases = {"big": Case("big-lama's shape", 4, 2)}
    document = json.loads(json.dumps(measure(cases, config=FfcResnetConfig(ngf=8, n_blocks=1))))
    for key, case in cases.items():
        found = document["cases"][key]
        assert found["differing"] == 0
        for name, way in WAYS.items():
            samples = found["ways"][name]["samples"]
            assert len(samples) == case.rounds
            for one in samples:
                assert 0 < one["ready_s"] < one["first_s"] <= one["last_s"] < one["seconds"]
                _check_memory(one, way.workers, case.pictures)
    page = text(document)
    assert "4 of them by big-lama's shape in 2\u00a0rounds" in page
    assert "All ways made the same bytes." in page
    rows = [line for line in page.splitlines() if line.startswith("| big")]
    assert [row.split("|")[2].strip() for row in rows] == 2 * [way.title for way in WAYS.values()]


def _check_memory(sample: dict[str, Any], workers: int | None, pictures: int) -> None:
    ends = {one["worker"]: one for one in sample["memory"]}
    assert sum(one["pictures"] for one in ends.values()) == pictures
    assert len(ends) <= (workers or 1)
    assert all(one["rss_bytes"] >= one["uss_bytes"] > 0 for one in sample["memory"])
    assert sum(one["pictures"] == 1 for one in sample["memory"]) >= len(ends)
    # Those that work, and where they are not this process, this one beside them.
    assert sample["family"]["processes"] >= len(ends) + (workers is not None)


@pytest.mark.usefixtures("small")
def test_a_picture_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(folder: Path, count: int) -> None:
        write_pictures(folder, count)
        (folder / "pictures/0001.jpg").write_bytes(b"")

    monkeypatch.setattr("lama_edge.benchmarks.studies.worker_speed.write_pictures", spoiled)
    with pytest.raises(ModelError, match=r"0001\.jpg"):
        measure({"tiny": Case("lama-tiny", 2, 1)})


def test_ratios_are_of_the_same_round() -> None:
    """A round in which the machine was slow makes no way look better."""

    def sample(seconds: float) -> dict[str, Any]:
        memory = [
            {"worker": 0, "pictures": count, "rss_bytes": size, "uss_bytes": size}
            for count, size in ((1, 100 << 20), (10, 105 << 20))
        ]
        return {
            "ready_s": 0.0,
            "first_s": 0.5,
            "last_s": seconds,
            "seconds": seconds,
            "memory": memory,
            "family": {"processes": 1, "resident_bytes": 1 << 28},
        }

    times = {"folder": (10.0, 20.0), "two-workers": (5.0, 10.0), "one-worker": (11.0, 22.0)}
    ways = {
        key: {"title": WAYS[key].title, "cores": 2, "samples": [sample(one) for one in some]}
        for key, some in times.items()
    }
    case = {"title": "lama-tiny", "pictures": 10, "differing": 1, "ways": ways}
    about = {"chip": "a chip", "cores": 2, "packages": {"onnxruntime": "1"}}
    page = text(
        {
            "environment": about,
            "config": {"n_blocks": 1, "ngf": 8},
            "sides": [1, 2],
            "cases": {"tiny": case},
        }
    )
    assert "| 7.50 s (5.00 to 10.0) | 0.500× (0.500 to 0.500) | 0.500 s" in page
    assert "| 2.000× (2.000 to 2.000) | 1.33 |" in page
    assert "are 37.0 core-hours with lama-tiny" in page
    assert "| 100\u00a0MiB (1) | 105\u00a0MiB (10) | +5.0 % | 256\u00a0MiB |" in page
    assert "the same bytes but for 1 of them" in page
