"""What there is to say of an ExecuTorch program, without ExecuTorch."""

from __future__ import annotations

from pathlib import Path

from lama_edge.containers.executorch import read_manifest_text
from lama_edge.errors import ModelError
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import ModelFacts, SupportReport


def manifest_of(path: Path) -> Manifest:
    """Return a program's manifest.

    Raises:
        ModelError: when the file is damaged, no ExecuTorch program, or carries none.
    """
    text = read_manifest_text(path)
    if text is None:
        raise ModelError(
            f"{str(path)!r} carries no lama-edge manifest; export it with: lama-edge export "
            "executorch"
        )
    return Manifest.from_json(text)


def program_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read a program's manifest.

    Raises:
        ModelError: as `manifest_of`.
    """
    return ModelFacts(manifest_of(path))


def program_support(path: Path, part: str | None, provider: str) -> SupportReport:
    """Read in a program's manifest what its backend took when it was lowered.

    Args:
        path: the ``.pte`` file.
        part: None; a program has no parts.
        provider: of no effect: the backend was chosen at export.

    Raises:
        ModelError: as `manifest_of`.
    """
    about = manifest_of(path).format
    data = {key: about[key] for key in ("backend", "delegates", "outside")}
    return SupportReport(
        ("{backend}: delegates {delegates}; outside: {outside}".format(**data),), data
    )
