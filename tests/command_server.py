"""Runs lama-edge commands, each in a forked child of a process that has imported everything.

A command costs milliseconds then, yet has a process of its own: one that crashes, hangs or eats
memory takes nothing else with it. Each line on stdin is a JSON object with the command's `words`,
the file `log` for all that it prints to stderr, and its limits; each line on stdout answers.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from lama_edge import cli, pipeline
from lama_edge.benchmarks.bench import compare
from lama_edge.benchmarks.documents import store
from lama_edge.errors import MissingBackendError
from lama_edge.exporters.formats.onnx import file as onnx_file
from lama_edge.exporters.precision import build
from lama_edge.runtimes.coreml import emulated_runner, facts
from lama_edge.runtimes.coreml.interpreter.package import _quiet
from lama_edge.runtimes.inpainting import files as inpaint_file
from lama_edge.runtimes.numpy import runner as numpy_runner
from lama_edge.runtimes.onnxruntime import runner as onnxruntime_runner
from lama_edge.runtimes.torch import runner as torch_runner

PRELOADED = (pipeline, inpaint_file, numpy_runner, onnxruntime_runner, torch_runner)
PRELOADED += (compare, store, onnx_file, build, emulated_runner, facts)
for name in ("litert", "openvino"):
    with contextlib.suppress(MissingBackendError):
        PRELOADED += (importlib.import_module(f"lama_edge.runtimes.{name}.runner"),)
with _quiet(), contextlib.suppress(ImportError):
    import coremltools.proto.Model_pb2  # noqa: F401
_POLL_S = 0.002
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def serve() -> None:
    # A child inherits no worker threads, and would wait for them forever.
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(_run(**json.loads(line))), flush=True)


def _run(words: list[str], log: str, limit_s: float, limit_bytes: int) -> dict[str, Any]:
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be_the_command(words, log)
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        wall_s = time.monotonic() - start
        if ended:
            return {
                "exit_code": os.waitstatus_to_exitcode(status),
                "wall_s": wall_s,
                "peak_bytes": usage.ru_maxrss * _MAXRSS_BYTES,
            }
        if wall_s > limit_s or _resident_bytes(pid) > limit_bytes:
            os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _be_the_command(words: list[str], log: str) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
    code = 1
    try:
        code = cli.main(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _resident_bytes(pid: int) -> int:
    """Return what a child holds now; 0 where the system does not tell (wait4 does at its end)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    serve()
