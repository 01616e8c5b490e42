"""Lets one consumer read files: run by path, by the interpreter of the consumer's environment.

``python drive.py READER VARIANT JOBS.json``: READER is a module beside this one, and the file holds
a list of jobs, each with the paths ``model``, ``inputs`` (.npz), ``output`` (.npy) and ``reply``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

# Of a long message both ends are kept, in characters.
_END = 160
# ONNX Runtime's own variable: nothing of what is read here is told to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def main(reader: str, variant: str, jobs: Path) -> None:
    """Read each job's model; its reply says ``{"note": …}`` or ``{"error": …}``."""
    read = _load(reader).read
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        with np.load(job["inputs"]) as inputs:
            feeds = dict(inputs)
        try:
            with tempfile.TemporaryDirectory() as folder:
                output, note = read(Path(job["model"]), feeds, Path(folder), variant)
            if output is not None:
                np.save(job["output"], output)
            reply = {"note": note}
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            reply = {"error": text if len(text) <= 2 * _END else f"{text[:_END]} … {text[-_END:]}"}
        Path(job["reply"]).write_text(json.dumps(reply), encoding="utf-8")


def _load(reader: str) -> Any:
    spec = importlib.util.spec_from_file_location(
        reader, Path(__file__).resolve().with_name(f"{reader}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
