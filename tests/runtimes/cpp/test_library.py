"""The C++ library over ONNX Runtime: its own tests, and its examples beside Python's inpainter."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sanitizers import LIBRARY_BUILDS, sanitizing

from lama_edge.exporters.formats.record import Export
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import Size

pytestmark = pytest.mark.cpp

# Each family, form, precision and kind of size once.
MODELS: dict[str, tuple[str | None, Size | None, dict[str, Any]]] = {
    "lama-tiny": (None, None, {"io": "uint8"}),
    "fourier": ("fourier", None, {}),
    "regular": ("regular", None, {"composite": False}),
    "dilated": ("dilated", None, {"io": "uint8"}),
    "fixed": ("fourier", Size(64, 96), {"io": "uint8"}),
    "batch": ("fourier", Size(64, 64), {"batch": 2}),
    "fp16": ("fourier", None, {"precision": "fp16"}),
    "int8": ("fourier", None, {"precision": "int8", "io": "uint8"}),
}


def run(*command: Any, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    words = [str(word) for word in command]
    return subprocess.run(words, input=given, capture_output=True, timeout=120, env=sanitizing())


@pytest.mark.parametrize("name", LIBRARY_BUILDS)
def test_the_library_keeps_what_its_headers_say(
    build: Callable[[str], Path], exported: Callable[..., Path], name: str
) -> None:
    result = run(build(name) / "lama_edge_library_tests", exported("fourier"))
    lines = result.stdout.decode().splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == [], result.stderr.decode()
    assert result.returncode == 0, result.stderr.decode()
    assert len(lines) == 14


def picture() -> NDArray[np.uint8]:
    rows, columns, channels = np.mgrid[0:83, 0:109, 0:3]
    levels = 128 + 90 * np.sin(rows / 9 + channels) * np.cos(columns / 7)
    return np.asarray(levels, dtype=np.uint8)


def mask() -> NDArray[np.uint8]:
    hole = np.zeros((83, 109), dtype=np.uint8)
    hole[20:41, 30:70] = 255
    hole[60:70, 80:109] = 9
    return hole


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    Image.fromarray(picture()).save(tmp_path / "picture.ppm")
    Image.fromarray(mask()).save(tmp_path / "mask.pgm")
    return tmp_path / "picture.ppm", tmp_path / "mask.pgm", tmp_path / "result.ppm"


@pytest.mark.parametrize("example", ["lama_edge_erase", "lama_edge_erase_c"])
@pytest.mark.parametrize("name", MODELS)
def test_the_examples_erase_what_python_erases(
    build: Callable[[str], Path],
    exported: Callable[..., Path],
    files: tuple[Path, Path, Path],
    name: str,
    example: str,
) -> None:
    family, size, options = MODELS[name]
    model = exported(family, size, **options)
    result = run(build("plain") / "examples" / example, model, *files)
    assert result.returncode == 0, result.stderr.decode()
    with Inpainter.open(model, provider="cpu") as inpainter:
        expected = inpainter(picture(), mask())
    erased = np.asarray(Image.open(files[2]))
    assert (expected != picture()).any()
    np.testing.assert_array_equal(erased, expected)


def test_the_frames_example_fills_every_frame_alike(
    build: Callable[[str], Path], exported: Callable[..., Path]
) -> None:
    rgb = picture()
    frame = np.dstack([rgb[:, :, ::-1], np.full(rgb.shape[:2], 255, np.uint8)])
    model = exported("fourier")
    hole = np.zeros(rgb.shape[:2], np.uint8)
    hole[10:30, 20:50] = 255
    example = build("plain") / "examples" / "lama_edge_frames"
    result = run(example, model, 109, 83, 20, 10, 50, 30, given=frame.tobytes() * 2)
    assert result.returncode == 0, result.stderr.decode()
    first, second = np.frombuffer(result.stdout, np.uint8).reshape(2, *frame.shape)
    np.testing.assert_array_equal(first, second)
    with Inpainter.open(model, provider="cpu") as inpainter:
        np.testing.assert_array_equal(first[:, :, 2::-1], inpainter(rgb, hole))


@pytest.mark.slow
def test_big_lamas_shape_agrees_with_python(
    build: Callable[[str], Path],
    make_checkpoint: Callable[..., Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    checkpoint = make_checkpoint(BIG_LAMA)
    monkeypatch.setattr("lama_edge.pipeline.load_checkpoint", lambda path, **_: checkpoint)
    model = tmp_path / "big-lama.onnx"
    export_model(Export("onnx", "seeded", model, sizes=(Size(512, 512),), check_parity=False))
    rgb = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    hole = np.zeros((512, 512), dtype=np.uint8)
    hole[180:330, 150:400] = 255
    names = [tmp_path / name for name in ("picture.ppm", "mask.pgm", "result.ppm")]
    Image.fromarray(rgb).save(names[0])
    Image.fromarray(hole).save(names[1])
    result = run(build("plain") / "examples" / "lama_edge_erase", model, *names)
    assert result.returncode == 0, result.stderr.decode()
    with open_runner(model, provider="cpu") as runner:
        image = np.moveaxis(rgb, 2, 0)[None].astype(np.float32) / 255
        levels = 255 * runner.run(image, (hole[None, None] > 0).astype(np.float32))[0]
    erased = np.moveaxis(np.asarray(Image.open(names[2]), np.float32), 2, 0)
    # What was rounded to a level was within 1e-4 of Python's.
    assert np.abs(erased - levels).max() <= 0.5 + 255 * 1e-4
    assert (erased != np.moveaxis(rgb, 2, 0))[:, hole > 0].any()


@pytest.mark.parametrize("example", ["lama_edge_erase", "lama_edge_erase_c"])
@pytest.mark.parametrize(
    "damage", [b"", b"P6\n9 9\n255\n", b"P6\n-1 9\n255\n", b"P6\n99999999 99999999\n255\n", b"P3\n"]
)
def test_a_damaged_picture_is_refused_in_one_line(
    build: Callable[[str], Path],
    exported: Callable[..., Path],
    files: tuple[Path, Path, Path],
    example: str,
    damage: bytes,
) -> None:
    files[0].write_bytes(damage)
    result = run(build("plain") / "examples" / example, exported("fourier"), *files)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1
    assert not files[2].exists()


def test_a_model_that_is_not_what_its_manifest_says_is_refused(
    build: Callable[[str], Path],
    exported: Callable[..., Path],
    files: tuple[Path, Path, Path],
    tmp_path: Path,
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported("fourier"))
    other = onnx.load(exported("fourier", io="uint8"))
    changed = tmp_path / "changed.onnx"
    for entry, wrong in zip(model.metadata_props, other.metadata_props, strict=True):
        entry.value = wrong.value
    onnx.save(model, changed)
    result = run(build("plain") / "examples" / "lama_edge_erase", changed, *files)
    assert result.returncode == 1
    assert b"has other inputs than its manifest says; export it again" in result.stderr
