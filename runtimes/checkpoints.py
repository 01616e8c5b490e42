"""What the runtimes of checkpoints share: their runner, and what there is to say of one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError, naming, parameter, printable
from lama_edge.files import join_part
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.generators.build import count_parameters, tensor_shapes
from lama_edge.runtimes.base import Array, ModelFacts, Runner, check_inputs, choose_runtime
from lama_edge.runtimes.registry import CHECKPOINT, load
from lama_edge.spec import SizePolicy, io_spec

_SHOWN = 8


class CheckpointRunner(Runner):
    """A checkpoint's generator as it is, in the float form; see `Runner`."""

    def __init__(
        self,
        source: Path | Checkpoint,
        *,
        provider: str = "auto",
        threads: int | None = None,
        part: str | None = None,
        ignore: Collection[str] = (),
        composite: bool = True,
    ) -> None:
        """Load a checkpoint.

        Args:
            source: a checkpoint's path, or a checkpoint already loaded.
            provider: one of the runtime's own; ``auto`` is the first of them.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves the setting.
            part: the name of the generator in a file with several.
            ignore: parts and tensors to leave out, see `load_checkpoint`.
            composite: whether known pixels come back unchanged; otherwise the raw fill.

        Raises:
            CheckpointError: when the checkpoint cannot be used.
            MissingBackendError: when the provider is not available, or a package that it needs.
        """
        self._prepare(provider, threads)
        if not isinstance(source, Checkpoint):
            source = load_checkpoint(join_part(source, part), ignore=ignore)
        self._generator: Any = self._built(source)
        config, selection = source.config, source.selection
        self.manifest = Manifest(
            format={"name": CHECKPOINT},
            io=io_spec("float", composite=composite),
            size=SizePolicy(None, config.size_multiple, config.min_size),
            precision="fp32",
            dft=None,
            source=Source(
                source.sha256,
                config.to_dict(),
                count_parameters(config),
                entry=None if selection is None else selection.entry,
                ignored=() if selection is None else selection.ignored,
            ),
            tools={self.runtime.name: self.runtime_version},
        )

    @abstractmethod
    def _prepare(self, provider: str, threads: int | None) -> None:
        """Set `provider` and the threads."""

    @abstractmethod
    def _built(self, checkpoint: Checkpoint) -> Any:
        """Return the generator of a checkpoint, whose tensors are checked."""

    @abstractmethod
    def _filled(self, generator: Any, image: Array, mask: Array) -> Array:
        """Run a generator that `_built` gave on arrays that fit, see `Runner.run`."""

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        generator = self._generator
        if generator is None:
            raise ModelError("the model is closed")
        check_inputs(self.manifest.io, self.manifest.size, image, mask)
        with naming(self.runtime.title):
            return self._filled(generator, image, mask)

    def close(self) -> None:
        """See `Runner.close`."""
        self._generator = None


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
        without = printable(parameter("ignore", unread[:_SHOWN]))
        rows.append(("not read", f"{_listed(unread)}; exported only with {without}"))
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
