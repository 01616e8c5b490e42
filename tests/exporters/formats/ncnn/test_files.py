"""ncnn's models: what is in them, how they are made, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

from damages import DAMAGES, Damage, flipped
from torch_answers import answer_of, checkpoint_of

from lama_edge import cli
from lama_edge.containers.ncnn import seal, sealed_text
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.ncnn import conversion
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.files import weights_beside
from lama_edge.judging.judge import judge
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.pipeline import export_model
from lama_edge.process import CrashError, WatchedFolder
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size, SizePolicy, io_spec

SIZE = Size(72, 104)
DAMAGED_WEIGHTS: dict[str, Damage] = {
    **DAMAGES,
    "a length of nothing": lambda whole: whole[:-72] + b"0" * 8 + whole[-64:],
    "a length beyond it": lambda whole: whole[:-72] + b"f" * 8 + whole[-64:],
}
DAMAGED_PARAM: dict[str, Damage] = {
    **{name: DAMAGES[name] for name in ("nothing in it", "cut in half")},
    "another mark": lambda whole: flipped(whole, 3),
    "more layers than there are": lambda whole: whole.replace(b"\n", b"\n9", 1),
    "a stride of nothing": lambda whole: whole.replace(b" 3=2 ", b" 3=0 ", 1),
    "another layer": lambda whole: whole.replace(b"Sigmoid", b"Softmax"),
    "an order of channels that pnnx would write": lambda whole: whole.replace(b"1=1\n", b"1=0\n"),
    "a line behind it": lambda whole: whole + b"Noop more 0 0\n",
}
CASES = [("param", name) for name in DAMAGED_PARAM] + [("bin", name) for name in DAMAGED_WEIGHTS]


def _copied(model: Path, folder: Path) -> Path:
    for file in (model, weights_beside(model)):
        shutil.copyfile(file, folder / file.name)
    return folder / model.name


@pytest.mark.parametrize(("which", "damage"), CASES)
def test_a_damaged_model_is_refused(
    ncnn_model: Callable[..., Path],
    tmp_path: Path,
    which: str,
    damage: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = _copied(ncnn_model("fourier", SIZE), tmp_path)
    damaged = path if which == "param" else weights_beside(path)
    whole = damaged.read_bytes()
    change = (DAMAGED_PARAM if which == "param" else DAMAGED_WEIGHTS)[damage]
    damaged.write_bytes(change(whole))
    assert damaged.read_bytes() != whole
    with pytest.raises(ModelError, match=r"damaged|no lama-edge manifest|cannot be read"):
        open_runner(path)
    assert cli.main(["inspect", str(path)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_files_of_two_models_are_refused_and_so_is_one_alone(
    ncnn_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = _copied(ncnn_model("fourier", SIZE), tmp_path)
    other = ncnn_model("fourier", Size(64, 64))
    shutil.copyfile(weights_beside(other), weights_beside(path))
    with pytest.raises(ModelError, match="of two models"):
        open_runner(path)
    weights_beside(path).unlink()
    with pytest.raises(ModelError, match=r"without its weights 'fourier\.bin': copy both files"):
        open_runner(path)


def test_a_wrong_weight_under_a_new_seal_is_caught_by_parity(
    ncnn_model: Callable[..., Path], tmp_path: Path
) -> None:
    """The model of somebody who changed it on purpose."""
    path = _copied(ncnn_model("fourier", SIZE), tmp_path)
    weights = weights_beside(path)
    text = sealed_text(path, weights)
    assert text is not None
    data = weights.read_bytes()
    middle = len(data) // 2 & ~3
    changed = (np.frombuffer(data, np.float32, 500, middle) * np.float32(1.5)).tobytes()
    weights.write_bytes(data[:middle] + changed + data[middle + len(changed) :])
    seal(path, weights, text)
    with open_runner(path) as model:
        cases, wanted = answer_of("fourier", SIZE)
        figures = judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1e-4))
    assert not figures.passed


@pytest.mark.parametrize("family", ["fourier", "regular", "dilated"])
def test_the_weights_are_those_of_the_graph(ncnn_model: Callable[..., Path], family: str) -> None:
    """Folded, merged and with the DFT's matrices: every constant stands in the file as it is."""
    checkpoint = checkpoint_of(family)
    policy = SizePolicy(SIZE, checkpoint.config.size_multiple, checkpoint.config.min_size)
    options = GraphOptions(io=io_spec("float", batch=1), size=policy)
    graph = build_deploy_graph(checkpoint.config, checkpoint.tensors, options).graph
    data = weights_beside(ncnn_model(family, SIZE)).read_bytes()
    constants = {
        name: np.asarray(value.const_value)
        for name, value in graph.initializers.items()
        if value.dtype == ir.DataType.FLOAT and value.shape is not None and value.shape.rank()
    }
    assert len(constants) > 20
    assert [name for name, array in constants.items() if array.tobytes() not in data] == []
    # And little else: tags of four bytes, the manifest, the seal.
    assert len(data) - sum(array.nbytes for array in constants.values()) < 4096


