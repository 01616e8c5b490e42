"""This machine, each call in a fresh process; arrays travel as files."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.base import Description, Opening, Target
from lama_edge.benchmarks.targets.environment import available_cores, environment
from lama_edge.benchmarks.targets.local_task import load_arrays, save_arrays
from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.errors import UsageError
from lama_edge.files import join_part
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.runtimes.base import Array

_TASKS = "lama_edge.benchmarks.targets.local_task"


class LocalTarget(Target):
    """See `Target`."""

    name = "local"
    shares_machine = True

    def __init__(self, address: str = name) -> None:
        """Take the address ``local``, which has no parts."""
        if address != self.name:
            raise UsageError(f"--target {address!r}: {self.name!r} takes nothing after its name")

    def environment(self) -> dict[str, Any]:
        """See `Target.environment`."""
        return environment()

    def default_threads(self) -> int:
        """See `Target.default_threads`: one for each physical core that may be used."""
        return available_cores()

    def push(self, path: Path) -> Path:
        """Return the path: the model is here."""
        return path

    def close(self) -> None:
        """See `Target.close`: nothing was brought anywhere."""

    def describe(self, handle: Path, opening: Opening) -> Description:
        """See `Target.describe`."""
        answer = _call("describe", handle, opening)
        manifest = Manifest.from_json(answer.pop("manifest"))
        return Description(manifest, parts=tuple(answer.pop("parts")), **answer)

    def measure(
        self, handle: Path, opening: Opening, image: Array, mask: Array, policy: Policy
    ) -> tuple[dict[str, Any], Array]:
        """See `Target.measure`."""
        found, (output,) = _with_arrays(
            "measure", handle, opening, [(image, mask)], policy=asdict(policy)
        )
        return found, output

    def run(
        self, handle: Path, opening: Opening, pictures: Sequence[tuple[Array, Array]]
    ) -> list[Array]:
        """See `Target.run`."""
        return _with_arrays("run", handle, opening, pictures)[1]


def _with_arrays(
    task: str, handle: Path, opening: Opening, pictures: Sequence[tuple[Array, Array]], **rest: Any
) -> tuple[dict[str, Any], list[Array]]:
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        inputs, outputs = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        save_arrays(inputs, [array for picture in pictures for array in picture])
        files = {"inputs": str(inputs), "outputs": str(outputs)}
        answer = _call(task, handle, opening, **files, **rest)
        return answer, list(load_arrays(outputs))


def _call(task: str, handle: Path, opening: Opening, **rest: Any) -> dict[str, Any]:
    payload = {
        "model": join_part(handle, opening.part),
        "provider": opening.provider,
        "threads": opening.threads,
        "ignore": opening.ignore,
        **rest,
    }
    return run_isolated(f"{_TASKS}:{task}", payload, timeout_s=opening.timeout_s)
