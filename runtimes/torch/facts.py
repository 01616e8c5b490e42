"""What there is to say of a checkpoint: its generator, the others in the file, what is not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lama_edge.errors import printable
from lama_edge.files import join_part
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.generators.build import generator_names
from lama_edge.runtimes.base import ModelFacts
from lama_edge.runtimes.torch.runner import TorchRunner

_SHOWN = 8


def checkpoint_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Open a checkpoint, also one that an export would refuse for what lies beside the generator.

    Args:
        path: its file or folder, or a zoo's name.
        part: which generator of several; None describes the first.
        provider: see `TorchRunner`.

    Raises:
        CheckpointError: when it cannot be read, or the generator's own tensors do not fit.
    """
    checkpoint = load_checkpoint(join_part(path, part), strict=False)
    selection = checkpoint.selection
    assert selection is not None
    expected = generator_names(checkpoint.config)
    own = {name: array for name, array in checkpoint.tensors.items() if name in expected}
    unread = [*selection.unread, *(name for name in checkpoint.tensors if name not in expected)]
    with TorchRunner(replace(checkpoint, tensors=own), provider=provider) as runner:
        manifest = runner.manifest
    several = len(selection.entries) > 1
    shown = part or selection.entries[0]
    rows: list[tuple[str, str]] = []
    if several:
        rows.append(("generators", f"{_listed(selection.entries)}; name one as FILE#NAME"))
        rows.append(("shown here", printable(shown)))
    if unread:
        flags = " ".join(f"--ignore {name}" for name in unread[:_SHOWN])
        rows.append(("not read", f"{_listed(unread)}; exported only with {printable(flags)}"))
    if selection.left_out:
        rows.append(("left out", f"{_listed(selection.left_out)}, which no picture needs"))
    data = {
        "generators": list(selection.entries),
        "not_read": unread,
        "left_out": list(selection.left_out),
    }
    return ModelFacts(manifest, rows, data=data)


def _listed(names: Sequence[str]) -> str:
    return printable(", ".join(_cut(names)))


def _cut(names: Sequence[str]) -> Iterator[str]:
    yield from names[:_SHOWN]
    if len(names) > _SHOWN:
        yield f"{len(names) - _SHOWN} more"
