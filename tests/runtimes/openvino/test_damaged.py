"""Damaged OpenVINO models are refused before or by OpenVINO, or else parity catches them.

What was changed without its digests never reaches OpenVINO's reader, or counts as another tool's
model; here digests are made to fit, as by somebody who means harm. Thousands of random damages:
`tests/mutation_campaign.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("openvino")

from same_process import without_processes
from torch_answers import CASES

from lama_edge import cli
from lama_edge.containers.openvino import WEIGHTS_SHA256, graph_sha256, read_ir, rt_info
from lama_edge.errors import ModelError
from lama_edge.exporters.formats.openvino.ir import stamp_ir
from lama_edge.files import sha256_of
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import changed_since_export, open_runner

SIZE = CASES[0][1]
Change = Callable[[ElementTree.Element], None]


@pytest.fixture
def model(openvino_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A model of its own, of one size."""
    whole, path = openvino_model("fourier", SIZE), tmp_path / "model.xml"
    for suffix in (".xml", ".bin"):
        shutil.copyfile(whole.with_suffix(suffix), path.with_suffix(suffix))
    return path


def _sealed(model: Path, change: Change | None = None) -> None:
    """Change a model's graph, and let the digests in its manifest fit both files."""
    root = read_ir(model)
    manifest = Manifest.from_json(str(rt_info(root, METADATA_KEY)))
    if change is not None:
        change(root)
        ElementTree.ElementTree(root).write(model, encoding="utf-8")
    about = {**manifest.format, WEIGHTS_SHA256: sha256_of(model.with_suffix(".bin"))}
    digest = graph_sha256(root)
    stamp_ir(replace(manifest, format=about, graph_sha256=digest), model)


def _layer(root: ElementTree.Element, kind: str, index: int = 0) -> ElementTree.Element:
    return root.findall(f"layers/layer[@type='{kind}']")[index]


def _set(kind: str, **values: str) -> Change:
    """Set attributes of the first layer of a kind, its own or its data's."""

    def change(root: ElementTree.Element) -> None:
        layer = _layer(root, kind)
        data = layer.find("data")
        for name, value in values.items():
            place = layer if name in layer.attrib else data
            assert place is not None
            assert name in place.attrib
            place.set(name, value)

    return change


def _edges(change: Callable[[ElementTree.Element], None]) -> Change:
    def changed(root: ElementTree.Element) -> None:
        edges = root.find("edges")
        assert edges is not None
        change(edges)

    return changed


def _circle(edges: ElementTree.Element) -> None:
    """Let the first layer that is fed be fed by the last one."""
    edges[0].set("from-layer", edges[-1].get("to-layer", ""))


REFUSED: dict[str, Change] = {
    "an operator that there is not": _set("Convolution", type="Einstein"),
    "an operator of a set to come": _set("Pad", version="opset99"),
    "weights beyond the file's end": _set("Const", offset=str(1 << 40)),
    "weights of a smaller size": _set("Const", size="2"),
    "weights of a negative size": _set("Const", size="-4"),
    "a constant of another shape": _set("Const", shape="7,7,7"),
    "a type that there is not": _set("Const", element_type="f11"),
    "a stride below none": _set("Convolution", strides="-1,-1"),
    "strides of one axis": _set("Convolution", strides="1"),
    "a layer that is not there": _edges(lambda edges: edges[3].set("from-layer", "99999")),
    "a port that is not there": _edges(lambda edges: edges[3].set("to-port", "99")),
    "an edge that is missing": _edges(lambda edges: edges.remove(edges[3])),
    "a circle": _edges(_circle),
    "the same number twice": _set("Const", id="0"),
    "an output of another type": _set("Parameter", element_type="f16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_graph_that_cannot_be_is_refused_in_one_line(model: Path, name: str) -> None:
    _sealed(model, REFUSED[name])
    with pytest.raises(ModelError) as refused:
        open_runner(model, provider="cpu")
    assert "\n" not in str(refused.value)
    assert str(model) in str(refused.value)


def _inverted(model: Path) -> None:
    """Turn the sign of the weights around."""
    weights = model.with_suffix(".bin")
    weights.write_bytes((-np.fromfile(weights, np.float32)).tobytes())
    _sealed(model)


def _twisted(root: ElementTree.Element) -> None:
    """Let a concatenation read its first two inputs the other way round."""
    layer = _layer(root, "Concat", 1).get("id")
    first, second = root.findall(f"edges/edge[@to-layer='{layer}']")[:2]
    for name in ("from-layer", "from-port"):
        one, other = first.get(name, ""), second.get(name, "")
        first.set(name, other)
        second.set(name, one)


CAUGHT: dict[str, Callable[[Path], None]] = {
    "other weights": _inverted,
    "another padding": lambda model: _sealed(model, _set("Pad", pad_mode="edge")),
    "inputs of the wrong way round": lambda model: _sealed(model, _twisted),
}


@pytest.fixture
def parity(
    golden_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], tuple[int, str]]:
    """Judges a model as the command does; gives its exit code and what it prints."""
    without_processes(monkeypatch)

    def judge(model: Path) -> tuple[int, str]:
        code = cli.main(["parity", str(model), "--reference", str(golden_folder)])
        return code, "".join(capsys.readouterr())

    return judge


@pytest.mark.parametrize("name", CAUGHT)
def test_a_graph_that_computes_something_else_is_caught_by_parity(
    model: Path, parity: Callable[[Path], tuple[int, str]], name: str
) -> None:
    assert parity(model)[0] == 0
    CAUGHT[name](model)
    manifest = Manifest.from_json(str(rt_info(read_ir(model), METADATA_KEY)))
    assert not changed_since_export(manifest, model)
    code, said = parity(model)
    assert code == 1, said
    assert "FAILED" in said or "failed" in said


def test_a_graph_that_was_changed_without_its_digest_is_known_as_another(model: Path) -> None:
    root = read_ir(model)
    manifest = Manifest.from_json(str(rt_info(root, METADATA_KEY)))
    _set("Pad", pad_mode="edge")(root)
    ElementTree.ElementTree(root).write(model)
    assert changed_since_export(manifest, model)
