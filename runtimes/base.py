"""What every runner is, and how a file finds the runner that opens it."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, UsageError, parameter
from lama_edge.files import split_part
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import is_zoo_name
from lama_edge.runtimes.registry import (
    CHECKPOINT,
    Runtime,
    checkpoint_runtimes,
    load,
    runtimes,
    title_of,
)
from lama_edge.spec import IoSpec, SizePolicy, TensorSpec

Array = NDArray[Any]


class Runner(ABC):
    """An open model. Use it as a context manager; it is released at the end of the block.

    Attributes:
        manifest: the model's self-description; of the part that is open, where there are several.
        runtime: the record of what runs it.
        runtime_version: its version, such as ``1.31.1``.
        provider: the provider in use, by its short name.
        parts: the names of the model's parts, the default one first; empty for a model of one.
        part: the one that is open; None for a model of one.
    """

    manifest: Manifest
    runtime: Runtime
    runtime_version: str
    provider: str
    parts: tuple[str, ...] = ()
    part: str | None = None

    @property
    def title(self) -> str:
        """What documents name it: ``onnxruntime 1.31.1 cpu``; some have no device to tell."""
        return title_of(self.runtime.name, self.runtime_version, self.provider)

    @property
    def uses_host_memory(self) -> bool:
        """Whether a run takes the machine's own memory, so that what is free of it counts."""
        return self.provider.partition("+")[0] in self.runtime.host_memory

    @abstractmethod
    def run(self, image: Array, mask: Array) -> Array:
        """Inpaint arrays in the model's own form, and wait until the result is on the host.

        Threads may share a runner: runs that the runtime cannot do at once wait for each other.
        `lama_edge.forms` makes a picture the arrays of any form, and back.

        Args:
            image: as `manifest.io.image` says: float32 [N,3,H,W] in [0,1], of a LiteRT file
                [N,H,W,3] (its `layout` says so), or uint8 [N,H,W,3]; in any order in memory. N is
                `manifest.io.batch`, or any where that is None.
            mask: as `manifest.io.mask` says; any value above 0 is hole.

        Returns:
            As `manifest.io.output` says, of the image's shape and layout; it is the caller's.

        Raises:
            ModelError: when the arrays do not fit the model (see `check_inputs`), it is closed, or
                the runtime fails.
        """

    def tiled(self, tile: int | None = None) -> Runner:
        """Return a runner of the same model that works in tiles, in bounded memory.

        Args:
            tile: side of a tile in pixels; None is a good one.

        Returns:
            A runner of its own, to be closed by the caller, with the same manifest; its `run`
            takes one picture at a time.

        Raises:
            ModelError: when this model cannot.
        """
        raise ModelError(
            f"a {self.manifest.format['name']} model cannot run in tiles: export it to ONNX with "
            f"{parameter('size', 'dynamic')}"
        )

    def placement(self) -> dict[str, Any] | None:
        """Look where the model's nodes run, which may mean to open it once more.

        Returns:
            ``providers``, the number of nodes by the runtime's own names of providers, and
            ``fell_back``, the first 20 nodes, as ``name (operator)``, that are on the processor
            although another provider is in use; None where the runtime does not tell.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Release the model; calling it again does nothing.

        A run that another thread is in ends as it would have, before or after this returns.
        """

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class ModelFacts:
    """What `lama-edge inspect` tells of a model.

    Attributes:
        manifest: its self-description.
        rows: what else there is to say, as label and text.
        data: what is added to the manifest's plain data.
    """

    manifest: Manifest
    rows: Sequence[tuple[str, str]] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SupportReport:
    """What `lama-edge support` tells of a model: which of its operators run where.

    Attributes:
        pieces: lines, and tables as rows of cells.
        data: the same as plain data.
    """

    pieces: Sequence[str | Sequence[Sequence[str]]]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """What a model is opened with.

    Attributes:
        runtime: the one that opens it.
        path: the model's, without its part; a zoo's name as it is.
        part: the part that is named; None is the default one.
    """

    runtime: Runtime
    path: Path
    part: str | None


