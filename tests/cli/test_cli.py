"""The command line: exit codes, one-line errors, JSON, and what it does not import."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge import cli
from lama_edge.judging.tolerances import Tolerance
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.pipeline import STEPS
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME

HEAVY = ("torch", "onnx", "onnxruntime", "numpy", "PIL", "safetensors", "yaml")


@pytest.fixture
def picture_and_mask(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8))
    mask = Image.new("L", (70, 50))
    mask.paste(255, (20, 10, 40, 30))
    paths = tmp_path / "picture.png", tmp_path / "mask.png"
    picture.save(paths[0])
    mask.save(paths[1])
    return paths


def _run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def _error(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr; there must be no other, and none on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("\n")
    assert captured.err.count("\n") == 1
    return captured.err.removesuffix("\n")


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["export", "onnx", "--help"], ["demo", "--help"]]
)
def test_help_imports_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom lama_edge import cli\n"
        f"try: cli.main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "usage: lama-edge" in result.stdout
    assert result.stdout.endswith("heavy: []\n")


def test_export_inspect_and_inpaint_work_one_after_the_other(
    golden_folder: Path,
    tmp_path: Path,
    picture_and_mask: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, output = tmp_path / "m.onnx", tmp_path / "out.png"
    assert _run("export", "onnx", golden_folder, "-o", model, "--size", "64x72") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"wrote {model} (0.7 MB)\nparity: max difference ")
    assert _run("inspect", model) == 0
    printed = capsys.readouterr().out
    assert "64x72 (height x width) only\n" in printed
    assert "ffc_resnet\n" in printed
    assert _run("inpaint", model, *picture_and_mask, "-o", output) == 0
    assert capsys.readouterr().out == (
        f"wrote {output} (70 x 50 pixels, 11.4% inpainted, strategy full: the picture of 70x50 "
        "(width x height) is within the model's 72x64)\n"
    )
    before, after = (np.asarray(Image.open(path)) for path in (picture_and_mask[0], output))
    changed = (before != after).any(axis=2)
    hole = np.asarray(Image.open(picture_and_mask[1])) > 0
    assert changed.any()
    assert not changed[~hole].any()


def test_json_is_all_that_stdout_holds(
    golden_folder: Path,
    tmp_path: Path,
    picture_and_mask: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, output = tmp_path / "m.onnx", tmp_path / "out.png"
    assert _run("export", "onnx", golden_folder, "-o", model, "--size", "32", "--json") == 0
    exported = json.loads(capsys.readouterr().out)
    assert exported["size_bytes"] == model.stat().st_size
    assert _run("inspect", model, "--json") == 0
    assert json.loads(capsys.readouterr().out) == exported["manifest"]
    assert _run("inpaint", model, *picture_and_mask, "-o", output, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["width"], result["height"]) == (70, 50)
    assert result["hole_share"] == pytest.approx(400 / 3500)


def test_export_takes_every_form(golden_folder: Path, tmp_path: Path, capsys) -> None:
    flags = ("--io", "uint8", "--no-composite", "--dft", "op", "--opset", "20", "--no-parity")
    path = tmp_path / "m.onnx"
    assert _run("export", "onnx", golden_folder, "-o", path, *flags, "--json") == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]
    assert manifest["io"]["outputs"][0]["name"] == "predicted"
    assert manifest["io"]["form"] == "uint8"
    assert (manifest["dft"], manifest["format"]["opset"]) == ("op", 20)
    assert manifest["parity"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "onnx", "nothing", "-o", "{tmp}/m.onnx"], "'nothing' does not exist"),
        (["export", "onnx", "-o", "{tmp}/no/m.onnx"], "does not exist: create it first"),
        (["export", "onnx", "-o", "{tmp}/m.onnx", "--size", "1e3"], "--size 1e3 is not a size"),
        (
            ["export", "onnx", "-o", "{tmp}/m.onnx", "--size", "64", "--size", "96"],
            "an ONNX file holds one size and 2 were given",
        ),
        (["export", "onnx", "-o", "{tmp}/m.onnx", "--size", "100"], "100x100 cannot be exported"),
        (["export", "onnx", "-o", "{tmp}/m.onnx", "--opset", "3"], "--opset 3 is not supported"),
        (["export", "onnx", "-o", "{tmp}/model"], "must end in .onnx"),
        (["inspect", "{tmp}/missing.onnx"], "missing.onnx' does not exist"),
        (["inpaint", EMBEDDED_NAME, "a.png", "b.png", "-o", "{tmp}/c.png"], "'a.png' does not"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("{tmp}", str(tmp_path)) for word in arguments]
    assert _run(*words) == 2
    line = _error(capsys)
    assert line.startswith("lama-edge: error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_mask_of_another_size_names_both(
    tmp_path: Path, picture_and_mask: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mask = tmp_path / "small.png"
    Image.new("L", (7, 5), 255).save(mask)
    output = tmp_path / "out.png"
    assert _run("inpaint", EMBEDDED_NAME, picture_and_mask[0], mask, "-o", output) == 2
    line = _error(capsys)
    assert "7x5" in line
    assert "70x50" in line
    assert not output.exists()


def test_a_missing_provider_is_exit_code_3(
    golden_folder: Path,
    picture_and_mask: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = tmp_path / "m.onnx"
    assert _run("export", "onnx", golden_folder, "-o", model, "--size", "32", "--no-parity") == 0
    capsys.readouterr()
    words = ("inpaint", model, *picture_and_mask, "-o", tmp_path / "o.png", "--provider", "qnn")
    assert _run(*words) == 3
    assert "available: cpu" in _error(capsys)


def test_a_parity_failure_is_exit_code_1(
    golden_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(ONNXRUNTIME.tolerances, "fp32", Tolerance(1e-12))
    assert _run("export", "onnx", golden_folder, "-o", tmp_path / "m.onnx", "--size", "32") == 1
    assert "the tolerance is 1e-12" in _error(capsys)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_exit_code_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lama_edge.exporters.formats.onnx.file.finish", interrupt)
    assert _run("export", "onnx", "-o", tmp_path / "m.onnx", "--size", "32") == 130
    assert _error(capsys) == "lama-edge: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_sees_the_stages_and_a_pipe_does_not(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seen = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        words = ("export", "onnx", golden_folder, "-o", tmp_path / "m.onnx", "--size", "16")
        assert _run(*words, "--overwrite") == 0
        seen[type(stream)] = stream.getvalue()
    positions = [seen[Terminal].find(stage) for stage in STEPS]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert seen[io.StringIO] == ""


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lama_edge.cli", "inspect", "missing.onnx", "--debug"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "Traceback" in result.stderr
    assert result.returncode == 2


def test_verbose_says_which_strategy_and_why(
    tmp_path: Path, picture_and_mask: tuple[Path, Path]
) -> None:
    command = [
        sys.executable, "-m", "lama_edge.cli", "inpaint", EMBEDDED_NAME, *picture_and_mask,
        "-o", tmp_path / "out.png", "--verbose",
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "strategy full, 1 window(s): the picture of 70x50" in result.stderr
    assert result.stdout.startswith("wrote ")


def test_the_result_says_which_strategy_and_why(
    tmp_path: Path, picture_and_mask: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("-o", tmp_path / "out.png", "--strategy", "resize", "--max-side", "64")
    assert _run("inpaint", EMBEDDED_NAME, *picture_and_mask, *flags) == 0
    assert "11.4% inpainted, strategy resize: as asked)\n" in capsys.readouterr().out
    assert (
        _run("inpaint", EMBEDDED_NAME, *picture_and_mask, "-o", tmp_path / "o.png", "--json") == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert (result["strategy"], result["windows"]) == ("full", 1)
    assert result["reason"].startswith("the picture of 70x50 (width x height)")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--max-side", "8"), "--max-side 8 is too small: give at least 64 pixels"),
        (("--strategy", "full", "--max-side", "512"), "no effect on --strategy full"),
        (("--strategy", "crop", "--tile", "512"), "--tile 512 has no effect on --strategy crop"),
    ],
)
def test_strategy_flags_that_do_not_go_together_are_one_line(
    tmp_path: Path,
    picture_and_mask: tuple[Path, Path],
    flags: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out.png"
    assert _run("inpaint", EMBEDDED_NAME, *picture_and_mask, "-o", output, *flags) == 2
    assert message in _error(capsys)
    assert not output.exists()


def test_a_reader_that_goes_away_is_no_error(golden_folder: Path) -> None:
    command = f"'{sys.executable}' -m lama_edge.cli inspect '{golden_folder}' | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert result.stderr == ""


def test_models_list_names_every_checkpoint_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path))
    assert _run("models", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines}
    assert states["lama-tiny"] == "here"
    assert states["big-lama"] == "download"
    assert states["lama-regular"] == "bring-your-own"
    assert _run("models", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(states)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["models", "path", "big-lama"], "lama-edge models fetch big-lama"),
        (["models", "path", "big-lma"], "big-lama"),
        (["models", "fetch", "lama-regular"], "get it from its authors"),
        (["models", "fetch", "anime-manga-big-lama"], "--accept-md5"),
        (["inspect", "big-lama"], "lama-edge models fetch big-lama"),
        (["export", "onnx", "big-lama", "-o", "{tmp}/m.onnx"], "lama-edge models fetch big-lama"),
    ],
)
def test_a_checkpoint_that_is_not_here_says_how_to_come_by_it(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "cache"))
    assert _run(*(word.replace("{tmp}", str(tmp_path)) for word in words)) == 2
    assert message in _error(capsys)
    assert not (tmp_path / "m.onnx").exists()


def test_models_path_prints_a_path_that_commands_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("models", "path", EMBEDDED_NAME) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_file()
    assert _run("inspect", path) == 0
