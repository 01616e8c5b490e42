"""Hostile checkpoints at the command line: one line, exit code 2, and nothing has happened."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lama_edge import cli


class _Run:
    """Pickles as a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _zipped(path: Path, program: bytes, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", b"3\n")
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _reduce(path: Path, command: str) -> None:
    _zipped(path, pickle.dumps({"state_dict": _Run(command)}, 2))


def _build(path: Path, command: str) -> None:
    _zipped(path, b"\x80\x02cposix\nsystem\n}" + _text("__setstate__") + _text(command) + b"sb.")


def _nested_in_a_tensor_list(path: Path, command: str) -> None:
    tensors = [[1.0, [2.0, {"weight": (_Run(command),)}]]]
    _zipped(path, pickle.dumps({"state_dict": {"generator.model.1.weight": tensors}}, 2))


def _deep_in_a_zip(path: Path, command: str) -> None:
    inner = path.with_name("inner.zip")
    _zipped(inner, pickle.dumps(_Run(command), 2))
    _zipped(path, pickle.dumps(_Run(command), 2), inner=inner.read_bytes())
    inner.unlink()


def _bare_pickle(path: Path, command: str) -> None:
    path.write_bytes(pickle.dumps({"state_dict": _Run(command)}, 2))


def _in_torchscript_data(path: Path, command: str) -> None:
    call = b"cposix\nsystem\n" + _text(command) + b"\x85R"
    program = b"\x80\x02c__torch__.a\nModule\n)\x81}" + _text("model") + call + b"sb."
    _zipped(path, program, **{"code/__torch__.py": b"class Module(Module):\n  pass\n"})


SHAPES: list[Callable[[Path, str], None]] = [
    _reduce,
    _build,
    _nested_in_a_tensor_list,
    _deep_in_a_zip,
    _bare_pickle,
    _in_torchscript_data,
]


@pytest.mark.parametrize("suffix", [".ckpt", ".pt"])
@pytest.mark.parametrize("write", SHAPES, ids=lambda shape: shape.__name__.strip("_"))
def test_nothing_runs_and_one_line_says_so(
    write: Callable[[Path, str], None],
    suffix: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, mark = tmp_path / f"stranger{suffix}", tmp_path / "ran"
    write(path, f"touch {mark}")
    for words in (["inspect", path], ["export", "onnx", path, "-o", tmp_path / "out.onnx"]):
        assert cli.main([str(word) for word in words]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("lama-edge: error: the checkpoint ")
        assert captured.err.count("\n") == 1
        assert (
            "no torch checkpoint" if write is _bare_pickle else "nothing was run"
        ) in captured.err
    assert list(tmp_path.iterdir()) == [path]


def test_the_payload_would_have_run_in_an_ordinary_unpickler(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    _bare_pickle(tmp_path / "stranger.ckpt", f"touch {mark}")
    pickle.loads((tmp_path / "stranger.ckpt").read_bytes())
    assert mark.exists()
