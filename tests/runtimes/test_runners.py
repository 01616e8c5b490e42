"""Opening models and running them: ONNX Runtime, and checkpoints in torch and NumPy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.manifest import METADATA_KEY
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size
from lama_edge.stages import STAGES_KEY


@pytest.fixture(scope="module")
def model_path(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "golden.onnx"
    export_model(Export("onnx", golden_folder, path))
    return path


def _arrays(height: int = 32, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = (rng.random((1, 1, height, width)) < 0.3).astype(np.float32)
    return rng.random((1, 3, height, width), dtype=np.float32), mask


def test_a_runner_needs_only_the_file(model_path: Path) -> None:
    image, mask = _arrays()
    with open_runner(model_path) as runner:
        assert runner.manifest.io.form == "float"
        assert runner.provider == "cpu"
        assert runner.title == f"onnxruntime {ort.__version__} cpu"
        output = runner.run(image, mask)
    assert (output.shape, output.dtype) == (image.shape, image.dtype)
    known = np.broadcast_to(mask == 0, image.shape)
    assert np.array_equal(output[known], image[known])


OPEN_AND_TELL = """
import sys
from lama_edge.runtimes.base import import_runtime, open_runner
model, provider = sys.argv[1:]
import_runtime(model, provider=provider)
known = {name.partition(".")[0] for name in sys.modules}
with open_runner(model, provider=provider):
    print(*({name.partition(".")[0] for name in sys.modules} - known - sys.stdlib_module_names))
"""


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("onnx", "cpu"),
        ("onnx", "emulated"),
        ("checkpoint", "cpu"),
        ("checkpoint", "numpy"),
        ("package", "emulated"),
    ],
)
def test_what_opening_takes_can_be_imported_before(
    model: str,
    provider: str,
    model_path: Path,
    golden_folder: Path,
    coreml_package: Callable[..., Path],
) -> None:
    """An app does not wait for Python's imports, so the time of an opening is without them."""
    made = {
        "onnx": lambda: model_path,
        "checkpoint": lambda: golden_folder,
        "package": lambda: coreml_package(Size(64, 64)),
    }
    command = [sys.executable, "-c", OPEN_AND_TELL, str(made[model]()), provider]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, m: (i.astype(np.float64), m), "image has dtype float64.*float32"),
        (lambda i, m: (i[0], m), r"image has shape \(3, 32, 48\).*\[N,3,H,W\]"),
        (lambda i, m: (i, m[:, :, :-8]), r"image \(1, 3, 32, 48\) and mask \(1, 1, 24, 48\)"),
        (lambda i, m: (i, np.repeat(m, 3, axis=1)), "mask has shape"),
        (lambda i, m: (i[:, :, :30], m[:, :, :30]), "30x48.*multiples of 8"),
        (lambda i, m: (i[:, :, :8], m[:, :, :8]), "8x48.*at least 16"),
        (lambda i, m: (np.repeat(i, 2, axis=0), m), "differ in batch"),
        (lambda i, m: (i[:0], m[:0]), "image has shape"),
    ],
)
@pytest.mark.parametrize("provider", ["onnx", "cpu", "numpy"])
def test_arrays_that_do_not_fit_are_refused_with_what_was_seen(
    model_path: Path, golden_folder: Path, provider: str, change: Callable, message: str
) -> None:
    chosen = (model_path, "auto") if provider == "onnx" else (golden_folder, provider)
    with (
        open_runner(chosen[0], provider=chosen[1]) as runner,
        pytest.raises(ModelError, match=message),
    ):
        runner.run(*change(*_arrays()))


@pytest.mark.parametrize(
    ("runtime", "provider"),
    [
        ("onnx", "cpu"),
        ("onnx", "emulated"),
        ("torch", "cpu"),
        ("numpy", "numpy"),
    ],
)
def test_flipped_and_transposed_views_are_taken_as_they_look(
    model_path: Path, golden_folder: Path, runtime: str, provider: str
) -> None:
    image, mask = (np.flip(array.swapaxes(2, 3), axis=3) for array in _arrays())
    assert min(image.strides) < 0
    with open_runner(
        model_path if runtime == "onnx" else golden_folder, provider=provider
    ) as runner:
        found = runner.run(image, mask)
        assert np.array_equal(found, runner.run(image.copy(), mask.copy()))


