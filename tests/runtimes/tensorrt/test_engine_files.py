"""Engines that cannot run here: each is refused in one line, by the real TensorRT for RTX."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lama_edge.engines import Library, load_library
from lama_edge.errors import LamaEdgeError, MissingBackendError, ModelError
from lama_edge.files import beside
from lama_edge.nvidia import Gpu, current_gpu
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.tensorrt import cuda as cuda_module
from lama_edge.runtimes.tensorrt import execution
from lama_edge.runtimes.tensorrt import runner as tensorrt_runner
from lama_edge.runtimes.tensorrt.engine_files import check_runs_here, read_engine_file

no_gpu = pytest.mark.skipif(current_gpu() is not None, reason="looks at a machine without a GPU")


@pytest.fixture
def engine(real_engine: Any, tmp_path: Path) -> Iterator[Path]:
    """A copy of the real engine with its manifest, free to be damaged."""
    path = tmp_path / "model.engine"
    path.write_bytes(real_engine.data)
    beside(path).write_text(real_engine.manifest.to_json(), encoding="utf-8")
    return path


def _built(path: Path, real_engine: Any, **changes: Any) -> None:
    manifest = replace(real_engine.manifest, engine=replace(real_engine.manifest.engine, **changes))
    beside(path).write_text(manifest.to_json(), encoding="utf-8")


def _refusal(path: Path) -> LamaEdgeError:
    with pytest.raises(LamaEdgeError) as caught:
        open_runner(path)
    assert "\n" not in str(caught.value)
    return caught.value


@no_gpu
def test_no_driver_is_told_when_nothing_else_is_wrong(engine: Path) -> None:
    error = _refusal(engine)
    assert isinstance(error, MissingBackendError)
    assert str(error).startswith("no NVIDIA GPU can be used here: there is no driver")


@no_gpu
def test_the_command_line_says_it_on_one_line_with_exit_code_3(
    engine: Path, tmp_path: Path
) -> None:
    from PIL import Image

    for name, mode in (("photo.png", "RGB"), ("mask.png", "L")):
        Image.fromarray(np.zeros((64, 72, 3) if mode == "RGB" else (64, 72), np.uint8)).save(
            tmp_path / name
        )
    arguments = ["inpaint", engine, tmp_path / "photo.png", tmp_path / "mask.png", "-o"]
    done = subprocess.run(
        [sys.executable, "-m", "lama_edge.cli", *map(str, arguments), str(tmp_path / "out.png")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert "no NVIDIA GPU can be used here" in line


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda e: e.write_bytes(e.read_bytes()[:-1000]), r"cut short: it has \d+ of the \d+ byte"),
        (lambda e: e.write_bytes(b""), "cut short: it has 0 of"),
        (lambda e: e.write_bytes(e.read_bytes()[:-1] + b"?"), r"not the one.*sha256 [0-9a-f]{12}…"),
        (lambda e: e.write_bytes(e.read_bytes() + b"more"), "not the one that its manifest"),
        (lambda e: beside(e).unlink(), "without its manifest 'model.engine.json'"),
        (lambda e: beside(e).write_bytes(b"{"), "manifest cannot be read"),
        (lambda e: beside(e).write_bytes(b"\xff"), r"engine\.json' cannot be read"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    engine: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(engine)
    error = _refusal(engine)
    assert isinstance(error, ModelError)
    with pytest.raises(ModelError, match=message):
        read_engine_file(engine)


def test_the_manifest_of_another_format_is_refused(engine: Path, real_engine: Any) -> None:
    manifest = replace(real_engine.manifest, engine=None, format={"name": "onnx", "opset": 17})
    beside(engine).write_text(manifest.to_json(), encoding="utf-8")
    with pytest.raises(ModelError, match="of format 'onnx', not an engine"):
        read_engine_file(engine)


def test_an_engine_of_the_other_flavor_names_both(engine: Path, real_engine: Any) -> None:
    try:
        load_library("tensorrt")
    except MissingBackendError:
        _built(engine, real_engine, flavor="tensorrt", tensorrt_version="10.3.0")
    else:
        pytest.skip("both libraries are installed")
    error = _refusal(engine)
    assert isinstance(error, MissingBackendError)
    version = real_engine.manifest.engine.tensorrt_version
    assert f"with TensorRT 10.3.0, and here is only TensorRT for RTX {version}" in str(error)
    assert "--size 64x72 --precision fp32 --io float --flavor rtx" in str(error)


def test_without_any_library_the_package_to_install_is_named(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    error = _refusal(engine)
    assert isinstance(error, MissingBackendError)
    assert 'pip install "lama-edge[tensorrt]"' in str(error)


def test_without_cuda_python_the_package_to_install_is_named(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_runner, "current_gpu", lambda: None)
    monkeypatch.setattr(cuda_module, "_MODULES", ("cuda.absent", "absent"))
    error = _refusal(engine)
    assert isinstance(error, MissingBackendError)
    assert "'cuda-python' is not installed" in str(error)


def test_another_version_and_another_gpu_are_told_together(
    engine: Path, real_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = real_engine.manifest.engine.tensorrt_version
    monkeypatch.setattr(tensorrt_runner, "current_gpu", lambda: Gpu("Orin", "8.7"))
    _built(engine, real_engine, tensorrt_version="1.2.0.54", compute_capabilities=("8.9",))
    error = _refusal(engine)
    assert (type(error), error.exit_code) == (ModelError, 2)
    assert (
        f"was built for SM 8.9 with TensorRT for RTX 1.2.0.54, this is SM 8.7 with TensorRT for "
        f"RTX {version}: rebuild it here with: lama-edge export tensorrt"
    ) in str(error)


def test_another_version_is_told_without_a_gpu_too(
    engine: Path, real_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_runner, "current_gpu", lambda: None)
    _built(engine, real_engine, tensorrt_version="1.2.0.54")
    assert "with TensorRT for RTX 1.2.0.54, this is TensorRT for RTX" in str(_refusal(engine))


@pytest.mark.parametrize(
    ("built", "here", "fits"),
    [
        ({}, ("10.3.0", "8.7"), True),
        ({}, ("10.3.0", "8.6"), False),
        ({}, ("10.3.0.26", "8.7"), False),
        ({}, ("10.9.0", None), False),
        ({}, ("10.3.0", None), True),
        ({"version_compatible": True}, ("10.9.0", "8.7"), True),
        ({"version_compatible": True}, ("10.0.1", "8.7"), False),
        ({"version_compatible": True}, ("11.0.0", "8.7"), False),
        ({"version_compatible": True, "tensorrt_version": "9" * 5000}, ("10.3.0", "8.7"), False),
        ({"version_compatible": True, "tensorrt_version": "1\u00b2.3"}, ("10.3.0", "8.7"), False),
        ({"hardware_compatibility": "ampere_plus"}, ("10.3.0", "12.0"), True),
        ({"hardware_compatibility": "ampere_plus"}, ("10.3.0", "7.5"), False),
        ({"hardware_compatibility": "same_compute_capability"}, ("10.3.0", "8.6"), False),
        ({"compute_capabilities": ()}, ("10.3.0", "8.6"), True),
        ({"compute_capabilities": ("8.6", "8.7")}, ("10.3.0", "8.6"), True),
    ],
)
def test_where_an_engine_runs(
    engine: Path, real_engine: Any, built: dict[str, Any], here: tuple[str, str | None], fits: bool
) -> None:
    orin = {"flavor": "tensorrt", "tensorrt_version": "10.3.0", "compute_capabilities": ("8.7",)}
    _built(engine, real_engine, **{**orin, **built})
    file = read_engine_file(engine)
    version, capability = here
    library = Library("tensorrt", None, version)
    gpu = None if capability is None else Gpu("a GPU", capability)
    if fits:
        check_runs_here(file, library, gpu)
    else:
        with pytest.raises(ModelError, match="rebuild it here"):
            check_runs_here(file, library, gpu)


@no_gpu
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda data: data, r"cannot open the engine: .*CUDA driver version is insufficient"),
        (lambda data: data[: len(data) // 2], r"cannot open the engine: .*plan\.header\.size"),
        (lambda data: b"no engine" * 100, r"cannot open the engine: .*magicTag"),
    ],
)
def test_what_the_real_library_refuses_is_told_in_its_words(
    real_engine: Any, data: Callable[[bytes], bytes], message: str
) -> None:
    """Up to where a GPU is needed: the library's own object, and a stream of no device."""
    cuda: Any = SimpleNamespace(
        call=lambda name, *arguments: 1, api=SimpleNamespace(cudaStreamNonBlocking=1)
    )
    with pytest.raises(ModelError, match=message):
        execution.Execution(load_library("rtx"), data(real_engine.data), cuda, records=False)


@pytest.mark.parametrize("provider", ["cpu", "tensorrt", "emulated"])
def test_only_cuda_runs_engines(engine: Path, provider: str) -> None:
    with pytest.raises(LamaEdgeError, match=rf"{provider}|emulator opens"):
        open_runner(engine, provider=provider)
