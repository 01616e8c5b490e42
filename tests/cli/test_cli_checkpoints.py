"""Checkpoints with more in them than one generator, from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from same_process import without_processes

from lama_edge import cli
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint

Tensors = dict[str, torch.Tensor]


def _run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        yield


@pytest.fixture(scope="module")
def tensors(golden_checkpoint: Checkpoint) -> Tensors:
    return {name: torch.from_numpy(array) for name, array in golden_checkpoint.tensors.items()}


@pytest.fixture(scope="module")
def mpe(tensors: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LaMa-MPE's form: a position encoding beside the generator."""
    path = tmp_path_factory.mktemp("mpe") / "mpe.ckpt"
    encoding = {"rel_pos_emb.weight": torch.rand(8, 4), "alpha5": torch.zeros(())}
    torch.save({"gen_state_dict": tensors, "str_state_dict": encoding}, path)
    return path


@pytest.fixture(scope="module")
def two(tensors: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("two") / "two.pth"
    average = {n: t * 0.9 if t.is_floating_point() else t for n, t in tensors.items()}
    torch.save({"g": tensors, "g_ema": average, "netD": {"a": torch.rand(2)}}, path)
    return path


def _export(source: object, out: Path, *words: object) -> int:
    return _run("export", "onnx", source, "-o", out, "--size", 64, *words)


def test_what_is_not_read_stops_an_export_and_ignored_it_is_noted_and_left_out_of_the_reference(
    mpe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    assert _export(mpe, out) == 2
    assert not out.exists()
    assert capsys.readouterr().err.endswith("add --ignore str_state_dict\n")
    assert _export(mpe, out, "--ignore", "str_state_dict") == 0
    assert _run("inspect", out, "--json") == 0
    printed = capsys.readouterr().out
    source = json.loads(printed[printed.index("{") :])["source"]
    assert source["ignored"] == ["str_state_dict"]
    assert "entry" not in source
    assert _run("parity", out, "--reference", mpe) == 0


def test_inspect_tells_what_an_export_would_refuse(
    mpe: Path, two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("inspect", mpe) == 0
    assert "str_state_dict; exported only with --ignore str_state_dict" in capsys.readouterr().out
    assert _run("inspect", two) == 0
    printed = capsys.readouterr().out
    assert "g, g_ema; name one as FILE#NAME" in printed
    assert "netD, which no picture needs" in printed
    assert _run("inspect", f"{two}#g_ema", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generators"] == ["g", "g_ema"]
    assert found["not_read"] == []
    assert found["source"]["entry"] == "g_ema"


@pytest.mark.parametrize("by", ["flag", "mark"])
def test_one_of_several_generators_is_exported_and_judged_against_itself(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    out = tmp_path / "m.onnx"
    assert _export(two, out) == 2
    assert "holds 2 generators, 'g', 'g_ema'" in capsys.readouterr().err
    words = (two, out, "--entry", "g_ema") if by == "flag" else (f"{two}#g_ema", out)
    assert _export(*words) == 0
    assert _run("parity", out, "--reference", two) == 0
    assert "two.pth g_ema" in capsys.readouterr().out
    assert _run("parity", out, "--reference", f"{two}#g") == 1
    captured = capsys.readouterr()
    assert "the checkpoint's generator 'g_ema', the reference 'g'" in captured.out + captured.err


def test_models_of_two_generators_want_the_reference_named(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = [tmp_path / f"{name}.onnx" for name in ("g", "g_ema")]
    for out in outs:
        assert _export(two, out, "--entry", out.stem, "--no-parity") == 0
    assert _run("parity", *outs, "--reference", two) == 2
    assert "were exported from 2 generators" in capsys.readouterr().err


def test_flags_that_say_nothing_or_the_same_twice_are_refused(
    two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.onnx"
    for words, reason in (
        ((f"{two}#g", out, "--entry", "g"), "names a generator already"),
        ((two, out, "--entry", "h"), "has no generator 'h'; it has: 'g', 'g_ema'"),
        ((f"{two}#g", out, "--ignore", "mpe"), "has no 'mpe' to leave out"),
        (("lama-tiny", out, "--entry", "g"), "has no generator 'g'"),
    ):
        assert _export(*words) == 2
        assert reason in capsys.readouterr().err


def test_a_file_whose_name_has_the_mark_is_itself(
    tensors: Tensors, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run#g.pth"
    torch.save({"g": tensors}, path)
    assert load_checkpoint(path).selection is not None
    assert _run("inspect", path) == 0


def test_an_onnx_file_has_no_generators_to_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("a.onnx", "--entry", "g", "-o", tmp_path / "a.engine")
    assert _run("export", "tensorrt", *words) == 2
    assert "--entry is settled in an ONNX file" in capsys.readouterr().err
