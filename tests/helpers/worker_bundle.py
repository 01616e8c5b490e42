"""The worker's bundle for a processor, as `make worker` makes it, built once for each checkout."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT, TOOLS, alone_in

_COMPILERS = {"x86_64": "g++", "aarch64": "aarch64-linux-gnu-g++"}
_PACKAGES = {"x86_64": "g++", "aarch64": "g++-aarch64-linux-gnu"}
# One took 75 s on two quiet cores.
_SECONDS = 900


@functools.cache
def worker_bundle(arch: str = "x86_64") -> Path:
    """Return the bundle's folder; skips the test where it cannot be built.

    Args:
        arch: x86_64 or aarch64.
    """
    for tool, package in (("cmake", "cmake"), (_COMPILERS[arch], _PACKAGES[arch])):
        if shutil.which(tool) is None:
            pytest.skip(f"no worker: apt-get install {package}")
    pytest.importorskip("onnxruntime")
    checkout = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
    folder = TOOLS / "worker-bundles" / checkout
    # Building takes the old one away, which another worker of the same run may be using.
    run, built = os.environ.get("PYTEST_XDIST_TESTRUNUID"), folder / f"{arch}.run"
    with alone_in(folder):
        if run is not None and built.exists() and built.read_text() == run:
            return folder / "dist" / f"lama-edge-worker-{arch}"
        ended = subprocess.run(
            [ROOT / "runtimes" / "cpp" / "worker" / "bundle", arch],
            env={
                **os.environ,
                "PYTHON": sys.executable,
                "DIST": str(folder / "dist"),
                "BUILD": str(folder / "build"),
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        if ended.returncode == 3:
            pytest.skip(ended.stderr.strip().splitlines()[-1])
        assert ended.returncode == 0, ended.stderr
        built.write_text(run or "")
    return Path(ended.stdout.strip().splitlines()[-1])
