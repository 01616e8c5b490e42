"""What the runtimes of checkpoints share: opening one, its manifest, what there is to say of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lama_edge.errors import printable
from lama_edge.files import join_part
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.generators.build import count_parameters, tensor_shapes
from lama_edge.runtimes.base import ModelFacts, choose_runtime
from lama_edge.runtimes.registry import CHECKPOINT, load
from lama_edge.spec import SizePolicy, io_spec

_SHOWN = 8


def opened(source: Path | Checkpoint, part: str | None, ignore: Collection[str]) -> Checkpoint:
    """Load a checkpoint unless it is loaded, see `load_checkpoint`."""
    if isinstance(source, Checkpoint):
        return source
    return load_checkpoint(join_part(source, part), ignore=ignore)


def manifest_of(checkpoint: Checkpoint, *, composite: bool, tools: Mapping[str, str]) -> Manifest:
    """Describe a checkpoint as it runs, in the float form.

    Args:
        checkpoint: whose tensors fit its configuration.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        tools: versions of the packages that run it.
    """
    config, selection = checkpoint.config, checkpoint.selection
    return Manifest(
        format={"name": CHECKPOINT},
        io=io_spec("float", composite=composite),
        size=SizePolicy(None, config.size_multiple, config.min_size),
        precision="fp32",
        dft=None,
        source=Source(
            checkpoint.sha256,
            config.to_dict(),
            count_parameters(config),
            entry=None if selection is None else selection.entry,
            ignored=() if selection is None else selection.ignored,
        ),
        tools=tools,
    )


def checkpoint_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Open a checkpoint, also one that an export would refuse for what lies beside the generator.

    Args:
        path: its file or folder, or a zoo's name.
        part: which generator of several; None describes the first.
        provider: see `open_runner`.

    Raises:
        CheckpointError: when it cannot be read, or the generator's own tensors do not fit.
    """
    checkpoint = load_checkpoint(join_part(path, part), strict=False)
    selection = checkpoint.selection
    assert selection is not None
    expected = tensor_shapes(checkpoint.config)
    own = {name: array for name, array in checkpoint.tensors.items() if name in expected}
    unread = [*selection.unread, *(name for name in checkpoint.tensors if name not in expected)]
    opener = load(choose_runtime(path, provider=provider).runtime.opener)
    with opener(replace(checkpoint, tensors=own), provider=provider) as runner:
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
