"""The shared vectors say what this implementation does, and show all that a wrapper must do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import DATA

from lama_edge.errors import UsageError
from lama_edge.imaging.masks import MAX_GROW
from lama_edge.runtimes.vectors.__main__ import main, write_vectors
from lama_edge.runtimes.vectors.format import VERSION
from lama_edge.runtimes.vectors.model import arithmetic_fill, hole_from, noise

FOLDER = DATA / "vectors"
# They lie in every clone; 370 kB when they were first written.
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vectors")
    write_vectors(folder)
    return folder


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    assert document["version"] == VERSION
    return document


def test_the_committed_vectors_are_those_of_this_implementation(written: Path) -> None:
    fresh = {path.name: path.read_bytes() for path in written.iterdir()}
    stored = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix != ".md"}
    assert stored.keys() == fresh.keys()
    changed = [name for name in fresh if fresh[name] != stored[name]]
    assert not changed, (
        f"{changed} differ: if the change is meant, run python -m lama_edge.runtimes.vectors and "
        "change the native wrappers too"
    )
    assert sum(map(len, stored.values())) < MOST_BYTES


def test_every_list_and_code_is_explained_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text()
    assert f"This is version {VERSION};" in readme
    for path in FOLDER.glob("*.json"):
        document = load(path.stem)
        for name in document:
            assert f"`{name}`" in readme, (path.name, name)
        cases = [case for name in document if name != "version" for case in document[name]]
        for case in cases:
            assert ("error" in case) == ("code" in case)
            for code in (case.get(key) for key in ("code", "reason", "problem")):
                assert code is None or f"`{code}`" in readme, (path.name, code)


def test_the_sizes_show_every_refusal_and_models_that_end() -> None:
    windows = load("windows")
    problems = {case["problem"] for case in windows["sizes"]}
    assert problems == {
        None,
        "size_other",
        "size_too_large",
        "size_not_multiple",
        "size_too_small",
    }
    for cases in (windows["sizes"], windows["plans"], load("inpainting")["pictures"]):
        ends = [case["policy"].get("max_side") for case in cases]
        asked = [case["max_side"] for case in cases]
        pairs = [pair for pair in zip(ends, asked, strict=True) if pair[0] is not None]
        assert any(most < given for most, given in pairs if given is not None)
        assert any(given is None for _, given in pairs)


def test_the_plans_show_every_choice_and_joined_cut_and_shrunk_windows() -> None:
    plans = load("windows")["plans"]
    chosen = {(plan["strategy"], plan["chosen"]) for plan in plans}
    automatic = {("auto", name) for name in ("full", "crop", "resize")}
    assert chosen == automatic | {(name, name) for name in ("full", "crop", "resize")}
    assert {plan["warned"] for plan in plans} == {True, False}
    cropped = [plan for plan in plans if not plan["whole"]]
    assert any(len(plan["windows"]) < len(plan["boxes"]) for plan in cropped), "none is joined"
    assert any(len(plan["windows"]) > len(plan["boxes"]) for plan in cropped), "none is cut"
    assert max(len(plan["windows"]) for plan in cropped) > 5


def test_the_pictures_show_every_format_form_and_strategy_and_a_picture_without_a_hole() -> None:
    pictures = load("inpainting")["pictures"]
    assert {case["picture"]["format"] for case in pictures} == {"grey", "rgb", "rgba"}
    assert {case["form"] for case in pictures} == {"float", "uint8"}
    assert {case["composite"] for case in pictures} == {True, False}
    assert {case["strategy"] for case in pictures} == {"auto", "full", "crop", "resize"}
    assert {case["chosen"] for case in pictures} == {"none", "full", "crop", "resize"}
    assert any(case["policy"]["fixed"] for case in pictures)
    for sides in ("height", "width"):
        small = [case for case in pictures if case["picture"][sides] == 1]
        assert small


def test_holes_of_transparent_pixels_alone_are_shown() -> None:
    windows = {
        (len(case["mask"]["holes"]), len(case["windows"]))
        for case in load("inpainting")["pictures"]
        if case["picture"]["format"] == "rgba" and case["mask"]["holes"]
    }
    assert {(1, 0), (2, 1)} <= windows


def test_the_masks_show_every_channel_refusal_and_doubt() -> None:
    masks = load("masks")
    read = [case for case in masks["masks"] if "used" in case]
    assert {case["used"] for case in read} == {"grey", "alpha", "red", "green", "blue"}
    assert {(case["invert"], case["mostly_hole"]) for case in read} == {
        (invert, mostly) for invert in (False, True) for mostly in (False, True)
    }
    codes = {case["code"] for case in masks["masks"] if "code" in case}
    assert codes == {"mask_unclear", "mask_without_alpha"}
    for used in ("grey", "alpha"):
        assert any(case["used"] == used and case["channel"] == "auto" for case in read)
    assert {0, 1, MAX_GROW} < {case["grow"] for case in masks["grown"]}


def test_noise_is_what_the_readme_says() -> None:
    picture = noise(7, 3, 4, 4)
    for y, x, c in np.ndindex(3, 4, 4):
        n = 7 * 0x9E3779B1 + y * 0x85EBCA77 + x * 0xC2B2AE3D + c * 0x27D4EB2F
        n &= 0xFFFFFFFF
        n ^= n >> 15
        n = n * 0x2C1B3C6D & 0xFFFFFFFF
        n ^= n >> 12
        assert picture[y, x, c] == n >> 24


def test_the_model_computes_what_the_readme_says() -> None:
    height, width = 3, 5
    image = noise(1, height, width, 3)
    hole = hole_from([(0, 1, 2, 3)], height, width)
    filled = arithmetic_fill(image.astype(np.int64), hole)
    levels = image.tolist()
    for y, x, c in np.ndindex(height, width, 3):
        expected = 3 * levels[y][width - 1 - x][c] + 5 * levels[height - 1 - y][x][(c + 1) % 3]
        expected += 50 * int(hole[height - 1 - y, width - 1 - x]) + 7 * y + 11 * x + 13 * c
        assert filled[y, x, c] == expected % 256


def test_a_missing_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        write_vectors(tmp_path / "nowhere")
    monkeypatch.setattr("sys.argv", ["vectors", str(tmp_path / "nowhere")])
    assert main() == 2
    assert capsys.readouterr().err.count("\n") == 1
