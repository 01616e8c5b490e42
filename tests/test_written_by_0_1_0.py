"""What lama-edge 0.1.0 wrote opens, inspects, inpaints and compares for good."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import DATA
from same_process import without_processes

from lama_edge.benchmarks.documents.store import load_document
from lama_edge.cli import main
from lama_edge.imaging import enlarge, pad, shrink
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.vectors.jobs import Ask, Job
from lama_edge.runtimes.vectors.model import noise
from lama_edge.runtimes.vectors.windows import inpainted, planned
from lama_edge.spec import SizePolicy
from lama_edge.windows import Working

WRITTEN = DATA / "written-by-0.1.0"
MODELS = sorted(path.name for path in WRITTEN.iterdir() if path.suffix in (".onnx", ".mlpackage"))
# int8 of this small checkpoint has 34 dB in its own manifest; the others are closer.
LEAST_PSNR_DB = 25


@pytest.fixture(scope="module")
def picture() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DATA / "fourier" / "cases.npz") as cases:
        return cases["image_0"], cases["mask_0"] > 0


@pytest.fixture(scope="module")
def fill(picture: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    with Inpainter.open(WRITTEN / "float.onnx") as inpainter:
        return inpainter(*picture)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_opens_and_inpaints_and_its_manifest_stays_what_it_was(
    name: str, picture: tuple[np.ndarray, np.ndarray], fill: np.ndarray
) -> None:
    image, hole = picture
    with Inpainter.open(WRITTEN / name) as inpainter:
        result = inpainter(image, hole)
        manifest = inpainter.runner.manifest
    assert (result[~hole] == image[~hole]).all()
    assert manifest.parity is not None
    assert manifest.parity.passed
    again = Manifest.from_json(manifest.to_json())
    assert again == manifest
    if name.startswith(("float", "bands", "fp16")):
        noise = np.mean((result[hole].astype(float) - fill[hole]) ** 2) / 255**2
        assert noise < 10 ** (-LEAST_PSNR_DB / 10)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_inspects(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(WRITTEN / name)]) == 0
    said = capsys.readouterr().out
    assert "parity: max difference" in said
    assert main(["inspect", str(WRITTEN / name), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema_version"] == 1


def test_a_package_of_any_size_still_ends_at_its_largest_side(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("coremltools")
    assert main(["inspect", str(WRITTEN / "dynamic.mlpackage")]) == 0
    assert "any multiples of 8 from 16 to 2048" in capsys.readouterr().out


def test_the_engines_manifest_still_says_where_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine itself is not kept; what stands in for it has its hash in the manifest."""
    stand_in = b"an engine"
    record = json.loads((WRITTEN / "range.engine.json").read_text(encoding="utf-8"))
    record["engine"]["engine_bytes"] = len(stand_in)
    record["engine"]["engine_sha256"] = hashlib.sha256(stand_in).hexdigest()
    (tmp_path / "range.engine").write_bytes(stand_in)
    (tmp_path / "range.engine.json").write_text(json.dumps(record), encoding="utf-8")
    assert main(["inspect", str(tmp_path / "range.engine")]) == 0
    said = capsys.readouterr().out
    for fact in ("SM 8.6", "64x64:72x104:128x128", "multiples of 8 from 64 to 128"):
        assert fact in said
    record["engine"].update(compute_capabilities=[], hardware_compatibility="none")
    (tmp_path / "range.engine.json").write_text(json.dumps(record), encoding="utf-8")
    assert main(["inspect", str(tmp_path / "range.engine")]) == 0
    # The export's words for an engine without named GPUs.
    assert "any GPU of compute capability 8.0 or more" in capsys.readouterr().out


def test_the_largest_side_is_read_as_the_sizes_own() -> None:
    """In both kinds of file it lies in `format`, whose other entries stay."""
    pytest.importorskip("coremltools")
    engine = Manifest.from_json((WRITTEN / "range.engine.json").read_text(encoding="utf-8"))
    with open_runner(WRITTEN / "dynamic.mlpackage", provider="emulated") as runner:
        package = runner.manifest
    assert engine.size == SizePolicy(None, 8, 64, 128)
    assert package.size == SizePolicy(None, 8, 16, 2048)
    assert engine.format == {"name": "tensorrt", "flavor": "rtx"}
    assert package.format == {"name": "coreml", "target": "iOS16"}
    for manifest in (engine, package):
        assert manifest.to_dict()["size"]["max_side"] == manifest.size.max_side
        assert Manifest.from_json(manifest.to_json()) == manifest


