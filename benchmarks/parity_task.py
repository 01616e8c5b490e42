"""What a parity check does in a process of its own: open a model, run it on the cases.

Cases and outputs travel as ``.npz`` files, whose paths are in the payload.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.model_files import (
    format_of,
    located,
    manifest_facts,
    model_sha256,
    model_size_bytes,
    titled,
)
from lama_edge.errors import LamaEdgeError, ParityError
from lama_edge.files import split_part
from lama_edge.judging.cases import ParityCase
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Runner, is_checkpoint, open_runner
from lama_edge.runtimes.parity import run_case

DESCRIBE = "lama_edge.benchmarks.parity_task:describe"
RUN = "lama_edge.benchmarks.parity_task:run"
_KNOWN_ONCE_OPEN = ("precision", "io", "dft", "architecture", "parameters", "source_sha256")


def describe(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a model and tell what it is.

    Args:
        payload: ``model``, see `open_runner`; ``provider``; and ``raw``, whether a checkpoint
            shall give its raw fill.

    Returns:
        ``model``, as documents describe it; the ``runtime``'s name; the ``title`` of both with
        version and provider; the ``manifest`` as JSON text; and the names of the ``parts``.
    """
    model = payload["model"]
    with _open(payload) as runner:
        return {
            "model": model_record(model, runner.manifest),
            "runtime": runner.runtime.name,
            "title": runner.title,
            "manifest": runner.manifest.to_json(),
            "parts": list(runner.parts),
        }


def run(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run a model on a file of cases.

    Args:
        payload: as for `describe`, with ``cases``, that file, and ``outputs``, the file to write.

    Returns:
        ``known_changed``: for each case the share of known values changed, or None;
        ``failed_case``: the first case whose output is not finite, or None; and the ``message``
        about it. Outputs are written when there is none.
    """
    outputs = []
    with _open(payload) as runner:
        for number, case in enumerate(load_cases(Path(payload["cases"]))):
            try:
                outputs.append(run_case(runner, case))
            except ParityError as error:
                return {"known_changed": [], "failed_case": number, "message": str(error)}
    arrays = {f"output_{n}": output.levels for n, output in enumerate(outputs)}
    _save(Path(payload["outputs"]), arrays)
    changed = [output.known_changed for output in outputs]
    return {"known_changed": changed, "failed_case": None, "message": None}


def model_record(model: str, manifest: Manifest | None) -> dict[str, Any]:
    """Return what documents say of a model: no path, its base name only.

    Args:
        model: as the user named it; where that names a part, the record's name does too.
        manifest: its self-description; None for a model that could not be opened.
    """
    hashed: str | None = None
    size_bytes: int | None = None
    with contextlib.suppress(LamaEdgeError, OSError):
        path = located(model)
        hashed, size_bytes = model_sha256(path), model_size_bytes(path)
    record = {
        "name": titled(base_name(model), split_part(model)[1]),
        "format": format_of(model),
        "sha256": hashed,
        "size_bytes": size_bytes,
    }
    if manifest is None:
        return {**record, **dict.fromkeys(_KNOWN_ONCE_OPEN)}
    return {**record, **manifest_facts(manifest)}


def base_name(model: str) -> str:
    """Return the last step of a model's path."""
    path, _ = split_part(model)
    return path.name or path.resolve().name


def save_cases(path: Path, cases: Sequence[ParityCase]) -> None:
    """Write cases to a file that `load_cases` reads."""
    arrays = {f"image_{n}": case.image for n, case in enumerate(cases)}
    holes = {f"hole_{n}": case.hole for n, case in enumerate(cases)}
    _save(path, {**arrays, **holes})


def load_cases(path: Path) -> list[ParityCase]:
    """Read the cases of a file; names are not kept in it."""
    with np.load(path) as file:
        return [
            ParityCase(file[f"image_{n}"], file[f"hole_{n}"]) for n in range(len(file.files) // 2)
        ]


def load_outputs(path: Path) -> list[NDArray[np.float32]]:
    """Read what `run` wrote: float32 [H,W,3] on the 0-to-255 scale for each case."""
    with np.load(path) as file:
        return [file[f"output_{n}"] for n in range(len(file.files))]


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def _open(payload: Mapping[str, Any]) -> Runner:
    model, provider = payload["model"], payload["provider"]
    if not (payload["raw"] and is_checkpoint(model)):
        return open_runner(model, provider=provider)
    from lama_edge.runtimes.torch_runner import TorchRunner

    return TorchRunner(Path(model), provider=provider, composite=False)
