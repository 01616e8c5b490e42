"""The script of `lama-edge completion` in a real shell."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.cli import main

Complete = Callable[[str], list[str]]
needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
# What readline does for a Tab behind the words that are given.
_TAB = """
source ./script
registered=$(complete -p lama-edge)
function=${registered##*-F }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
${function% lama-edge} lama-edge "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Complete:
    folder = tmp_path_factory.mktemp("shell")
    with pytest.MonkeyPatch.context() as patch, (folder / "script").open("w") as script:
        patch.setattr("sys.stdout", script)
        assert main(["completion", "bash"]) == 0
    for name in ("a.onnx", "b.tflite", "c.ckpt", "notes.txt", "r.json", "p.html", "x.png"):
        (folder / name).touch()
    (folder / "photos").mkdir()

    def tab(line: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", _TAB, "bash", *line.split(" ")],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted(done.stdout.split())

    return tab


@needs_bash
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lama-edge exp", "export"),
        ("lama-edge export o", "onnx openvino"),
        ("lama-edge export onnx --for ", "any cpu gpu web"),
        ("lama-edge export coreml --precision pal", "pal4 pal6"),
        ("lama-edge export onnx --no-", "--no-composite --no-parity"),
        ("lama-edge inpaint --strategy auto --provider cpu_", "cpu_gpu cpu_ne"),
        ("lama-edge inspect ", "a.onnx b.tflite c.ckpt photos"),
        ("lama-edge bench a.onnx ", "a.onnx b.tflite c.ckpt photos"),
        ("lama-edge inpaint a.onnx x", "x.png"),
        ("lama-edge demo ", "a.onnx photos"),
        ("lama-edge ranges a.onnx --json-out ", "photos r.json"),
        ("lama-edge ranges a.onnx --report ", "p.html photos"),
        ("lama-edge ranges a.onnx --calibrate ", "photos"),
        ("lama-edge tradeoff --precision p", "pal4 pal6"),
        ("lama-edge bench --target ", "adb browser local ssh"),
        ("lama-edge models f", "fetch"),
        ("lama-edge models fetch big-lama-c", "big-lama-celeba"),
        ("lama-edge support a.onnx --flavor ", "auto rtx tensorrt"),
        ("lama-edge completion ", "bash fish zsh"),
        # Old spellings work and are not offered.
        ("lama-edge inspect a.onnx --r", ""),
        ("lama-edge export onnx --fo", "--for"),
    ],
)
def test_tab_offers_what_fits(complete: Complete, line: str, expected: str) -> None:
    assert complete(line) == expected.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_knows_the_commands(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("ranges", "support", "openvino", "--strategy", "cpu_ne", "*.mlpackage"):
        assert word in script
    assert "--convolutions" not in script
    assert main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"script": script[:-1]}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_reads_its_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    (tmp_path / "_lama-edge").write_text(capsys.readouterr().out)
    subprocess.run(["zsh", "-n", tmp_path / "_lama-edge"], check=True)
