"""The registry of runtimes: one more line in it, and every command knows the runtime."""

from __future__ import annotations

import contextlib
import importlib
import json
import platform
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from same_process import without_processes

from lama_edge import cli
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.runtimes import registry
from lama_edge.runtimes.base import choose_runtime, open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import SizePolicy, io_spec

LINE = "toy_record:TOY"
# The record, the runner, and what every fresh process does before anything else.
CODE = {
    "toy_record.py": """
        from lama_edge.judging.tolerances import Tolerance
        from lama_edge.runtimes.registry import Runtime

        TOY = Runtime(
            name="toy",
            title="Toy",
            format="toy",
            suffixes=(".toy",),
            opener="toy_runner:ToyRunner",
            providers=("tin", "wood"),
            modules=("toy_runner",),
            tolerances={"fp32": Tolerance(2.0)},
        )
        """,
    "toy_runner.py": """
        from lama_edge.errors import ModelError
        from lama_edge.manifest import Manifest
        from lama_edge.runtimes.base import Runner, check_inputs
        from toy_record import TOY


        class ToyRunner(Runner):
            runtime = TOY
            runtime_version = "7.1"

            def __init__(self, path, *, provider="auto", threads=None):
                self.provider = "tin" if provider == "auto" else provider
                self.manifest = Manifest.from_json(path.read_text())

            def run(self, image, mask):
                check_inputs(self.manifest.io, self.manifest.size, image, mask)
                return image * (mask == 0) + 0.5 * (mask > 0).astype(image.dtype)

            def close(self):
                pass
        """,
    "sitecustomize.py": f"""
        from lama_edge.runtimes.registry import RUNTIMES

        RUNTIMES.append({LINE!r})
        """,
}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model of a runtime that is registered by a line, here and in fresh processes."""
    plug_in = tmp_path / "plug-in"
    plug_in.mkdir()
    for name, text in CODE.items():
        (plug_in / name).write_text(textwrap.dedent(text), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(plug_in))
    monkeypatch.syspath_prepend(str(plug_in))
    monkeypatch.setattr(registry, "RUNTIMES", [*registry.RUNTIMES, LINE])
    manifest = Manifest(
        format={"name": "toy"},
        io=io_spec("float"),
        size=SizePolicy(None, 8, 16),
        precision="fp32",
        dft=None,
        source=Source(load_checkpoint().sha256, {"kind": "toy"}, 1),
        tools={},
    )
    path = tmp_path / "model.toy"
    path.write_text(manifest.to_json(), encoding="utf-8")
    yield path
    for name in ("toy_record", "toy_runner"):
        sys.modules.pop(name, None)


def _run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_python_opens_it(toy: Path) -> None:
    with open_runner(toy) as runner:
        assert (runner.title, runner.parts, runner.part) == ("toy 7.1 tin", (), None)
    assert registry.tolerance_of("toy", "fp32").max_abs_diff == 2.0
    picture = np.zeros((40, 50, 3), np.uint8)
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:20] = 1
    with Inpainter.open(toy, provider="wood") as inpainter:
        assert inpainter.runner.provider == "wood"
        filled = inpainter(picture, mask)
    assert (filled[10:20, 10:20] == 128).all()
    assert filled.sum() == 128 * 300


def test_a_provider_it_does_not_have_is_refused_with_those_it_has(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"no provider 'cuda'; choose one of: auto, tin, wood$"):
        open_runner(toy, provider="cuda")
    with pytest.raises(UsageError, match="no part 'head': models of its format, toy, have none"):
        open_runner(f"{toy}#head")


@pytest.mark.parametrize("command", ["inpaint", "parity", "bench", "inspect", "support"])
def test_its_providers_stand_in_the_help_and_in_what_an_unknown_one_is_told(
    toy: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        _run(command, "--help")
    assert ", numpy, tin, wood (default: auto)" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit) as stopped:
        _run(command, toy, "--provider", "nonsense")
    assert stopped.value.code == 2
    assert "unknown provider 'nonsense'; choose one of: auto, cuda, " in capsys.readouterr().err


def test_the_commands_know_it(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("inspect", toy, "--provider", "wood") == 0
    assert capsys.readouterr().out.startswith("format        toy\n")
    Image.new("RGB", (40, 40)).save(tmp_path / "in.png")
    Image.new("L", (40, 40), 255).save(tmp_path / "mask.png")
    picture = (tmp_path / "in.png", tmp_path / "mask.png", "-o", tmp_path / "out.png")
    assert _run("inpaint", toy, *picture, "--provider", "tin") == 0
    assert Image.open(tmp_path / "out.png").getpixel((20, 20)) == (128, 128, 128)


def test_fresh_processes_know_it(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("parity", toy, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert (row["runtime"], row["passed"], row["tolerance"]) == ("toy 7.1 tin", True, 2.0)
    words = ("--rounds", "1", "--min-runs", "1", "--min-seconds", "0", "--size", "64")
    assert _run("bench", toy, "--provider", "wood", *words, "--json") == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert (run["runtime"], run["provider"]) == ("toy 7.1", "wood")
    assert run["model"]["format"] == "toy"
    # The command line itself, not through this process.
    done = subprocess.run(
        [sys.executable, "-m", "lama_edge.cli", "inspect", str(toy)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("format        toy\n")


def test_a_model_that_fails_is_not_looked_into_where_nothing_emulates_it(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_processes(monkeypatch)
    record = importlib.import_module("toy_record")
    strict = {"fp32": replace(record.TOY.tolerances["fp32"], max_abs_diff=1e-9)}
    monkeypatch.setattr(record, "TOY", replace(record.TOY, tolerances=strict))
    assert _run("parity", toy, "--json") == 1
    captured = capsys.readouterr()
    (row,) = json.loads(captured.out)["models"]
    assert (row["passed"], row["first_difference"], captured.err) == (False, None, "")
    assert _run("ranges", toy) == 2
    assert "only .onnx and .mlpackage can be emulated" in capsys.readouterr().err


def test_every_record_names_something_that_is_there() -> None:
    for runtime in registry.runtimes():
        for reference in filter(None, (runtime.opener, runtime.facts, runtime.support)):
            with contextlib.suppress(MissingBackendError):  # where it is not installed
                assert callable(registry.load(reference))


def test_records_are_light() -> None:
    """The help of every command is made from them."""
    heavy = "{'numpy', 'torch', 'onnx', 'onnxruntime', 'coremltools', 'tensorrt', 'tensorrt_rtx'}"
    code = (
        "import sys; from lama_edge.runtimes.registry import runtimes; list(runtimes()); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_precision_without_a_tolerance_and_a_runtime_that_is_not_there_name_what_is() -> None:
    for pair in (("onnxruntime", "int3"), ("unheard", "fp32")):
        with pytest.raises(ModelError, match=rf"{' '.join(pair)}; known: onnxruntime fp32, "):
            registry.tolerance_of(*pair)


def test_auto_takes_core_ml_on_macos_alone_and_never_the_emulator_of_onnx_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.onnx", "a.mlpackage", "a.engine", "a.ckpt", "folder"):
        (tmp_path / name).mkdir()
    chosen = {}
    for system in ("Darwin", "Linux"):
        monkeypatch.setattr(platform, "system", lambda system=system: system)
        chosen[system] = {
            path.name: choose_runtime(path).runtime.name for path in tmp_path.iterdir()
        }
    common = {"a.onnx": "onnxruntime", "a.engine": "tensorrt", "a.ckpt": "torch", "folder": "torch"}
    assert chosen["Darwin"] == {**common, "a.mlpackage": "coreml"}
    assert chosen["Linux"] == {**common, "a.mlpackage": "coreml-emulator"}
    emulated = choose_runtime(tmp_path / "a.onnx", provider="emulated").runtime
    assert emulated.name == "emulator"


@pytest.mark.parametrize("suffix", [".xml", ".param"])
def test_who_names_the_weights_of_a_model_is_told_the_model(tmp_path: Path, suffix: str) -> None:
    weights = tmp_path / "a.bin"
    weights.touch()
    with pytest.raises(ModelError, match=r"no runtime opens '.*a\.bin'"):
        choose_runtime(weights)
    weights.with_suffix(suffix).touch()
    with pytest.raises(ModelError, match=rf"a\.bin' has the weights of 'a\{suffix}': give that"):
        choose_runtime(weights)
