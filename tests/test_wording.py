"""Messages: Python hears of parameters, who types commands of flags, and nobody of the other's."""

from __future__ import annotations

import argparse
import ast
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import DATA, ROOT, TESTS

from lama_edge import Inpainter, cli, export, open_runner
from lama_edge.benchmarks.bench.run import Bench
from lama_edge.benchmarks.parity.check import ParityCheck, check_parity
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import (
    RENAMED,
    LamaEdgeError,
    UsageError,
    flag_of,
    parameter,
    spelling_flags,
)
from lama_edge.imaging.masks import MaskRules
from lama_edge.imaging.reading import load_picture
from lama_edge.process import run_isolated
from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_file
from lama_edge.spec import Size

ROOMS = ("src/lama_edge", "exporters", "runtimes", "benchmarks", "models")
GOLDEN = DATA / "fourier"
# A flag of ours, and the words of a whole command, which is the same whoever reads it.
FLAG = re.compile(r"(?<![\w-])--[a-z]")
COMMAND = re.compile(r"\b(?:lama-edge|pip install|python3? -m|make|npm|adb|apt-get)\b[^;,)`]*")
# Commands of their own speak of their flags, the project's studies too; pages name the command
# that a file was exported by; flags of other programs are theirs.
OWN_FLAGS = ("src/lama_edge/cli/", "benchmarks/studies/", "benchmarks/reports/", "/building/")
OF_PROGRAMS = (
    "exporters/formats/mnn/conversion.py",
    "benchmarks/targets/programs/venv.py",
    "benchmarks/targets/tasks/environment.py",
)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            linked = any(folder.is_symlink() for folder in path.parents)
            if not linked and "node_modules" not in path.parts:
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def _strings(tree: ast.AST, *, command: bool = False) -> Iterator[tuple[int, str]]:
    """Give every string that may get into a message, without docstrings and help texts."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
            for part in node.values:
                yield from _strings(part)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        elif isinstance(node, ast.keyword) and node.arg in ("help", "description"):
            continue
        elif isinstance(node, ast.Call) and _name(node.func) in ("add", "add_argument", "Retired"):
            continue  # declares a flag
        elif isinstance(node, ast.FunctionDef) and _writes_command(node):
            continue
        else:
            yield from _strings(node)


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", None) or getattr(function, "id", "")


def _writes_command(function: ast.FunctionDef) -> bool:
    """Tell whether a function returns a whole command, put together of pieces."""
    return any(
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.JoinedStr)
        and str(getattr(node.value.values[0], "value", "")).startswith("lama-edge ")
        for node in ast.walk(function)
    )


def test_no_message_outside_the_command_line_speaks_of_a_flag() -> None:
    found = [
        f"{name}:{line}: {text!r}"
        for name, tree in _modules()
        if not any(part in name for part in (*OWN_FLAGS, *OF_PROGRAMS)) and not _is_command(tree)
        for line, text in _strings(tree)
        if FLAG.search(COMMAND.sub("", text))
    ]
    # The table of flags itself.
    found = [one for one in found if not one.startswith("src/lama_edge/errors.py")]
    assert found == []


def _is_command(tree: ast.Module) -> bool:
    """Tell whether a module has a parser, and so flags, of its own."""
    return any(
        isinstance(node, ast.Call) and _name(node.func) == "ArgumentParser"
        for node in ast.walk(tree)
    )


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "parameter":
            yield node


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _flags(command)


def test_every_parameter_of_a_message_has_a_flag_and_is_one() -> None:
    training = (ROOT / "models/training/train.py").read_text(encoding="utf-8")
    flags = {*_flags(cli._parser()), *re.findall(r'"(--[a-z0-9-]+)"', training)}
    named: dict[str, str] = {}
    without: dict[str, str] = {}
    known: set[str] = set()
    for place, tree in _modules():
        for call in _calls(tree):
            first, *values = call.args
            if isinstance(first, ast.Constant):
                name, off = str(first.value), [ast.unparse(one) for one in values] == ["False"]
                named[name] = place
                flag = flag_of(name).replace("--", "--no-") if off else flag_of(name)
                if flag not in flags:
                    without[flag] = place
        for node in ast.walk(tree):
            if isinstance(node, ast.arg):
                known.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                known.add(node.target.id)
            elif isinstance(node, ast.Call) and _name(node.func) == "Option":
                first = node.args[0]
                assert isinstance(first, ast.Constant)
                known.add(str(first.value))
    assert len(named) > 40
    assert without == {}
    assert {n: p for n, p in named.items() if n.rpartition(".")[2] not in known} == {}
    assert {name for name in RENAMED if RENAMED[name] not in flags} == set()


def test_no_message_is_made_before_anybody_knows_who_reads_it() -> None:
    """What is spelled as a module is imported would be spelled for the one or the other."""

    def early(node: ast.AST) -> Iterator[int]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Call) and _name(child.func) == "parameter":
                yield child.lineno
            yield from early(child)

    assert [f"{name}:{line}" for name, tree in _modules() for line in early(tree)] == []


@pytest.mark.parametrize(
    ("words", "python", "flags"),
    [
        (("size",), "size", "--size"),
        (("size", "dynamic"), "size='dynamic'", "--size dynamic"),
        (("size", Size(64, 72)), "size='64x72'", "--size 64x72"),
        (("max_side", 63), "max_side=63", "--max-side 63"),
        (("batch", 1), "batch=1", "--batch 1"),
        (("small_steps", 0), "small_steps=0", "--small-steps 0"),
        (("for", "web"), "for_='web'", "--for web"),
        (("precision", "w8", "fp16", "fp32"), "precision='w8', 'fp16' or 'fp32'",
         "--precision w8, fp16 or fp32"),
        (("composite", False), "composite=False", "--no-composite"),
        (("overwrite", True), "overwrite=True", "--overwrite"),
        (("ignore", ["a", "b c"]), "ignore=['a', 'b c']", "--ignore a --ignore 'b c'"),
        (("mask_rules.channel", "alpha"), "mask_rules.channel='alpha'", "--mask-channel alpha"),
        (("size", ""), "size=''", "--size ''"),
    ],
)  # fmt: skip
def test_a_parameter_is_spelled_for_who_reads_it(
    words: tuple[Any, ...], python: str, flags: str
) -> None:
    assert parameter(*words) == python
    with spelling_flags():
        with spelling_flags():
            assert parameter(*words) == flags
        assert parameter(*words) == flags
    assert parameter(*words) == python


def refuse(payload: dict[str, Any]) -> dict[str, Any]:
    """A task that fails, in a process of its own."""
    raise UsageError(f"{parameter('size', payload['size'])} is none")


def test_a_process_speaks_as_the_one_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (TESTS, TESTS / "helpers"))))
    with pytest.raises(UsageError, match=r"^size='1' is none$"):
        run_isolated("test_wording:refuse", {"size": "1"})
    with spelling_flags(), pytest.raises(UsageError, match=r"^--size 1 is none$"):
        run_isolated("test_wording:refuse", {"size": "1"})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, exported: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "m.onnx").write_bytes(exported("fourier", Size(64, 64)).read_bytes())
    (folder / "any.onnx").write_bytes(exported("fourier").read_bytes())
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "photo.png")
    mask = np.zeros((64, 64, 4), np.uint8)
    mask[10:20, 10:20, 3] = 255
    mask[30:40, 30:40, :3] = 255
    mask[50:60, 50:60] = 255
    Image.fromarray(mask).save(folder / "unclear.png")
    Image.fromarray(mask[:, :, 0]).save(folder / "mask.png")
    return folder


def _inpaint(folder: Path, model: str = "m.onnx", mask: str = "mask.png", **options: Any) -> None:
    paths = (folder / model, folder / "photo.png", folder / mask)
    inpaint_file(InpaintFile(*paths, folder / "out.png", **options))


INPAINT = ("inpaint", "{m.onnx}", "{photo.png}", "{mask.png}", "-o", "{out.png}")
ONNX = ("export", "onnx", GOLDEN, "-o", "{new.onnx}")
BENCH = ("bench", "{m.onnx}")
# What is refused, by Python and by the command that asks for the same: what each has to say.
REFUSED: dict[str, tuple[Callable[[Path], Any], tuple[Any, ...], str, str]] = {
    "size": (
        lambda f: export(GOLDEN, f / "new.onnx", size="1e3"),
        (*ONNX, "--size", "1e3"),
        "size='1e3' is not a size",
        "--size 1e3 is not a size",
    ),
    "size that no graph has": (
        lambda f: export(GOLDEN, f / "new.onnx", size=60),
        (*ONNX, "--size", "60"),
        "size='60x60' cannot be exported",
        "--size 60x60 cannot be exported",
    ),
    "overwrite": (
        lambda f: export(GOLDEN, f / "m.onnx", size=64),
        ("export", "onnx", GOLDEN, "-o", "{m.onnx}", "--size", "64"),
        "add overwrite=True to",
        "add --overwrite to",
    ),
    "purpose": (
        lambda f: export(GOLDEN, f / "new.onnx", for_="web", size="dynamic"),
        (*ONNX, "--for", "web", "--size", "dynamic"),
        "for_='web' wants one size",
        "--for web wants one size",
    ),
    "batch": (
        lambda f: export(GOLDEN, f / "new.onnx", batch=0),
        (*ONNX, "--batch", "0"),
        "batch='0' is no batch",
        "--batch 0 is no batch",
    ),
    "opset": (
        lambda f: export(GOLDEN, f / "new.onnx", opset=3),
        (*ONNX, "--opset", "3"),
        "opset=3 is not supported",
        "--opset 3 is not supported",
    ),
    "dft": (
        lambda f: export(GOLDEN, f / "new.onnx", dft="op", precision="w8"),
        (*ONNX, "--dft", "op", "--precision", "w8"),
        "precision='w8' with dft='op': .*; leave dft out",
        "--precision w8 with --dft op: .*; leave --dft out",
    ),
    "calibrate": (
        lambda f: export(GOLDEN, f / "new.onnx", calibrate=f),
        (*ONNX, "--calibrate", "{.}"),
        "calibrate is of no use for fp32: leave it out, or add precision='fp16' or 'int8'",
        "--calibrate is of no use for fp32: leave it out, or add --precision fp16 or int8",
    ),
    "composite": (
        lambda f: export(f / "m.onnx", f / "new.engine", composite=False),
        ("export", "tensorrt", "{m.onnx}", "-o", "{new.engine}", "--no-composite"),
        "composite=False is settled in an ONNX file",
        "--no-composite is settled in an ONNX file",
    ),
    "several sizes": (
        lambda f: export(GOLDEN, f / "new.mlpackage", size=["dynamic", 64]),
        ("export", "coreml", GOLDEN, "-o", "{new.mlpackage}", "--size", "64", "--size", "dynamic"),
        "size='dynamic' stands alone",
        "--size dynamic stands alone",
    ),
    "backend": (
        lambda f: export(GOLDEN, f / "new.pte", precision="int8", backend="vulkan"),
        ("export", "executorch", GOLDEN, "-o", "{new.pte}", "--precision", "int8", "--backend",
         "vulkan"),
        "precision='int8' is computed by XNNPACK alone: leave backend='vulkan' out",
        "--precision int8 is computed by XNNPACK alone: leave --backend vulkan out",
    ),
    "range of sizes": (
        lambda f: export(GOLDEN, f / "new.engine", size="64:32:16"),
        ("export", "tensorrt", GOLDEN, "-o", "{new.engine}", "--size", "64:32:16"),
        "size='64:32:16' does not rise",
        "--size 64:32:16 does not rise",
    ),
    "max_side": (
        lambda f: Inpainter.open(f / "m.onnx", max_side=8),
        (*INPAINT, "--max-side", "8"),
        "max_side=8 is too small",
        "--max-side 8 is too small",
    ),
    "tile and strategy": (
        lambda f: Inpainter.open(f / "m.onnx", strategy="full", tile=64),
        (*INPAINT, "--strategy", "full", "--tile", "64"),
        "tile=64 has no effect on strategy='full'",
        "--tile 64 has no effect on --strategy full",
    ),
    "tiles of one size": (
        lambda f: Inpainter.open(f / "m.onnx", strategy="tiles"),
        (*INPAINT, "--strategy", "tiles"),
        "export it with size='dynamic'",
        "export it with --size dynamic",
    ),
    "mask": (
        lambda f: _inpaint(f, mask="unclear.png"),
        (*INPAINT[:3], "{unclear.png}", *INPAINT[4:]),
        r"which is the hole, mask_rules\.channel='grey' or 'alpha'",
        "which is the hole, --mask-channel grey or alpha",
    ),
    "mask without alpha": (
        lambda f: _inpaint(f, mask_rules=MaskRules(channel="alpha")),
        (*INPAINT, "--mask-channel", "alpha"),
        r"leave out mask_rules\.channel='alpha'",
        "leave out --mask-channel alpha",
    ),
    "max_pixels": (
        lambda f: load_picture(f / "photo.png", max_pixels=100),
        (*INPAINT, "--max-pixels", "100"),
        r"max_pixels is 100\. Scale it down first, or give max_pixels=4096",
        r"--max-pixels is 100\. Scale it down first, or give --max-pixels 4096",
    ),
    "folders' options": (
        lambda f: _inpaint(f, recursive=True),
        (*INPAINT, "--recursive"),
        "picture_format and recursive are for folders",
        "--format and --recursive are for folders",
    ),
    "threads": (
        lambda f: _inpaint(f, threads=0),
        (*INPAINT, "--threads", "0"),
        "^threads is 0; give 1 or more",
        "--threads is 0; give 1 or more",
    ),
    "rounds": (
        lambda f: Bench((f / "m.onnx",), rounds=0),
        (*BENCH, "--rounds", "0"),
        "^rounds is 0; give 1 or more",
        "--rounds is 0; give 1 or more",
    ),
    "cool_down_s": (
        lambda f: Bench((f / "m.onnx",), cool_down_s=-1),
        (*BENCH, "--cool-down=-1"),
        "cool_down_s is -1; give 0 or more seconds",
        "--cool-down is -1.0; give 0 or more seconds",
    ),
    "target": (
        lambda f: open_target("local", TargetOptions(lan=True)),
        (*BENCH, "--lan"),
        "lan, ort_web and port go with target='browser', not with 'local'",
        "--lan, --ort-web and --port go with --target browser, not with 'local'",
    ),
    "unknown target": (
        lambda f: open_target("board.local"),
        (*BENCH, "--target", "board.local"),
        "^target is unknown: 'board.local'; known: local",
        "--target is unknown: 'board.local'; known: local",
    ),
    "reference_runtime": (
        lambda f: check_parity(
            ParityCheck((str(f / "m.onnx"),), str(f / "m.onnx"), reference_runtime="numpy")
        ),
        ("parity", "{m.onnx}", "--reference", "{m.onnx}", "--reference-runtime", "numpy"),
        "reference_runtime='numpy' is for checkpoints",
        "--reference-runtime numpy is for checkpoints",
    ),
    "images": (
        lambda f: check_parity(ParityCheck((str(f / "m.onnx"),), masks=f)),
        ("parity", "{m.onnx}", "--masks", "{.}"),
        "the folder of pictures as images$",
        "the folder of pictures as --images$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_python_names_parameters_and_the_command_line_flags(
    case: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask, words, python, flags = REFUSED[case]
    with pytest.raises(LamaEdgeError, match=python) as refused:
        ask(files)
    assert not FLAG.search(COMMAND.sub("", str(refused.value)))
    line = [str(files / word[1:-1]) if str(word).startswith("{") else str(word) for word in words]
    assert cli.main(line) == refused.value.exit_code
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(flags, said), said
    assert not re.search(rf"\b[a-z]+_[a-z_]+=|{python}", said)


def test_warnings_speak_as_errors_do(
    files: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING), open_runner(files / "any.onnx") as runner:
        hole = np.ones((64, 64), np.uint8)
        Inpainter(runner, strategy="full")(np.zeros((64, 64, 3), np.uint8), hole)
        assert "wrong way round, say mask_rules.invert" in caplog.text
        caplog.clear()
        Image.fromarray(hole).save(files / "all.png")
        words = [str(files / name) for name in ("any.onnx", "photo.png", "all.png")]
        assert cli.main(["inpaint", *words, "-o", str(files / "out.png")]) == 0
        assert "wrong way round, say --invert-mask" in caplog.text
