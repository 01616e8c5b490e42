"""big-lama's shape (51 M parameters) as an ExecuTorch program: size, work, memory, parity.

The limit of time is one of processor time in the lowering's own process: what a stopwatch shows
depends on what else the machine does. It is printed beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("executorch")

from safetensors.numpy import save_file

from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA
from lama_edge.runtimes.executorch.facts import manifest_of

pytestmark = pytest.mark.slow

LOWERING_LIMIT_S = 180
EXPORT_LIMIT_BYTES = 8 * 2**30
# Measured 205.4 MB in fp32, 205.3 in fp16, which ExecuTorch stores in fp32 for XNNPACK, and 76.1 in
# int8.
MOST_BYTES = {"fp32": 206e6, "fp16": 206e6, "int8": 77e6}
# How many delegates there are, and what is outside.
PLACED = {
    "fp32": (1, "nothing"),
    "fp16": (3, "dim_order_ops._to_dim_order_copy.default 2"),
    "int8": (1, "nothing"),
}
CPU_FLAGS = set(Path("/proc/cpuinfo").read_text().split()) if sys.platform == "linux" else set()
# Random weights spread their magnitudes over the channels as no training does. XNNPACK adds in fp16
# where a processor has it, 4608 products in the longest sums here: 42.5 dB.
OUT_OF_TOLERANCE = {"int8"} | ({"fp16"} if CPU_FLAGS & {"avx512_fp16", "asimdhp"} else set())

# Runs in a process of its own, so that the memory is the export's alone: its own and that of the
# lowering, its only child.
EXPORT = """
import json, resource, sys, time
began = time.monotonic()
from lama_edge import cli
code = cli.main(sys.argv[1:])
elapsed = time.monotonic() - began
from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes
lowering = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "code": code,
    "elapsed_s": elapsed,
    "lowering_s": lowering.ru_utime + lowering.ru_stime,
    "peak_bytes": peak_memory_bytes() + 1024 * lowering.ru_maxrss,
}))
"""


@pytest.fixture(scope="module")
def checkpoint_path(
    make_checkpoint: Callable[..., Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("big") / "big-lama.safetensors"
    metadata = {"config": json.dumps(BIG_LAMA.to_dict())}
    save_file(dict(make_checkpoint(BIG_LAMA).tensors), path, metadata)
    return path


@pytest.mark.parametrize("precision", MOST_BYTES)
def test_export_stays_within_its_size_work_and_memory(
    checkpoint_path: Path, tmp_path: Path, precision: str
) -> None:
    model = tmp_path / "big-lama.pte"
    words = ["export", "executorch", str(checkpoint_path), "-o", str(model)]
    words += ["--precision", precision, *["--keep-failed"] * (precision in OUT_OF_TOLERANCE)]
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, *words], capture_output=True, text=True, check=True
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    size, manifest = model.stat().st_size, manifest_of(model)
    parity = manifest.parity
    assert parity is not None
    print(f"\nbig-lama 512 {precision}: {figures['elapsed_s']:.1f} s, of which lowering took "
          f"{figures['lowering_s']:.1f} s of a processor, {figures['peak_bytes'] / 2**30:.2f} GiB, "
          f"{size / 1e6:.1f} MB, {parity.max_abs_diff:.1e}, {parity.psnr_db} dB")  # fmt: skip
    assert (manifest.format["delegates"], manifest.format["outside"]) == PLACED[precision]
    assert size <= MOST_BYTES[precision]
    assert figures["lowering_s"] < LOWERING_LIMIT_S
    assert figures["peak_bytes"] < EXPORT_LIMIT_BYTES
    assert parity.passed == (precision not in OUT_OF_TOLERANCE)
    assert figures["code"] == int(precision in OUT_OF_TOLERANCE)
