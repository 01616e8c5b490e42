"""big-lama's shape (51 M parameters): export within its budgets, parity at 512 x 512."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from lama_edge.exporters.formats.record import Export
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA
from lama_edge.pipeline import export_model
from lama_edge.spec import Size

pytestmark = pytest.mark.slow

EXPORT_LIMIT_S = 60
EXPORT_LIMIT_BYTES = 3 * 2**30
KILLS = 10
# Measured 62.3 dB and 50.2 % at 512 x 512.
LEAST_FP16_PSNR_DB = 55
MOST_FP16_SHARE = 0.51

# Runs in a process of its own, so that the peak is the export's alone; `ru_maxrss` would hold that
# of the test session too.
EXPORT = """
import json, sys, time
began = time.monotonic()
from lama_edge import cli
assert cli.main(sys.argv[1:]) == 0
seconds = time.monotonic() - began
from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes
print(json.dumps({"seconds": seconds, "peak_bytes": peak_memory_bytes()}))
"""


@pytest.fixture(scope="module")
def checkpoint_path(
    make_checkpoint: Callable[..., Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    checkpoint = make_checkpoint(BIG_LAMA)
    path = tmp_path_factory.mktemp("big") / "big-lama.safetensors"
    save_file(dict(checkpoint.tensors), path, {"config": json.dumps(BIG_LAMA.to_dict())})
    return path


@pytest.mark.parametrize("size", ["512", "dynamic"])
@pytest.mark.parametrize("form", ["float", "uint8"])
def test_export_stays_within_its_time_and_memory(
    checkpoint_path: Path, tmp_path: Path, size: str, form: str
) -> None:
    model = tmp_path / "big-lama.onnx"
    words = ["export", "onnx", checkpoint_path, "-o", model, "--size", size, "--io", form]
    command = [sys.executable, "-c", EXPORT, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    *printed, measured = result.stdout.splitlines()
    figures = json.loads(measured)
    print(f"\nbig-lama {size} {form}: {figures['seconds']:.1f} s, "
          f"{figures['peak_bytes'] / 2**30:.2f} GiB, {'; '.join(printed)}")  # fmt: skip
    assert figures["seconds"] < EXPORT_LIMIT_S
    assert figures["peak_bytes"] < EXPORT_LIMIT_BYTES


def test_a_kill_while_the_file_is_being_written_leaves_nothing_at_its_name(
    checkpoint_path: Path, tmp_path: Path
) -> None:
    """With 204 MB to write, kills do fall into the writing."""
    model = tmp_path / "big-lama.onnx"
    words = ["export", "onnx", checkpoint_path, "-o", model, "--size", "64", "--no-parity"]
    command = [sys.executable, "-m", "lama_edge.cli", *map(str, words)]
    rng = random.Random(3)
    partial_seen = 0
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        partial_seen += bool(list(tmp_path.glob(".*")))
        assert not model.exists() or model.stat().st_size > 200e6
        model.unlink(missing_ok=True)
    print(f"\n{partial_seen} of {KILLS} kills left a temporary file")
    assert partial_seen > 0
    subprocess.run(command, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == [model]


@pytest.mark.parametrize("size", ["512", "1024"])
def test_fp16_keeps_the_picture_in_half_the_bytes(
    checkpoint_path: Path, tmp_path: Path, size: str
) -> None:
    """The export itself judges, by the executor that rounds every result to fp16."""
    half, full = tmp_path / "half.onnx", tmp_path / "full.onnx"
    side = Size(int(size), int(size))
    result = export_model(Export("onnx", checkpoint_path, half, sizes=(side,), precision="fp16"))
    export_model(Export("onnx", checkpoint_path, full, sizes=(side,), check_parity=False))
    parity, share = result.manifest.parity, half.stat().st_size / full.stat().st_size
    assert parity is not None
    assert parity.psnr_db is not None
    print(f"\nbig-lama {size} fp16: {parity.psnr_db} dB, SNR {parity.snr_db} dB, "
          f"{share:.1%} of fp32, {result.manifest.numerics}")  # fmt: skip
    assert parity.psnr_db >= LEAST_FP16_PSNR_DB
    assert share <= MOST_FP16_SHARE