def test_a_provider_that_is_not_there_names_those_that_are(model_path: Path) -> None:
    with pytest.raises(
        MissingBackendError, match=r"'tensorrt' is not available.*cpu; onnxruntime-gpu"
    ):
        open_runner(model_path, provider="tensorrt")
    with pytest.raises(UsageError, match=r"'nonsense'; choose one of: auto, cuda, cpu"):
        open_runner(model_path, provider="nonsense")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_start_is_not_replaced_in_silence(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime falls back to the CPU with a warning; whoever asked for CUDA must know."""
    everything = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: everything)
    with pytest.raises(MissingBackendError, match="'cuda' did not start"):
        open_runner(model_path, provider="cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_falls_back_to_the_cpu_where_cuda_does_not_start(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: everything)
    with open_runner(model_path) as runner:
        assert runner.provider == "cpu"


def test_a_foreign_onnx_file_is_refused_with_advice(model_path: Path, tmp_path: Path) -> None:
    model = onnx.load(model_path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match=r"no lama-edge manifest.*lama-edge export onnx"):
        open_runner(tmp_path / "foreign.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_a_damaged_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        open_runner(tmp_path / "damaged.onnx")


def test_a_manifest_that_does_not_belong_to_the_graph_is_refused(
    model_path: Path, tmp_path: Path
) -> None:
    model = onnx.load(model_path)
    for node in model.graph.node:
        node.input[:] = ["picture" if name == "image" else name for name in node.input]
    model.graph.input[0].name = "picture"
    onnx.save(model, tmp_path / "renamed.onnx")
    with pytest.raises(ModelError, match="other inputs than its manifest says"):
        open_runner(tmp_path / "renamed.onnx")


def test_a_manifest_that_names_another_size_than_the_graph_is_refused(
    exported: Callable[..., Path], tmp_path: Path
) -> None:
    """Else a small picture would be padded to any size that a stranger writes there."""
    path = tmp_path / "fixed.onnx"
    model = onnx.load(exported("fourier", Size(64, 72)))
    (entry,) = (entry for entry in model.metadata_props if entry.key == METADATA_KEY)
    assert "[64,72]" in entry.value
    entry.value = entry.value.replace("[64,72]", "[9992,9992]")
    onnx.save(model, path)
    with pytest.raises(ModelError, match="other inputs than its manifest says"):
        open_runner(path)


def test_a_text_that_is_no_utf8_is_refused(model_path: Path, tmp_path: Path) -> None:
    data = model_path.read_bytes()
    assert b'"precision"' in data
    (tmp_path / "m.onnx").write_bytes(data.replace(b'"precision"', b'"precisio\xff"'))
    with pytest.raises(ModelError, match=r"m\.onnx"):
        open_runner(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["missing.onnx", "notes.txt"])
def test_what_no_runtime_opens_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match=name):
        open_runner(tmp_path / name)


def test_the_metadata_key_is_the_agreed_one(model_path: Path) -> None:
    assert METADATA_KEY == "lama_edge"
    keys = [entry.key for entry in onnx.load(model_path).metadata_props]
    assert keys == [STAGES_KEY, "lama_edge"]


def test_a_checkpoint_opens_in_torch_where_it_is_installed(golden_folder: Path) -> None:
    with open_runner(golden_folder) as runner:
        assert isinstance(runner, TorchRunner)
        assert runner.manifest.size.fixed is None


def test_torch_keeps_known_pixels_and_binarises_the_mask(
    golden_checkpoint: Checkpoint,
) -> None:
    image, mask = _arrays()
    with TorchRunner(golden_checkpoint) as runner:
        output = runner.run(image, mask * np.float32(0.01))
    with TorchRunner(golden_checkpoint, composite=False) as runner:
        raw = runner.run(image, mask)
    np.testing.assert_array_equal(output, np.where(mask > 0, raw, image))


def test_a_fixed_size_model_takes_no_other_size(exported: Callable[..., Path]) -> None:
    path = exported("fourier", Size(32, 64))
    with open_runner(path) as runner, pytest.raises(ModelError, match="takes 32x64"):
        runner.run(*_arrays())
