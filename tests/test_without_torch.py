"""Where torch is not installed: everything but what is for torch works."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import DATA, TESTS

# Holds for the processes that commands start too.
WITHOUT_TORCH = (TESTS / "helpers", TESTS / "helpers" / "no_torch")
FOR_TORCH = (
    "lama_edge.benchmarks.studies.",
    "lama_edge.exporters.formats.ncnn.module",
    "lama_edge.exporters.torch_module.",
    "lama_edge.models.seeded",
    "lama_edge.models.torch_modules",
    "lama_edge.models.training.",
    "lama_edge.runtimes.torch.",
)
# What wants torch together with a package of its own.
WITH_TORCH = {"lama_edge.runtimes.executorch.runner": "executorch"}
GOLDEN = DATA / "fourier"
SIDE = "64"
PRECISIONS = ("fp32", "fp16", "w8", "int8")
QUICK = ("--size", SIDE, "--rounds", "1", "--min-runs", "1", "--min-seconds", "0")

# In one process, since importing what the commands need takes longer than most of them do.
PROGRAM = """
import importlib, json, pkgutil, sys
import lama_edge
from lama_edge import cli
from lama_edge.errors import MissingBackendError
from lama_edge.exporters.formats.coreml import conversion
from same_process import call
conversion.run_isolated = call
wanting, codes = {}, {}
for info in pkgutil.walk_packages(lama_edge.__path__, "lama_edge.", onerror=lambda name: None):
    try:
        importlib.import_module(info.name)
    except MissingBackendError as error:
        wanting[info.name] = str(error)
for name, words in json.loads(sys.argv[1]).items():
    codes[name] = cli.main(words)
assert sys.modules["torch"] is None
print(json.dumps({"wanting": wanting, "codes": codes}))
"""


def _commands(folder: Path) -> dict[str, tuple[object, ...]]:
    picture, mask = folder / "picture.png", folder / "mask.png"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    hole = np.zeros((64, 64), dtype=np.uint8)
    hole[20:40, 20:40] = 255
    Image.fromarray(hole).save(mask)
    model = folder / "fp32.onnx"
    export = ("export", "onnx", GOLDEN, "--size", SIDE, "--precision")
    commands: dict[str, tuple[object, ...]] = {
        f"onnx {kind}": (*export, kind, "-o", folder / f"{kind}.onnx") for kind in PRECISIONS
    }
    if importlib.util.find_spec("coremltools"):
        export = ("export", "coreml", GOLDEN, "--size", SIDE, "--precision")
        for kind in ("fp32", "fp16"):
            commands[f"coreml {kind}"] = (*export, kind, "-o", folder / f"{kind}.mlpackage")
    if importlib.util.find_spec("tensorrt_rtx"):
        export = ("export", "tensorrt", GOLDEN, "--size", SIDE, "--precision", "fp32")
        chip = ("--flavor", "rtx", "--compute-capability", "8.6")
        commands["tensorrt"] = (*export, "-o", folder / "m.engine", *chip)
    if importlib.util.find_spec("openvino"):
        other = folder / "model.xml"
        commands["openvino"] = ("export", "openvino", GOLDEN, "--size", SIDE, "-o", other)
        commands["inspect, openvino"] = ("inspect", other)
        commands["support, openvino"] = ("support", other)
        commands["inpaint, openvino"] = ("inpaint", other, picture, mask, "-o", folder / "vino.png")
    return commands | {
        "inspect": ("inspect", model),
        "support": ("support", model),
        "inspect, checkpoint": ("inspect", "lama-tiny"),
        "ranges": ("ranges", GOLDEN, "--size", SIDE),
        "inpaint": ("inpaint", model, picture, mask, "-o", folder / "of-onnx.png"),
        "inpaint, checkpoint": ("inpaint", GOLDEN, picture, mask, "-o", folder / "of-numpy.png"),
        "parity": ("parity", model, "--reference", GOLDEN, "--json-out", folder / "parity.json"),
        "bench": ("bench", model, GOLDEN, *QUICK, "--json-out", folder / "bench.json"),
        "parity, torch": ("parity", model, "--reference", GOLDEN, "--reference-runtime", "torch"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("without-torch")


@pytest.fixture(scope="module")
def done(folder: Path) -> tuple[dict[str, Any], str]:
    """What the program found, and what it said on stderr."""
    words = {name: [str(word) for word in line] for name, line in _commands(folder).items()}
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, WITHOUT_TORCH))},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1]), finished.stderr


def test_only_what_is_for_torch_wants_it(done: tuple[dict[str, Any], str]) -> None:
    wanting = done[0]["wanting"]
    assert wanting
    for name, error in wanting.items():
        if name in WITH_TORCH:
            assert f'pip install "lama-edge[{WITH_TORCH[name]}]"' in error
            continue
        assert name.startswith(FOR_TORCH), name
        assert "'torch' is not installed" in error
        extra = "train" if name.startswith("lama_edge.models.training.") else "t"
        assert f'pip install "lama-edge[{extra}' in error, name


def test_every_command_works(done: tuple[dict[str, Any], str]) -> None:
    found, said = done
    refused = {name: code for name, code in found["codes"].items() if code}
    assert refused == {"parity, torch": 3}, said


def test_torch_as_a_reference_is_refused_with_what_to_install(
    done: tuple[dict[str, Any], str],
) -> None:
    """Its process is another one: torch is missing there too."""
    (line,) = [line for line in done[1].splitlines() if "error:" in line]
    assert "the reference " in line
    assert line.endswith('pip install "lama-edge[torch]"')


def test_checkpoints_run_in_numpy(done: tuple[dict[str, Any], str], folder: Path) -> None:
    parity, bench = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("parity", "bench")
    )
    assert parity["reference"]["runtime"].startswith("numpy ")
    assert [run["runtime"].split()[0] for run in bench["runs"]] == ["onnxruntime", "numpy"]
    filled, wanted = (
        np.asarray(Image.open(folder / f"of-{name}.png")).astype(int) for name in ("onnx", "numpy")
    )
    assert np.abs(filled - wanted).max() <= 1