def test_halves_are_those_of_the_graph(
    ncnn_model: Callable[..., Path], exported: Callable[..., Path]
) -> None:
    """Weights as halves; biases and matrices as floats, whose values halves have too."""
    data = weights_beside(ncnn_model("fourier", SIZE, "fp16")).read_bytes()
    graph = onnx.load(exported("fourier", SIZE, precision="fp16")).graph
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    halves = {name: array for name, array in arrays.items() if array.dtype == np.float16}
    assert sum(array.ndim == 4 for array in halves.values()) > 20
    for name, array in halves.items():
        stored = array if array.ndim == 4 else array.astype(np.float32)
        assert stored.tobytes() in data, name


def test_inputs_and_output_have_their_own_names(ncnn_model: Callable[..., Path]) -> None:
    import ncnn

    path = ncnn_model("fourier", SIZE)
    net = ncnn.Net()
    assert net.load_param(str(path)) == 0
    assert (net.input_names(), net.output_names()) == (["image", "mask"], ["inpainted"])
    lines = path.read_text().splitlines()
    assert "Input image 0 1 image 0=104 1=72 2=3" in lines
    assert "Input mask 0 1 mask 0=104 1=72 2=1" in lines
    text = sealed_text(path, weights_beside(path))
    assert text is not None
    manifest = Manifest.from_json(text)
    assert (manifest.size.fixed, manifest.precision) == (SIZE, "fp32")
    assert {"pnnx", "torch", "onnx-ir", "lama-edge"} <= set(manifest.tools)


def test_the_same_input_gives_the_same_bytes(
    ncnn_model: Callable[..., Path], tmp_path: Path, golden_folder: Path
) -> None:
    """In a process of its own this time."""
    path, other = tmp_path / "again.param", ncnn_model("fourier", SIZE)
    job = Export("ncnn", golden_folder, path, sizes=(SIZE,), precision="fp32", check_parity=False)
    export_model(job)
    assert path.read_bytes() == other.read_bytes()
    assert weights_beside(path).read_bytes() == weights_beside(other).read_bytes()
    assert {one.name for one in tmp_path.iterdir()} == {"again.param", "again.bin"}


def test_a_manifest_is_replaced_and_the_rest_stays(
    ncnn_model: Callable[..., Path], tmp_path: Path
) -> None:
    path = _copied(ncnn_model("fourier", SIZE), tmp_path)
    weights = weights_beside(path)
    whole, text = weights.read_bytes(), sealed_text(path, weights)
    assert text is not None
    for other in ("{}", "a longer one, with é and " + "x" * 5000, text):
        seal(path, weights, other)
        assert sealed_text(path, weights) == other
    assert weights.read_bytes() == whole


def test_a_model_that_lama_edge_did_not_export_carries_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    path.write_text("7767517\n1 1\nInput image 0 1 image\n")
    weights_beside(path).write_bytes(bytes(400))
    with pytest.raises(ModelError, match="carries no lama-edge manifest; export it with: lama-edg"):
        open_runner(path)


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    path.write_text("7767517\n1 1\nInput image 0 1 image\n")
    data = b"\xff\xfe00000002"
    digest = hashlib.sha256(path.read_bytes() + data).hexdigest()
    weights_beside(path).write_bytes(data + digest.encode())
    with pytest.raises(ModelError, match="manifest"):
        open_runner(path)


