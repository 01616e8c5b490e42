"""Targets: how ``--target`` finds one, this machine as the first, and one without any Python."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from toy_device import NOTHING, ToyDevice

from lama_edge import cli
from lama_edge.benchmarks.documents.store import BENCH, PARITY, load_document
from lama_edge.benchmarks.parity.check import ParityCheck, check_parity
from lama_edge.benchmarks.targets.base import Description, Opening
from lama_edge.benchmarks.targets.registry import TARGETS, open_target
from lama_edge.benchmarks.targets.tasks.environment import available_cores, environment
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.engines import EngineBuild, ProfileSizes
from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.tensorrt.options import engine_size
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import METADATA_KEY, Manifest, Source
from lama_edge.process import CrashError
from lama_edge.runtimes import registry
from lama_edge.runtimes.registry import Runtime
from lama_edge.spec import Progress, Size, SizePolicy, io_spec, untold

SIZE = Size(16, 24)
SOURCE = Source("0" * 64, {"kind": "toy"}, 0)

TOY = Runtime(
    name="toy",
    title="a toy",
    format="toy",
    suffixes=(".toy",),
    opener="nowhere:nothing",
    providers=("beads",),
    modules=(),
    tolerances={"fp32": Tolerance(1e-4)},
)


def _inverted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask > 0, 1 - image, image)


RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "right": _inverted,
    "wrong": lambda image, mask: np.where(mask > 0, np.float32(0.5), image),
    "everywhere": lambda image, mask: 1 - image,
    "not finite": lambda image, mask: np.where(mask > 0, np.float32(np.nan), image),
    "cropped": lambda image, mask: image[:, :, 1:],
}


class ToyTarget(ToyDevice):
    """A device whose models are files that somebody wrote down: a rule and a manifest."""

    def push(self, path: Path) -> dict[str, Any]:
        return dict(json.loads(path.read_text()))

    def describe(self, handle: dict[str, Any], opening: Opening) -> Description:
        manifest = Manifest.from_json(handle["manifest"])
        return Description(manifest, "toy", "1.0", "beads", "toy 1.0")

    def measure(
        self,
        handle: dict[str, Any],
        opening: Opening,
        image: np.ndarray,
        mask: np.ndarray,
        policy: Policy,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], np.ndarray]:
        assert image.flags.c_contiguous
        if handle["rule"] == "lost":
            raise CrashError("the cable fell out")
        problem = Manifest.from_json(handle["manifest"]).problem_with(*image.shape[2:])
        if problem is not None:
            raise ModelError(f"no beads for {image.shape}: {problem}")
        measured, _ = super().measure(handle, opening, image, mask, policy)
        return measured, RULES[handle["rule"]](image, mask)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the target and the runtime that it has, by a line each."""
    monkeypatch.setitem(TARGETS, "toy", f"{__name__}:ToyTarget")
    monkeypatch.setattr(registry, "RUNTIMES", [*registry.RUNTIMES, f"{__name__}:TOY"])


def _manifest(format_name: str, size: Size | None) -> Manifest:
    return Manifest(
        {"name": format_name}, io_spec("float"), SizePolicy(size, 8, 16), "fp32", None, SOURCE,
        tools={}, parity=None,
    )  # fmt: skip


