"""Damaged LiteRT files are refused before LiteRT sees them, or their results tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutations import damaged

pytest.importorskip("ai_edge_litert")
import flatbuffers

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.litert.flatbuffer import replace_manifest, schema
from lama_edge.judging.cases import seeded_cases
from lama_edge.judging.judge import judge, raw_outputs
from lama_edge.manifest import METADATA_KEY
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.litert.structure import SEAL_KEY, read_structure
from lama_edge.runtimes.numpy.runner import NumpyRunner
from lama_edge.runtimes.registry import tolerance_of

SEEDS = 120


@pytest.fixture(scope="module")
def whole(litert_file: Callable[..., Path]) -> Path:
    return litert_file("fourier", composite=False)


def _with_zeros(data: bytes) -> bytes:
    return data[:-4096] + bytes(4096)


def _exchanged(data: bytes) -> bytes:
    return data[:8192] + data[12288:16384] + data[12288:16384] + data[16384:]


def _with_a_bit_of_a_weight(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "a byte less": lambda data: data[:-1],
    "another beginning": lambda data: data[:4] + b"ONNX" + data[8:],
    "a root beyond the end": lambda data: b"\xff\xff\xff\x7f" + data[4:],
    "a bit of a weight": _with_a_bit_of_a_weight,
    "a block twice": _exchanged,
    "bytes between": lambda data: data[:999] + b"between" + data[999:],
    "zeros at the end": _with_zeros,
    "two files": lambda data: data + data,
}


def _refused(path: Path) -> str:
    """Return why a file is refused, in one line; nothing of it reaches LiteRT."""
    with pytest.raises(ModelError) as caught:
        open_runner(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused(name: str, whole: Path, tmp_path: Path) -> None:
    model = tmp_path / "damaged.tflite"
    model.write_bytes(DAMAGES[name](whole.read_bytes()))
    assert re.search("damaged|cannot be read", _refused(model))


def test_any_damage_breaks_the_seal(whole: Path, tmp_path: Path) -> None:
    model, data = tmp_path / "damaged.tflite", whole.read_bytes()
    for seed in range(SEEDS):
        changed = damaged("model.tflite", data, np.random.default_rng([7, seed]))
        if changed == data:
            continue
        model.write_bytes(changed)
        with pytest.raises(ModelError, match=r"damaged|cannot be read"):
            read_structure(model)


Change = Callable[[Any], None]


def _changed(whole: Path, folder: Path, change: Change, *, sealed: bool = True) -> Path:
    """Return a copy that somebody changed, and sealed anew."""
    data = whole.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(data)
    change(model)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path = folder / "changed.tflite"
    path.write_bytes(bytes(builder.Output()))
    if sealed:
        replace_manifest(path, read_structure(whole).metadata[METADATA_KEY].decode())
    return path


def _first(model: Any, name: str) -> Any:
    code = getattr(schema.BuiltinOperator, name)
    numbers = {at for at, one in enumerate(model.operatorCodes) if one.builtinCode == code}
    return next(one for one in model.subgraphs[0].operators if one.opcodeIndex in numbers)


def _weights(model: Any) -> Any:
    return model.subgraphs[0].tensors[_first(model, "CONV_2D").inputs[1]]


def _set(find: Callable[[Any], Any], **values: Any) -> Change:
    def change(model: Any) -> None:
        for name, value in values.items():
            setattr(find(model), name, value)

    return change


def _reversed(model: Any) -> None:
    model.subgraphs[0].operators.reverse()


def _made_twice(model: Any) -> None:
    first, second, *_ = model.subgraphs[0].operators
    second.outputs = first.outputs


def _quantised(model: Any) -> None:
    scales = schema.QuantizationParametersT()
    scales.scale, scales.zeroPoint = [0.5, 0.5, 0.5], [0]
    _weights(model).quantization = scales


def _of_another_graph(model: Any) -> None:
    model.signatureDefs[0].inputs[0].tensorIndex = 5


def _with_two_graphs(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "a tensor that is not there": (
        _set(lambda m: _first(m, "ADD"), inputs=[0, 99999]),
        "a ADD takes a tensor that is not there",
    ),
    "a tensor below none": (
        _set(lambda m: _first(m, "ADD"), inputs=[0, -1]),
        "a ADD takes a tensor that is not there",
    ),
    "too few inputs": (_set(lambda m: _first(m, "SLICE"), inputs=[0]), "a SLICE takes 1 tensors"),
    "no output": (_set(lambda m: _first(m, "SLICE"), outputs=[]), "gives 0"),
    "a kind that is not there": (
        _set(lambda m: _first(m, "ADD"), opcodeIndex=99),
        "points beyond its end",
    ),
    "a buffer that is not there": (_set(_weights, buffer=1 << 20), "points beyond its end"),
    "weights of another shape": (_set(_weights, shape=[64, 7, 7, 400]), "bytes for the shape"),
    "an extent below none": (_set(_weights, shape=[-8, 7, 7, 4]), "has the shape"),
    "extents beyond reason": (
        _set(lambda m: m.subgraphs[0].tensors[0], shape=[1, 1 << 30, 1 << 30, 3]),
        "has the shape",
    ),
    "an order from the end": (_reversed, "taken before it is made"),
    "a tensor made twice": (_made_twice, "a second time"),
    "scales of no channels": (_quantised, "quantised by 3 scales"),
    "a signature of another tensor": (_of_another_graph, "another than its graph's"),
    "two graphs": (_with_two_graphs, "2 graphs, not one"),
    "another schema": (_set(lambda m: m, version=4), "version 4, not 3"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_lite_rt_would_trust_is_refused(name: str, whole: Path, tmp_path: Path) -> None:
    change, reason = CONTRADICTIONS[name]
    assert reason in _refused(_changed(whole, tmp_path, change))


def test_a_copy_without_changes_is_taken(whole: Path, tmp_path: Path) -> None:
    assert read_structure(_changed(whole, tmp_path, lambda model: None)).operators


def test_a_manifest_without_its_seal_is_refused(whole: Path, tmp_path: Path) -> None:
    def drop(model: Any) -> None:
        model.metadata = [one for one in model.metadata if one.name != SEAL_KEY.encode()]

    model = _changed(whole, tmp_path, drop, sealed=False)
    assert "changed after its export" in _refused(model)


def test_another_models_manifest_is_refused(
    litert_file: Callable[..., Path], whole: Path, tmp_path: Path
) -> None:
    model = tmp_path / "exchanged.tflite"
    model.write_bytes(whole.read_bytes())
    other = read_structure(litert_file("dilated", composite=False)).metadata[METADATA_KEY]
    replace_manifest(model, other.decode())
    assert "other inputs than its manifest says" in _refused(model)


def test_parity_catches_weights_that_were_changed_and_sealed(
    golden_folder: Path, whole: Path, tmp_path: Path
) -> None:
    def change(model: Any) -> None:
        buffer = model.buffers[_weights(model).buffer]
        buffer.data = (buffer.data.view(np.float32) * np.float32(1.5)).view(np.uint8)

    def differs(path: Path) -> bool:
        checkpoint = load_checkpoint(golden_folder)
        with (
            NumpyRunner(checkpoint, composite=False) as reference,
            open_runner(path, threads=1) as runner,
        ):
            cases = seeded_cases(runner.manifest.size)
            wanted = raw_outputs(reference, cases)
            tolerance = tolerance_of("litert", "fp32")
            found = judge(runner, cases, wanted, reference_name="numpy", tolerance=tolerance)
        return not found.passed

    assert differs(_changed(whole, tmp_path, change))
    assert not differs(whole)
