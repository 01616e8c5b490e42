"""Help is alike in all commands: arguments explained, choices and defaults told, 80 columns."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from lama_edge.cli import _parser, main
from lama_edge.cli.shell.completion import parsers_of

PARSERS = {parser.prog: parser for parser in parsers_of(_parser())}
COMMANDS = [name for name, parser in PARSERS.items() if parser.get_default("command")]
all_parsers = pytest.mark.parametrize("name", PARSERS)


def _arguments(name: str) -> list[argparse.Action]:
    return [
        action
        for action in PARSERS[name]._actions
        if action.help != argparse.SUPPRESS
        and not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    ]


def _called(action: argparse.Action) -> str:
    return action.option_strings[-1] if action.option_strings else str(action.metavar)


@all_parsers
def test_every_argument_says_what_it_is(name: str) -> None:
    assert [_called(action) for action in _arguments(name) if not action.help] == []


@all_parsers
def test_choices_are_listed_and_what_is_taken_unasked_stands_at_the_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    printed = PARSERS[name].format_help()
    for action in _arguments(name):
        said = action.help or ""
        if action.choices is not None:
            listed = [f"{{{','.join(map(str, action.choices))}}}", ", ".join(action.choices)]
            assert any(one in printed for one in listed), _called(action)
        optional = action.option_strings and not action.required
        told = action.default not in (None, False, [], argparse.SUPPRESS) or action.choices
        if optional and told and action.nargs != 0:
            assert "(default: " in said, _called(action)
        if isinstance(action.default, str) and action.default != argparse.SUPPRESS:
            assert f"(default: {action.default}" in said, _called(action)
        # One way to say it.
        assert said.count("default") == said.count("(default: "), _called(action)
        assert "default" not in said or said.rstrip("; mayrept").endswith(")"), _called(action)


@all_parsers
def test_help_fits_80_columns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = PARSERS[name].format_help().splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_common_options_in_one_place(name: str) -> None:
    assert "\ncommon options:\n  --json " in PARSERS[name].format_help()
    assert PARSERS[name].description


def test_no_command_and_a_misspelt_one_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    for name in ("export", "ranges", "support", "completion"):
        assert f"\n    {name} " in listed
    for words, meant in ((["exprot"], "export"), (["export", "onxx", "-o", "a.onnx"], "onnx")):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert capsys.readouterr().err.endswith(f"; did you mean {meant!r}?\n")
    with pytest.raises(SystemExit):
        main(["zzz"])
    assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words", "end"),
    [
        (
            "export onnx",
            "-o a.onnx --precison int8",
            "arguments: --precison; did you mean '--precision'?",
        ),
        ("inpaint", "m i k -o a.png --grw=3", "arguments: --grw=3; did you mean '--grow'?"),
        ("inpaint", "m i k more -o a.png", "unrecognized arguments: more"),
        ("models list", "--zzz", "unrecognized arguments: --zzz"),
    ],
)
def test_a_slip_is_told_by_its_command_with_the_option_that_was_meant(
    command: str, words: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(f"{command} {words}".split())
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"usage: lama-edge {command} [-h]")
    assert said.endswith(f"{end}\n")


def test_no_shortened_flag_is_a_spelling_that_is_gone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "m.mlpackage")
    # `--for` is other formats'; of this one it would be `--force`, which replaces the output.
    with pytest.raises(SystemExit):
        main(["export", "coreml", "--for", "-o", output])
    said = capsys.readouterr().err
    assert "unrecognized arguments: --for" in said
    assert "--force" not in said.splitlines()[-1]
    assert PARSERS["lama-edge export coreml"].parse_args(["--over", "-o", output]).overwrite


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "lama_edge.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: lama-edge ")


def test_help_imports_nothing_that_is_slow_or_for_one_command_alone() -> None:
    heavy = {"numpy", "PIL", "torch", "onnx", "onnxruntime", "shtab", "jinja2", "tqdm", "asyncio"}
    code = (
        "import sys; from lama_edge.cli import main; "
        f"main([]); print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