def _write(path: Path, rule: str, manifest: Manifest) -> Path:
    path.write_text(json.dumps({"rule": rule, "manifest": manifest.to_json()}))
    return path


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """A model file for each rule."""
    manifest = _manifest("toy", SIZE)
    return {
        rule: _write(tmp_path / f"{rule.replace(' ', '-')}.toy", rule, manifest)
        for rule in (*RULES, "lost")
    }


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """The right rule as an ONNX file, for this machine."""
    manifest, shape = _manifest("onnx", None), (1, 3, "height", "width")
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nodes = [
        helper.make_node("Greater", ["mask", "zero"], ["hole"]),
        helper.make_node("Sub", ["one", "image"], ["fill"]),
        helper.make_node("Where", ["hole", "fill", "image"], ["inpainted"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            value("image", TensorProto.FLOAT, shape),
            value("mask", TensorProto.FLOAT, (1, 1, *shape[2:])),
        ],
        [value("inpainted", TensorProto.FLOAT, shape)],
        [one, zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: manifest.to_json()})
    onnx.save(model, tmp_path / "reference.onnx")
    return tmp_path / "reference.onnx"


def _run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_a_target_without_python_is_measured_shown_and_compared(
    toy: None, models: dict[str, Path], tmp_path: Path
) -> None:
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    words = ("bench", models["right"], models["wrong"], "--target", "toy", "--rounds", "2")
    assert _run(*words, "--out", out, "--report", page) == 0
    document = load_document(out, BENCH)
    assert "python" not in document["environment"]
    assert "packages" not in document["environment"]
    for run in document["runs"]:
        assert (run["target"], run["runtime"], run["provider"]) == ("toy", "toy 1.0", "beads")
        assert run["statistics"]["median_ms"] == 8
        assert run["model"]["format"] == "toy"
    assert "Abacus 12" in page.read_text()
    assert _run("compare", out, out) == 0


def test_what_a_target_gave_is_shown(toy: None, models: dict[str, Path]) -> None:
    from lama_edge.benchmarks.bench.run import Bench, run_bench

    result = run_bench(Bench((models["right"],), target="toy", rounds=1))
    (picture,) = result.pictures
    hole = picture.hole
    assert np.array_equal(picture.output[hole], 255 - picture.image[hole])
    assert np.array_equal(picture.output[~hole], picture.image[~hole])


@pytest.mark.parametrize(
    ("rule", "code", "error"),
    [
        ("not finite", 1, "NaN or infinite values at 16x24; its times mean nothing"),
        ("cropped", 2, "the model returned float32 (1, 3, 15, 24) where its manifest says"),
        ("lost", 2, "the cable fell out"),
    ],
)
def test_what_a_target_cannot_measure_is_a_row(
    toy: None, models: dict[str, Path], rule: str, code: int, error: str
) -> None:
    from lama_edge.benchmarks.bench.run import Bench, run_bench

    result = run_bench(Bench((models[rule], models["right"]), target="toy", rounds=1))
    failed, measured = result.document["runs"]
    assert error in failed["error"]
    assert measured["error"] is None
    assert result.exit_code == code


def test_what_a_target_computed_is_judged_here(
    toy: None, models: dict[str, Path], reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "p.json"
    words = ("parity", models["right"], models["wrong"], "--target", "toy")
    assert _run(*words, "--reference", reference, "--out", out) == 1
    document = load_document(out, PARITY)
    assert (document["target"], document["environment"]["device"]) == ("toy", "Abacus 12")
    assert document["reference"]["runtime"].startswith("onnxruntime")
    right, wrong = document["models"]
    assert (right["passed"], right["runtime"], right["error"]) == (True, "toy 1.0", None)
    assert right["worst"]["max_abs_diff"] < 1e-6
    assert not wrong["passed"]
    assert wrong["worst"]["max_abs_diff"] > 0.1
    # Its inside cannot be looked at from here.
    assert wrong["first_difference"] is None


def test_an_engine_of_a_range_is_judged_at_sizes_within_it(
    toy: None, reference: Path, tmp_path: Path
) -> None:
    profile = ProfileSizes(Size(32, 32), Size(48, 48), Size(64, 64))
    build = EngineBuild(
        "rtx", "1.7", (), "none", version_compatible=False, optimisation_level=3, tf32=False,
        workspace_bytes=None, profiles=(profile,), source_sha256="", engine_sha256="",
        engine_bytes=1,
    )  # fmt: skip
    policy = engine_size(build.profiles, SizePolicy(None, 8, 16))
    manifest = replace(_manifest("toy", None), engine=build, size=policy)
    model = _write(tmp_path / "engine.toy", "right", manifest)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, size in (("large", (200, 90)), ("small", (20, 24))):
        Image.new("RGB", size, "teal").save(pictures / f"{name}.png")
    job = ParityCheck((str(model),), str(reference), images=pictures, target="toy")
    (row,) = check_parity(job).document["models"]
    assert row["error"] is None
    assert row["passed"]
    assert len({case["size"] for case in row["cases"] if case["name"].startswith("seeded")}) > 2
    assert {case["name"] for case in row["cases"]} >= {"large.png", "small.png"}


def test_known_pixels_and_values_of_a_target_are_judged_too(
    toy: None, models: dict[str, Path], reference: Path
) -> None:
    names = ("everywhere", "not finite", "lost")
    job = ParityCheck(tuple(str(models[name]) for name in names), str(reference), target="toy")
    changed, infinite, lost = check_parity(job).document["models"]
    assert changed["cases"][0]["known_changed"] > 0.9
    assert not changed["passed"]
    assert "NaN or infinite values" in infinite["error"]
    assert lost["error"] == "the cable fell out"


def test_help_and_refusals_list_the_targets(
    toy: None, models: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("bench", "parity"):
        with pytest.raises(SystemExit):
            _run(command, "--help")
        known = ", ".join(TARGETS)
        assert known.startswith("local, ")
        assert known.endswith(", toy")
        assert f"where the models run: {known}" in " ".join(capsys.readouterr().out.split())
        assert _run(command, models["right"], "--target", "ftp://pi") == 2
        assert f"--target is unknown: 'ftp://pi'; known: {known}" in capsys.readouterr().err


def test_local_is_this_machine() -> None:
    with open_target("local") as target:
        assert target.name == "local"
        assert target.shares_machine
        assert target.environment() == environment()
        assert 1 <= target.default_threads() == available_cores() <= (os.cpu_count() or 1)
        assert target.sensors().keys() == NOTHING.keys()


@pytest.mark.parametrize("address", ["ftp://pi", "", "LOCAL", "usb:3"])
def test_an_unknown_target_names_those_that_there_are(address: str) -> None:
    with pytest.raises(UsageError, match=f"target is unknown: '{address}'; known: local"):
        open_target(address)


@pytest.mark.parametrize("address", ["board", "pi@192.168.1.20", "board:2222"])
def test_a_host_alone_is_told_how_it_is_an_address(address: str) -> None:
    with pytest.raises(UsageError, match=f"; over SSH it is 'ssh://{address}'$"):
        open_target(address)


def test_local_takes_no_address() -> None:
    with pytest.raises(UsageError, match=r"'local://box7'.*takes nothing"):
        open_target("local://box7")