def test_what_cannot_be_is_refused_before_any_work(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    words: dict[str, dict[str, Any]] = {
        "size='dynamic': torch traces one picture's way": {"sizes": (None,)},
        "precision='w8' is none of an ncnn model's": {"precision": "w8"},
        "io='uint8' is no form of an ncnn model": {"io": "uint8"},
        "holds one size and 2 were given": {"sizes": (Size(64, 64), SIZE)},
    }
    for message, choices in words.items():
        with pytest.raises(UsageError, match=message):
            export_model(Export("ncnn", golden_folder, path, **choices))
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_ncnn_has_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lama.ncnn.param"
    path.write_text("7767517\n2 2\nInput in0 0 1 in0\ntorch.gt gt_0 1 1 in0 out0\n")
    with pytest.raises(ModelError, match=r"ncnn has no layer for torch\.gt"):
        conversion.mended(path, io_spec("float"), SIZE)


def test_what_pnnx_refuses_leaves_nothing(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pnnx
    from same_process import call

    monkeypatch.setattr(conversion, "run_isolated", call)
    monkeypatch.setattr(pnnx, "EXEC_PATH", shutil.which("false"))
    job = Export("ncnn", golden_folder, tmp_path / "m.param", sizes=(SIZE,), precision="fp32")
    with pytest.raises(ModelError, match="pnnx ended with 1 and said: nothing"):
        export_model(job)
    assert list(tmp_path.iterdir()) == []


def test_pnnx_that_cannot_be_started_is_told_of_with_what_to_do(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one of another processor's kind; the output is not to blame."""
    strange = Path(_program(tmp_path, "exit 0"))
    monkeypatch.setattr(conversion, "run_isolated", lambda *_: {"pnnx": str(strange)})
    job = Export("ncnn", golden_folder, tmp_path / "m.param", sizes=(SIZE,), check_parity=False)
    reasons = {"Exec format error": 0o755, "Permission denied": 0o644}
    for told, mode in reasons.items():
        strange.write_bytes(b"\x7fELF of another kind")
        strange.chmod(mode)
        message = rf"^pnnx cannot be started \({told}\): install pnnx again$"
        with pytest.raises(ModelError, match=message):
            export_model(job)
    assert list(tmp_path.iterdir()) == [strange]


# A net as pnnx writes it, and its weights.
NET = (
    "7767517\n3 3\nInput in0 0 1 in0\nInput in1 0 1 in1\n"
    "Convolution conv 1 1 in0 out0 0=1 1=1 5=1 6=3\n"
)
WEIGHTS = bytes(4) + np.float32([1, 2, 3, 4]).tobytes()


@pytest.fixture
def written(
    ncnn_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes a model of what pnnx is said to have written."""
    path = ncnn_model("fourier", SIZE)
    manifest = Manifest.from_json(sealed_text(path, weights_beside(path)) or "")
    target = tmp_path / "m.param"

    def write(text: str) -> Path:
        def call(_: str, watched: WatchedFolder) -> None:
            made = watched.path / "lama.ncnn.param"
            made.write_text(text)
            weights_beside(made).write_bytes(WEIGHTS)

        monkeypatch.setattr(conversion, "run_isolated", lambda *_: {"pnnx": "pnnx"})
        monkeypatch.setattr(conversion, "_call", call)
        conversion.write_ncnn(tmp_path / "source.onnx", manifest, target)
        return target

    return write


def test_layers_that_pnnx_wrote_in_part_are_refused_wherever_they_end(
    written: Callable[[str], Path],
) -> None:
    assert "0=1 1=1 5=1 6=3" in written(NET).read_text()
    for end in range(len(NET)):
        with pytest.raises(ModelError, match=r"^pnnx wrote .*: export again, with room in"):
            written(NET[:end])
    for lines, layers in enumerate((0, 1, 2), start=2):
        with pytest.raises(ModelError, match=f"pnnx wrote {layers} of 3 layers"):
            written("".join(NET.splitlines(keepends=True)[:lines]))


@pytest.mark.parametrize("damaged", ["6=x", "6", "", "x=3"])
def test_a_layer_of_pnnxs_that_cannot_be_read_is_refused(
    written: Callable[[str], Path], damaged: str
) -> None:
    with pytest.raises(ModelError, match=r"^pnnx wrote no model that can be read \(\w+Error: "):
        written(NET.replace("6=3", damaged))


def test_pnnx_that_was_killed_is_told_of(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = _program(tmp_path, "kill -9 $$")
    monkeypatch.setattr(conversion, "run_isolated", lambda *_: {"pnnx": killed})
    (tmp_path / "out").mkdir()
    job = Export("ncnn", golden_folder, tmp_path / "out" / "m.param", sizes=(SIZE,))
    with pytest.raises(CrashError, match="pnnx did not finish: the process was killed by SIGKILL"):
        export_model(job)
    assert list((tmp_path / "out").iterdir()) == []


def _program(folder: Path, lines: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


INTERRUPTED = """
import sys
from pathlib import Path
from lama_edge import cli
from lama_edge.exporters.formats.ncnn import conversion
program, *words = sys.argv[1:]
conversion.run_isolated = lambda *_: {"pnnx": program}
sys.exit(cli.main(words))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_an_export_ends_pnnx_and_leaves_nothing(
    golden_folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Also where the export alone is told and not, as by Ctrl-C, all that it started."""
    begun, out, temporary = (tmp_path / name for name in ("begun", "out", "temporary"))
    out.mkdir()
    temporary.mkdir()
    noted = f"echo $$ $PWD > {begun}.part; mv {begun}.part {begun}; exec sleep 60"
    program = _program(tmp_path, noted)
    words = ["export", "ncnn", str(golden_folder), "-o", str(out / "m.param"), "--size", "64"]
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, program, *words, "--precision", "fp32"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
    ) as process:
        _wait_until(begun.exists)
        pnnx, folder = begun.read_text().split()
        process.send_signal(number)
    for place in ("/proc/" + pnnx, folder):
        _wait_until(lambda place=place: not Path(place).exists())
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert list(temporary.iterdir()) == list(out.iterdir()) == []


def _wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_pnnx_does_not_compute_the_net(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would by a trace's own inputs; big-lama's shape took two minutes of a processor so."""
    from same_process import call

    seen, mended = [], conversion.mended

    def looking(param: Path, *rest: Any) -> str:
        seen.append(param.with_name("lama.pnnx.param").read_text())
        return mended(param, *rest)

    monkeypatch.setattr(conversion, "run_isolated", call)
    monkeypatch.setattr(conversion, "mended", looking)
    job = Export("ncnn", golden_folder, tmp_path / "m.param", sizes=(SIZE,), check_parity=False)
    export_model(job)
    layers = [line for line in seen[0].splitlines() if line.startswith("nn.Conv2d")]
    assert len(layers) > 20
    # What it computed it notes as `#name=(1,3,72,104)f32`.
    assert not [line for line in layers if "#" in line]


@pytest.mark.parametrize("cut", [1, 4, 4096])
def test_weights_that_pnnx_wrote_in_part_are_refused(
    ncnn_model: Callable[..., Path], cut: int
) -> None:
    """Such as where the disk is full; pnnx says nothing."""
    param = ncnn_model("fourier", SIZE)
    manifest = sealed_text(param, weights_beside(param))
    assert manifest is not None
    weights = weights_beside(param).read_bytes().partition(manifest.encode())[0]
    text = param.read_text()
    assert conversion.stored(text, weights, "fp32") == weights
    for precision in ("fp32", "fp16"):
        with pytest.raises(ModelError, match="bytes of weights, which is not all of them"):
            conversion.stored(text, weights[:-cut], precision)


WITHOUT_NCNN = """
import sys
sys.modules["ncnn"] = None
from lama_edge import cli
from lama_edge.errors import MissingBackendError
from lama_edge.runtimes.base import open_runner
assert cli.main(["inspect", sys.argv[1]]) == 0
try:
    open_runner(sys.argv[1])
except MissingBackendError as error:
    sys.exit(str(error))
"""


def test_without_ncnn_a_model_is_told_of_and_what_to_install_to_run_it(
    ncnn_model: Callable[..., Path],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NCNN, str(ncnn_model("fourier", SIZE))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'install it with: pip install "lama-edge[ncnn]"' in done.stderr
    assert done.stdout.split()[:2] == ["format", "ncnn"]


def test_without_pnnx_it_is_told_what_to_install_to_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pnnx", None)
    with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[ncnn-export\]"'):
        conversion.convert_task({})


def test_subnormal_halves_stay_what_they_are() -> None:
    """pnnx makes zeros of them, and the file would not have the graph's constants."""
    weights = np.float32([1, -3e-5, 6e-8, 1.5, 2e-8])
    bias = np.float32([0.25])
    param = "7767517\n1 1\nConvolution conv 1 1 a b 0=1 1=1 5=1 6=5\n"
    data = bytes(4) + weights.tobytes() + bias.tobytes()
    found = conversion.stored(param, data, "fp16")
    halves = np.frombuffer(found, np.float16, 5, 4)
    np.testing.assert_array_equal(halves, weights.astype(np.float16))
    assert np.count_nonzero(halves) == 4
    # What follows begins at a multiple of four.
    assert found[16:] == bias.tobytes()
    with pytest.raises(ModelError, match="28 bytes of weights, of which 24 are known"):
        conversion.stored(param.replace(" 5=1", " 5=0"), data, "fp16")
