"""MNN files: what is in them, how they are made, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

pytest.importorskip("MNN")

from damages import DAMAGES, Damage, flipped
from torch_answers import answer_of

from lama_edge import cli
from lama_edge.containers.mnn import seal, sealed_text
from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.mnn import conversion
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.judge import judge
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size

SIZE = Size(72, 104)
DAMAGED: dict[str, Damage] = {
    **DAMAGES,
    "a bit of its table": lambda whole: flipped(whole, 40),
    "another seal": lambda whole: whole[:-1] + (b"0" if whole[-1:] != b"0" else b"1"),
    "the wrong file": lambda whole: b"\x08\x08\x12\x07pytorch" * 1000,
}


@pytest.fixture
def whole(mnn_file: Callable[..., Path]) -> bytes:
    return mnn_file("fourier", SIZE).read_bytes()


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused(
    whole: bytes, tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.mnn"
    path.write_bytes(DAMAGED[damage](whole))
    assert path.read_bytes() != whole
    with pytest.raises(ModelError, match=r"damaged|no lama-edge manifest|cannot be read"):
        open_runner(path)
    assert cli.main(["inspect", str(path)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_a_wrong_weight_under_a_new_seal_is_caught_by_parity(
    mnn_file: Callable[..., Path], exported: Callable[..., Path], tmp_path: Path
) -> None:
    """The file of somebody who changed it on purpose."""
    path, source = tmp_path / "m.mnn", mnn_file("fourier", SIZE)
    text = sealed_text(source)
    assert text is not None
    graph = onnx.load(exported("fourier", SIZE)).graph
    largest = max(graph.initializer, key=lambda one: len(one.raw_data) * (len(one.dims) == 4))
    weights = onnx.numpy_helper.to_array(largest)
    data = source.read_bytes()
    assert data.count(weights.tobytes()) == 1
    path.write_bytes(data.replace(weights.tobytes(), (1.1 * weights).astype("f4").tobytes()))
    with pytest.raises(ModelError, match="damaged"):
        open_runner(path)
    seal(path, text)
    with open_runner(path) as model:
        cases, wanted = answer_of("fourier", SIZE)
        figures = judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1e-4))
    assert not figures.passed


def test_a_text_that_ends_in_its_own_digest_is_no_mnn_file(tmp_path: Path) -> None:
    path = tmp_path / "m.mnn"
    for text in (b"", b"a list of digests\n" * 9):
        path.write_bytes(text + hashlib.sha256(text).hexdigest().encode())
        with pytest.raises(ModelError, match="is no MNN file"):
            open_runner(path)


def test_mnns_own_interfaces_give_the_manifest_back(mnn_file: Callable[..., Path]) -> None:
    import MNN

    path = mnn_file("fourier", SIZE, "uint8")
    net = MNN.nn.load_module_from_file(str(path), ["image", "mask"], ["inpainted"])
    text = net.get_info()["bizCode"]
    assert text == sealed_text(path)
    manifest = Manifest.from_json(text)
    assert (manifest.io.form, manifest.size.fixed, manifest.precision) == ("uint8", SIZE, "fp32")
    assert {"mnn", "onnx-ir", "lama-edge"} <= set(manifest.tools)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "w8"])
def test_the_same_input_gives_the_same_bytes(
    mnn_file: Callable[..., Path], tmp_path: Path, golden_folder: Path, precision: str
) -> None:
    """MNN's converter draws a name for each file; in a process of its own this time."""
    path = tmp_path / "again.mnn"
    job = Export("mnn", golden_folder, path, sizes=(SIZE,), precision=precision, check_parity=False)
    export_model(job)
    assert path.read_bytes() == mnn_file("fourier", SIZE, "float", precision).read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["again.mnn"]


def test_a_manifest_is_replaced_and_the_rest_stays(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.mnn"
    path.write_bytes(whole)
    text = sealed_text(path)
    assert text is not None
    for other in ("{}", "a longer one, with é and " + "x" * 5000, text):
        seal(path, other)
        assert sealed_text(path) == other
    assert path.read_bytes() == whole


def test_a_file_that_lama_edge_did_not_export_carries_no_manifest(
    tmp_path: Path, exported: Callable[..., Path]
) -> None:
    path = tmp_path / "m.mnn"
    payload = {"source": str(exported("fourier", SIZE)), "target": str(path), "options": []}
    conversion.convert_task(payload)
    with pytest.raises(ModelError, match="carries no lama-edge manifest; export it with: lama-edg"):
        open_runner(path)


def test_halves_are_as_they_were_rounded(mnn_file: Callable[..., Path], tmp_path: Path) -> None:
    """The converter cuts digits off where it makes halves of floats itself."""
    values = np.float32([1 + 0.9 * 2**-10, -(1 + 0.9 * 2**-10)] * 8)
    found = {}
    for name, given in (("cut", values), ("kept", values.astype(np.float16).astype(np.float32))):
        made = onnx.helper.make_model(
            onnx.helper.make_graph(
                [onnx.helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
                "one",
                [onnx.helper.make_tensor_value_info("x", 1, [1, 16, 8, 8])],
                [onnx.helper.make_tensor_value_info("y", 1, [1, 1, 8, 8])],
                [onnx.numpy_helper.from_array(given.reshape(1, 16, 1, 1), "w")],
            ),
            opset_imports=[onnx.helper.make_opsetid("", 17)],
        )
        onnx.save(made, tmp_path / "one.onnx")
        path = tmp_path / f"{name}.mnn"
        payload = {"source": str(tmp_path / "one.onnx"), "target": str(path)}
        conversion.convert_task({**payload, "options": ["--fp16"]})
        found[name] = path.read_bytes()
    nearest = np.float16(values).tobytes()
    assert nearest in found["kept"]
    assert nearest not in found["cut"]


def test_what_cannot_be_is_refused_before_any_work(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.mnn"
    words: dict[str, dict[str, Any]] = {
        "with size='dynamic': where MNN computes in fp16": {"precision": "fp16", "sizes": (None,)},
        "precision='int8' is none of an MNN file's": {"precision": "int8"},
        "holds one size and 2 were given": {"sizes": (Size(64, 64), SIZE)},
    }
    for message, choices in words.items():
        with pytest.raises(UsageError, match=message):
            export_model(Export("mnn", golden_folder, path, **choices))
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_the_converter_refuses_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no ONNX file")
    payload = {"source": str(tmp_path / "bad.onnx"), "target": str(tmp_path / "m.mnn")}
    with pytest.raises(ModelError, match="MNN's converter wrote no file and said: "):
        conversion.convert_task({**payload, "options": []})
    assert [one.name for one in tmp_path.iterdir()] == ["bad.onnx"]


WITHOUT_MNN = """
import sys
sys.modules["MNN"] = sys.modules["_tools"] = None
from lama_edge import cli
from lama_edge.errors import MissingBackendError
from lama_edge.runtimes.base import open_runner
assert cli.main(["inspect", sys.argv[1]]) == 0
try:
    open_runner(sys.argv[1])
except MissingBackendError as error:
    sys.exit(str(error))
"""


def test_without_mnn_a_file_is_told_of_and_what_to_install_to_run_it(
    mnn_file: Callable[..., Path],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MNN, str(mnn_file("fourier", SIZE))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'install it with: pip install "lama-edge[mnn]"' in done.stderr
    assert done.stdout.split()[:2] == ["format", "mnn"]
