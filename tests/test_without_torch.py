"""Where torch is not installed: everything but what is for torch works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import TESTS

# Without these the processes that commands start would find torch again.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TESTS / "helpers" / "no_torch")}
FOR_TORCH = (
    "lama_edge.benchmarks.studies.",
    "lama_edge.models.seeded",
    "lama_edge.models.torch_modules",
    "lama_edge.models.training.",
    "lama_edge.runtimes.torch.",
)
SIDE = "64"
QUICK = ("--size", SIDE, "--rounds", "1", "--min-runs", "1", "--min-seconds", "0")

# Runs commands one after the other, since what most of them import takes longer than they do.
COMMANDS = """
import json, sys
from lama_edge import cli
for words in json.loads(sys.argv[1]):
    code = cli.main(words)
    if code:
        sys.exit(f"lama-edge {' '.join(words)} ended with {code}")
"""

MODULES = """
import importlib, json, pkgutil
import lama_edge
from lama_edge.errors import MissingBackendError
found = {}
for info in pkgutil.walk_packages(lama_edge.__path__, "lama_edge.", onerror=lambda name: None):
    try:
        importlib.import_module(info.name)
    except MissingBackendError as error:
        found[info.name] = str(error)
print(json.dumps(found))
"""


def _python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )


def _run(*commands: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
    return _python(COMMANDS, json.dumps([[str(word) for word in words] for words in commands]))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lama-tiny in fp32, exported and judged without torch."""
    path = tmp_path_factory.mktemp("model") / "lama-tiny.onnx"
    done = _run(("export", "onnx", "-o", path, "--size", SIDE))
    assert done.returncode == 0, done.stderr
    return path


def test_only_what_is_for_torch_wants_it() -> None:
    done = _python(MODULES)
    assert done.returncode == 0, done.stderr
    wanting = json.loads(done.stdout)
    assert wanting
    for name, error in wanting.items():
        assert name.startswith(FOR_TORCH), name
        assert "'torch' is not installed" in error
        assert f'pip install "lama-edge[{"train" if ".training." in name else "torch"}]"' in error


@pytest.mark.parametrize("precision", ["fp16", "w8", "int8"])
def test_onnx_files_are_exported_and_judged(tmp_path: Path, precision: str) -> None:
    path = tmp_path / "m.onnx"
    done = _run(("export", "onnx", "-o", path, "--size", SIDE, "--precision", precision))
    assert done.returncode == 0, done.stderr
    assert "numpy-fp32" in done.stdout + done.stderr


def test_core_ml_packages_are_exported_and_judged(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    words = ("export", "coreml", "--size", SIDE, "--precision")
    done = _run(
        *((*words, kind, "-o", tmp_path / f"{kind}.mlpackage") for kind in ("fp32", "fp16"))
    )
    assert done.returncode == 0, done.stderr


def test_engines_are_built_and_their_graph_is_judged(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    words = ("export", "tensorrt", "-o", tmp_path / "m.engine", "--size", SIDE, "--flavor", "rtx")
    done = _run((*words, "--precision", "fp32", "--compute-capability", "8.6"))
    assert done.returncode == 0, done.stderr


def test_models_and_their_checkpoint_are_checked_measured_and_run(
    model: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture, mask = tmp_path / "picture.png", tmp_path / "mask.png"
    Image.fromarray(pixels).save(picture)
    hole = np.zeros((64, 64), dtype=np.uint8)
    hole[20:40, 20:40] = 255
    Image.fromarray(hole).save(mask)
    results = [tmp_path / name for name in ("of-onnx.png", "of-checkpoint.png")]
    document = tmp_path / "parity.json"
    done = _run(
        ("inspect", model),
        ("inspect", "lama-tiny"),
        ("inspect", "lama-tiny", "--ranges", "--size", SIDE),
        ("inpaint", model, picture, mask, "-o", results[0]),
        ("inpaint", "lama-tiny", picture, mask, "-o", results[1]),
        ("parity", model, "--json-out", document),
        ("bench", model, "lama-tiny", *QUICK),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(document.read_text())["reference"]["runtime"].startswith("numpy ")
    filled, wanted = (np.asarray(Image.open(path)).astype(int) for path in results)
    assert np.abs(filled - wanted).max() <= 1


def test_torch_as_a_reference_is_refused_with_what_to_install(model: Path) -> None:
    done = _run(("parity", model, "--reference-runtime", "torch"))
    assert "ended with 3" in done.stderr
    assert 'pip install "lama-edge[torch]"' in done.stderr