def vectors(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((WRITTEN / "vectors" / f"{name}.json").read_text("utf-8"))
    return document


def without_words(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case as plain data; what is a code today was a sentence then."""
    data: dict[str, Any] = json.loads(json.dumps(case))
    return {key: value for key, value in data.items() if key not in ("reason", "filled")}


def test_sizes_and_windows_are_those_of_the_vectors_of_then() -> None:
    document = vectors("windows")
    for case in document["sizes"]:
        policy = SizePolicy.from_dict(case["policy"])
        working = Working(policy, case["max_side"])
        assert list(working.shrunk(*case["size"])) == case["shrunk"]
        assert list(working.seen(*case["size"])) == case["seen"]
        assert (policy.problem_with(*case["size"]) is None) == (case["problem"] is None)
    for case in document["plans"]:
        mask = case["mask"]
        ask = Ask(
            (mask["height"], mask["width"]),
            mask["holes"],
            SizePolicy.from_dict(case["policy"]),
            *(case[name] for name in ("strategy", "max_side", "free_bytes", "ngf")),
        )
        assert without_words(planned(ask)) == without_words(case)


def test_pictures_are_inpainted_to_the_bytes_of_then() -> None:
    """But those with transparent pixels, which the model saw as known colours then."""
    filled = (WRITTEN / "vectors" / "inpainting.bin").read_bytes()
    data = bytearray()
    for case in vectors("inpainting")["pictures"]:
        picture = case["picture"]
        job = Job(
            (picture["height"], picture["width"]),
            case["mask"]["holes"],
            picture["format"],
            SizePolicy.from_dict(case["policy"]),
            *(case[name] for name in ("strategy", "max_side", "form", "composite")),
        )
        made = inpainted(data, picture["seed"], job)
        assert made["filled"] == case["filled"]
        assert without_words(made) == without_words(case)
        fill = slice(made["filled"]["at"], len(data))
        assert picture["format"] == "rgba" or data[fill] == filled[fill]
    assert len(data) == len(filled)


def test_padding_and_resizing_give_the_bytes_of_then() -> None:
    document, data = vectors("pixels"), (WRITTEN / "vectors" / "pixels.bin").read_bytes()
    for name, resize in (("padded", pad), ("shrunk", shrink), ("enlarged", enlarge)):
        for case in document[name]:
            picture = case["picture"]
            result = resize(
                noise(picture["seed"], picture["height"], picture["width"], 3), *case["to"]
            )
            at = case["result"]["at"]
            assert result.tobytes() == data[at : at + result.nbytes]


@pytest.mark.parametrize("kind", ["bench", "parity", "tradeoff", "ranges"])
def test_every_document_loads(kind: str) -> None:
    document = load_document(WRITTEN / f"{kind}.json", f"lama_edge.{kind}")
    assert document["kind"] == f"lama_edge.{kind}"


def test_a_result_compares_with_itself_and_with_a_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = str(WRITTEN / "bench.json")
    assert main(["compare", old, old]) == 0
    assert "sizes.mlpackage" in capsys.readouterr().out


def test_a_model_of_then_judges_as_its_document_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    reference = str(DATA / "fourier")
    words = [str(WRITTEN / "float.onnx"), str(WRITTEN / "sizes.mlpackage")]
    assert main(["parity", *words, "--reference", reference, "--json"]) == 0
    then = json.loads((WRITTEN / "parity.json").read_text(encoding="utf-8"))
    now = json.loads(capsys.readouterr().out)
    assert [(row["model"]["name"], row["runtime"].split()[0]) for row in now["models"]] == [
        (row["model"]["name"], row["runtime"].split()[0]) for row in then["models"][:3]
    ]


def test_a_picture_of_the_golden_size_is_inpainted_by_the_command(tmp_path: Path) -> None:
    with np.load(DATA / "fourier" / "cases.npz") as cases:
        Image.fromarray(cases["image_0"]).save(tmp_path / "a.png")
        Image.fromarray(cases["mask_0"]).save(tmp_path / "m.png")
    words = [str(tmp_path / name) for name in ("a.png", "m.png")]
    model = str(WRITTEN / "uint8-64x72.onnx")
    assert main(["inpaint", model, *words, "-o", str(tmp_path / "o.png")]) == 0
