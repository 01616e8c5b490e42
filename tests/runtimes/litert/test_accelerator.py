"""Exports on LiteRT's own GPU accelerator, on Chromium's software Vulkan.

The accelerator comes with ai-edge-litert (WebGPU, by Dawn); no graphics card is needed, so that
what the published list promises is seen to hold: all operators run there, and give what the
processor gives. It computes in float32 here, as the software adapter has no fp16.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lama_edge.benchmarks.studies.chromium import find_browser
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.litert.delegates import delegate_reports
from lama_edge.runtimes.litert.structure import read_structure

pytestmark = pytest.mark.browser

PARTS = ("libvulkan.so.1", "libvk_swiftshader.so")
RUN = """
import sys
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options

model, pictures, result = sys.argv[1:]
options = Options(
    hardware_accelerators=HardwareAccelerator.GPU | HardwareAccelerator.CPU,
    gpu_options=GpuOptions(enforce_f32=True),
)
compiled = CompiledModel.from_file(model, options=options)
taken, given = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
with np.load(pictures) as arrays:
    names = compiled.get_signature_by_index(0)["inputs"]
    for buffer, name in zip(taken, names, strict=True):
        buffer.write(arrays[name])
    image = arrays["image"]
compiled.run_by_index(0, taken, given)
np.save(result, given[0].read(image.size, image.dtype.type).reshape(image.shape))
"""
LEFT = "operations will run on the CPU"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables by which the accelerator finds Chromium's Vulkan."""
    browser = find_browser()
    places = [Path("/usr/lib/chromium"), *([] if browser is None else [Path(browser).parent])]
    found = next(
        (place for place in places if all((place / part).is_file() for part in PARTS)), None
    )
    if found is None:
        pytest.skip(f"no Chromium with its software Vulkan ({' and '.join(PARTS)}) was found")
    folder = tmp_path_factory.mktemp("vulkan")
    (folder / PARTS[0]).symlink_to(found / PARTS[0])
    driver = {"library_path": str(found / PARTS[1]), "api_version": "1.1.0"}
    (folder / "icd.json").write_text(json.dumps({"file_format_version": "1.0.0", "ICD": driver}))
    paths = os.pathsep.join([str(folder), os.environ.get("LD_LIBRARY_PATH", "")])
    return {**os.environ, "LD_LIBRARY_PATH": paths, "VK_ICD_FILENAMES": str(folder / "icd.json")}


def _pictures(model: Path) -> dict[str, np.ndarray]:
    structure = read_structure(model)
    image = structure.tensors[structure.inputs["image"]]
    rng = np.random.default_rng(0)
    levels = 255 if image.dtype == "uint8" else 1
    mask = np.zeros((*image.shape[:3], 1), image.dtype)
    mask[:, : mask.shape[1] // 2, 10:40] = levels
    return {"image": (rng.random(image.shape) * levels).astype(image.dtype), "mask": mask}


def _on_the_gpu(
    model: Path, pictures: dict[str, np.ndarray], environment: dict[str, str], folder: Path
) -> tuple[np.ndarray, str]:
    """Return what the accelerator gives, and what it said."""
    np.savez(folder / "pictures.npz", **pictures)
    command = [sys.executable, "-c", RUN, model, folder / "pictures.npz", folder / "result.npy"]
    ended = subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    if "SwiftShader" not in ended.stderr:
        pytest.skip("LiteRT's GPU accelerator found no software Vulkan")
    return np.load(folder / "result.npy"), ended.stderr


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"precision": "fp32"}, 1e-4),
        ({"precision": "fp16"}, 1e-4),
        ({"precision": "w8"}, 1e-4),
        # It rounds elsewhere than the processor: each is as far from fp32 as from the other, 0.05.
        ({"precision": "int8"}, 0.15),
        ({"precision": "fp16", "io": "uint8"}, 1),
        ({"family": "regular", "precision": "fp32"}, 1e-4),
        ({"family": "dilated", "precision": "fp32"}, 1e-4),
    ],
    ids=["fp32", "fp16", "w8", "int8", "uint8", "regular", "dilated"],
)
def test_all_of_an_export_runs_there_and_is_right(
    options: dict[str, str],
    tolerance: float,
    litert_file: Callable[..., Path],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    model = litert_file(**options)
    pictures = _pictures(model)
    with open_runner(model, threads=1) as runner:
        wanted = runner.run(pictures["image"], pictures["mask"])
    found, said = _on_the_gpu(model, pictures, environment, tmp_path)
    assert LEFT not in said
    difference = np.abs(found.astype(np.float64) - wanted)
    assert difference.max() <= tolerance
    known = np.broadcast_to(pictures["mask"] == 0, found.shape)
    assert np.array_equal(found[known], pictures["image"][known])
    (gpu, *_) = delegate_reports(read_structure(model))
    assert gpu.refused == ()


def test_what_it_leaves_to_the_processor_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """So that the silence above means what it should."""
    from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, GraphWriter

    writer, shape = GraphWriter(), (1, 8, 8, 3)
    image = writer.tensor("image", shape)
    more = writer.operator(OPERATORS.LOGISTIC, [image], writer.tensor("more", shape))
    rows = writer.constant("rows", np.array([[[0, row] for row in range(8)]], np.int32))
    gathered = writer.operator(OPERATORS.GATHER_ND, [more, rows], writer.tensor("out", shape))
    model = tmp_path / "gather.tflite"
    writer.write(model, {"image": image}, {"out": gathered}, description="", manifest="{}")
    pictures = {"image": np.random.default_rng(0).random(shape, np.float32)}
    found, said = _on_the_gpu(model, pictures, environment, tmp_path)
    assert LEFT in said
    assert np.allclose(found, 1 / (1 + np.exp(-pictures["image"])), atol=1e-5)
    (gpu, *_) = delegate_reports(read_structure(model))
    assert [one.operator for one in gpu.refused] == ["GATHER_ND"]