def open_runner(
    path: str | Path,
    *,
    provider: str = "auto",
    threads: int | None = None,
    ignore: Collection[str] = (),
) -> Runner:
    """Open a model with the runtime that its file name calls for.

    Args:
        path: an exported model, or a checkpoint (a folder, a file or a zoo's name) for the
            generator as it is. Of a model of several parts ``MODEL#PART`` names one, such as
            ``lama.mlpackage#size_512x768``; without it the default one is opened. Of a checkpoint
            with several generators ``FILE#NAME`` names one, and none is the default.
        provider: the runtime's device or execution provider by its short name (``cpu``,
            ``cuda``, …); ``auto`` is the best one of those available that needs no set-up; for
            a checkpoint, torch where it is installed. ``numpy`` is the reference in NumPy.
            ``emulated`` is lama-edge's own executor for ONNX files and Core ML packages, which
            rounds every operator's result to the file's element type.
        threads: processor threads that work on one operation; None leaves it to the runtime.
            For torch and NumPy it holds for the whole process.
        ignore: parts and tensors of a checkpoint to leave out, see `load_checkpoint`.

    Returns:
        A runner, to be used as a context manager.

    Raises:
        ModelError: when the path does not exist, no runtime opens it, it has no such part, or
            opening fails.
        UsageError: for a provider that its runtimes do not have, a part of a format that has
            none, or less than one thread.
        MissingBackendError: when the runtime or the provider is not installed here.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{parameter('threads')} is {threads}; give 1 or more")
    choice = choose_runtime(path, provider=provider)
    named: dict[str, Any] = {"part": choice.part} if choice.runtime.has_parts else {}
    if ignore:
        if choice.runtime.format != CHECKPOINT:
            raise UsageError(f"nothing can be left out of {str(path)!r}: it is no checkpoint")
        named["ignore"] = ignore
    runner: Runner = load(choice.runtime.opener)(
        choice.path, provider=provider, threads=threads, **named
    )
    return runner


def import_runtime(model: str | Path, *, provider: str = "auto") -> None:
    """Import what `open_runner` needs for a model, and open nothing.

    Raises:
        LamaEdgeError: as `choose_runtime`; MissingBackendError when the runtime is not installed.
    """
    runtime = choose_runtime(model, provider=provider).runtime
    load(runtime.opener)
    for module in runtime.modules:
        # What is missing is told, with advice, when the model is opened.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(module)


def choose_runtime(model: str | Path, *, provider: str = "auto") -> Choice:
    """Return what `open_runner` opens a model with.

    Raises:
        ModelError: when the path does not exist, or no runtime opens it.
        UsageError: for a provider that its runtimes do not have, or a part of a format that has
            none.
    """
    path, part = split_part(model)
    if not is_zoo_name(path) and not path.exists():
        raise ModelError(
            f"the model {str(path)!r} does not exist; give an exported model, a checkpoint or a "
            "name from: lama-edge models list"
        )
    found = runtimes_of(path)
    if not found:
        split = [
            suffix for one in runtimes() if one.weights == path.suffix for suffix in one.suffixes
        ]
        owner = next((one for one in map(path.with_suffix, split) if one.is_file()), None)
        if owner is not None:
            raise ModelError(f"{str(path)!r} has the weights of {owner.name!r}: give that one")
        known = {suffix: one.title for one in reversed([*runtimes()]) for suffix in one.suffixes}
        listed = ", ".join(f"{suffix} ({title})" for suffix, title in reversed(known.items()))
        raise ModelError(f"no runtime opens {str(path)!r}; known: {listed}, a checkpoint's folder")
    if provider == "auto":
        here = platform.system()
        fitting = [one for one in found if one.auto_on is None or here in one.auto_on] or found
        fitting = [one for one in fitting if _is_installed(one)] or fitting
    else:
        fitting = [one for one in found if one.has(provider)]
    if not fitting:
        names = ", ".join(["auto", *map(_providers, found)])
        raise UsageError(f"{str(path)!r} has no provider {provider!r}; choose one of: {names}")
    runtime = fitting[0]
    if part is not None and not runtime.has_parts:
        raise UsageError(
            f"{str(path)!r} has no part {part!r}: models of its format, {runtime.format}, have "
            f"none; leave '#{part}' out"
        )
    return Choice(runtime, path, part)


def _providers(runtime: Runtime) -> str:
    names = ", ".join(runtime.providers)
    ways = " or ".join(f"+{way}" for way in runtime.ways)
    return f"{names} (and after it {ways})" if ways else names


def _is_installed(runtime: Runtime) -> bool:
    with contextlib.suppress(ImportError, ValueError):  # as where an import is blocked
        return importlib.util.find_spec(runtime.modules[0]) is not None
    return False


def runtimes_of(model: str | Path) -> list[Runtime]:
    """Return the runtimes that open a model, by its name: the one that ``auto`` prefers first.

    A zoo's name, and a folder that is no exported model's, is a checkpoint.
    """
    path, _ = split_part(model)
    known = [one for one in runtimes() if path.suffix.lower() in one.suffixes]
    if known or not (is_zoo_name(path) or path.is_dir()):
        return known
    return [*checkpoint_runtimes().values()]


def stored_manifest(model: str | Path) -> Manifest | None:
    """Read a model's manifest without its runtime.

    Returns:
        None where it has none, or its runtime would have to open it.

    Raises:
        ModelError: when the file is damaged.
    """
    path, _ = split_part(model)
    reader = next((one.manifest for one in runtimes_of(path) if one.manifest), None)
    found: Manifest | None = None if reader is None else load(reader)(path)
    return found


def changed_since_export(manifest: Manifest, model: str | Path) -> bool:
    """Tell whether a file computes something else than what was exported with its manifest.

    Other tools that simplify or quantise a file keep the manifest, whose figures are then those
    of another model. A manifest without a digest is taken at its word.

    Args:
        manifest: the file's.
        model: the file.

    Raises:
        ModelError: when the file cannot be read.
    """
    digest = next((one.digest for one in runtimes_of(model) if one.digest), None)
    if manifest.graph_sha256 is None or digest is None:
        return False
    return bool(load(digest)(split_part(model)[0]) != manifest.graph_sha256)


def is_checkpoint(model: str | Path) -> bool:
    """Tell whether a path or name is a checkpoint's, and not an exported model's."""
    return any(one.format == CHECKPOINT for one in runtimes_of(model))


def check_inputs(io: IoSpec, size: SizePolicy, image: Array, mask: Array) -> None:
    """Refuse arrays that do not fit a model.

    Args:
        io: the model's contract; arrays must have exactly its dtypes and layouts.
        size: the sizes it accepts.
        image: [N,3,H,W] or [N,H,W,3], as `io.image` says.
        mask: [N,1,H,W] or [N,H,W,1], as `io.mask` says.

    Raises:
        ModelError: naming what does not fit, what was seen and what is expected.
    """
    _check_array(io.image, image)
    _check_array(io.mask, mask)
    height, width = spatial_size(io.image, image)
    if image.shape[0] != mask.shape[0] or (height, width) != spatial_size(io.mask, mask):
        raise ModelError(
            f"image {image.shape} and mask {mask.shape} differ in batch or picture size"
        )
    if io.batch not in (None, image.shape[0]):
        raise ModelError(
            f"image {image.shape} holds {image.shape[0]} pictures and the model takes {io.batch} a "
            f"run: export it with {parameter('batch', 'dynamic')}"
        )
    problem = size.problem_with(height, width)
    if problem is not None:
        raise ModelError(f"the picture is {height}x{width} (height x width): {problem}")


@dataclass(frozen=True)
class ValueSeen:
    """An input or output as a file declares it.

    Attributes:
        name: its name.
        dtype: its element type by numpy's name, such as ``float32``.
        shape: its extents, numbers or not; None where the file gives none.
    """

    name: str
    dtype: str
    shape: Sequence[object] | None


def read_manifest(
    path: Path, text: str | None, *, inputs: Sequence[ValueSeen], outputs: Sequence[ValueSeen]
) -> Manifest:
    """Read an exported model's manifest and check that the model is what it says.

    Args:
        path: the model, for messages.
        text: the manifest as the file holds it; None when it holds none.
        inputs: what the file takes.
        outputs: what it gives.

    Raises:
        ModelError: when there is no manifest, or it describes another model.
    """
    if text is None:
        formats = dict.fromkeys(one.format for one in runtimes_of(path))
        raise ModelError(
            f"{str(path)!r} carries no lama-edge manifest; export it with: lama-edge export "
            + "".join(formats)
        )
    manifest = Manifest.from_json(text)
    io = manifest.io
    for what, seen, specs in (
        ("inputs", inputs, (io.image, io.mask)),
        ("outputs", outputs, (io.output,)),
    ):
        by_name = {value.name: value for value in seen}
        if set(by_name) != {spec.name for spec in specs} or not all(
            _declares(by_name[spec.name], spec, manifest) for spec in specs
        ):
            raise ModelError(
                f"{str(path)!r} has other {what} than its manifest says; export it again"
            )
    return manifest


def _declares(value: ValueSeen, spec: TensorSpec, manifest: Manifest) -> bool:
    """Tell whether a graph's input or output is what the manifest says of it."""
    if value.dtype != spec.dtype:
        return False
    if value.shape is None:
        return True
    fixed, batch = manifest.size.fixed, manifest.io.batch
    if batch is not None and tuple(value.shape[:1]) != (batch,):
        return False
    return fixed is None or tuple(value.shape[1:]) == spec.shape(fixed.height, fixed.width)[1:]


def spatial_size(spec: TensorSpec, array: Array) -> tuple[int, int]:
    """Return (height, width) of an array in the spec's layout."""
    axes = (2, 3) if spec.layout == "NCHW" else (1, 2)
    return array.shape[axes[0]], array.shape[axes[1]]


def _check_array(spec: TensorSpec, array: Array) -> None:
    channel_axis = 1 if spec.layout == "NCHW" else 3
    if array.dtype != np.dtype(spec.dtype):
        raise ModelError(f"{spec.name} has dtype {array.dtype}; the model takes {spec.dtype}")
    if array.ndim != 4 or array.shape[channel_axis] != spec.channels or 0 in array.shape:
        expected = ",".join(str(spec.channels) if axis == "C" else axis for axis in spec.layout)
        raise ModelError(f"{spec.name} has shape {array.shape}; the model takes [{expected}]")
