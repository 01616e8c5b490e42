"""Checkpoints: from a name, folder or file to a configuration and the generator's tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, needs_extra, reason, shown
from lama_edge.files import sha256_of, split_part
from lama_edge.models.architecture import Shapes
from lama_edge.models.config import GeneratorConfig
from lama_edge.models.config_files import config_in_metadata, find_config
from lama_edge.models.selection import Selection, Wanted, select
from lama_edge.models.torch_file import TorchFile, decoded
from lama_edge.models.zoo import required_path, zoo_entries, zoo_entry
from lama_edge.spec import CHECKPOINT_SUFFIXES

EMBEDDED_NAME = "lama-tiny"
Tensors = Mapping[str, NDArray[Any]]
# A training's own files hold the averaged generator, which is meant, and the one being trained.
TRAINING_FORMAT = "lama-edge-training"
TRAINED_ENTRY = "generator"
_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "<?"},
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
}
# The header of big-lama's tensors has 0.1 MB; JSON can take many times its size in memory.
_MAX_HEADER_BYTES = 4 << 20
_MAX_ELEMENTS = 1 << 28  # five big-lamas


@dataclass(frozen=True)
class Checkpoint:
    """A generator's weights and what they are weights of.

    Attributes:
        config: the architecture.
        tensors: arrays by official name without prefix (``model.1.ffc.convl2l.weight``, …);
            floating-point ones are float32.
        sha256: hash of the file that holds the tensors.
        path: that file.
        selection: what of the file was taken, and what was not; None for what was made here.
    """

    config: GeneratorConfig
    tensors: Mapping[str, NDArray[Any]]
    sha256: str
    path: Path
    selection: Selection | None = None


def load_checkpoint(
    reference: str | Path | None = None, *, ignore: Collection[str] = (), strict: bool = True
) -> Checkpoint:
    """Load a checkpoint without running any code from it.

    Args:
        reference: a folder with `config.yaml` and `models/best.ckpt`; a ``.ckpt``, ``.pt``,
            ``.pth`` (TorchScript too) or ``.safetensors`` file; a name from the zoo; or None for
            the embedded lama-tiny. Of a file with several generators ``FILE#ENTRY`` names one.
        ignore: parts and tensors of the file to leave out, by the names that the refusal of
            what is not read lists.
        strict: whether to refuse a file with several generators of which none is named, and one
            with tensors that may change what its generator computes and are not read; else the
            first generator is taken, and `Checkpoint.selection` tells the rest.

    Returns:
        The checkpoint. Whether the tensors fit the configuration is checked by
        `generators.build_generator`.

    Raises:
        CheckpointError: when nothing is found there, it cannot be read or is refused, or
            `ignore` names something that it does not have.
        MissingBackendError: when the ``export`` extra is not installed.
    """
    named, entry = split_part(EMBEDDED_NAME if reference is None else reference)
    path = _locate(named)
    wanted = Wanted(entry, tuple(ignore), strict)
    read = _read_safetensors if path.suffix.lower() == ".safetensors" else _read_torch_file
    selection, tensors = read(path, wanted)
    own = {name.removeprefix(selection.prefix): array for name, array in tensors.items()}
    return Checkpoint(selection.config, own, sha256_of(path), path, selection)


def _locate(path: Path) -> Path:
    if is_zoo_name(path):
        path = required_path(zoo_entry(str(path)))
    if _exists(path) and path.is_dir():
        file = path / "models" / "best.ckpt"
        if not file.is_file():
            raise CheckpointError(f"the folder {str(path)!r} has no models/best.ckpt")
        return file
    if not _exists(path):
        raise CheckpointError(
            f"the checkpoint {str(path)!r} does not exist; give a folder with config.yaml, "
            "a .ckpt, .pt or .safetensors file, or a name from: lama-edge models list"
        )
    if path.suffix.lower() not in CHECKPOINT_SUFFIXES or not path.is_file():
        raise CheckpointError(
            f"{str(path)!r} is no known kind of checkpoint; give a folder with config.yaml, or a "
            ".ckpt, .pt or .safetensors file"
        )
    return path


def is_zoo_name(reference: str | Path) -> bool:
    """Tell whether a reference is the name of a zoo's checkpoint, and not a path that exists."""
    name = str(reference)
    return any(entry.name == name for entry in zoo_entries()) and not _exists(Path(name))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CheckpointError(
            f"{shown(str(path))} is no path that can be read: {error.strerror}"
        ) from error


def _select(
    config: GeneratorConfig | None, shapes: Shapes, path: Path, wanted: Wanted
) -> Selection:
    """Choose the generator and what of it to read; errors name the file."""
    try:
        return select(config, shapes, wanted)
    except CheckpointError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} {error}") from error


def _read_torch_file(path: Path, wanted: Wanted) -> tuple[Selection, Tensors]:
    config = find_config(path)
    with TorchFile(path) as file:
        references = file.state_dict()
        shapes = {name: reference.shape for name, reference in references.items()}
        selection = _select(config, shapes, path, wanted)
        _check_total(path, (shapes[name] for name in selection.names))
        arrays = dict(file.read({name: references[name] for name in selection.names}))
        # They come in the order of their storages.
        return selection, {name: arrays[name] for name in selection.names}


def _read_safetensors(path: Path, wanted: Wanted) -> tuple[Selection, Tensors]:
    with needs_extra("export"):
        from safetensors import SafetensorError, safe_open
    try:
        _check_header(path)
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") == TRAINING_FORMAT:
                wanted = replace(wanted, usual=TRAINED_ENTRY)
            config = config_in_metadata(metadata, path) or find_config(path)
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no mapping)
            selection = _select(config, shapes, path, wanted)
            _check_total(path, (shapes[name] for name in selection.names))
        tensors = dict(_safetensors(path, selection.names))
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged or not a safetensors file ({reason(error)}): "
            "get it again"
        ) from error
    return selection, tensors


def _safetensors(path: Path, names: Iterable[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Read tensors of a file whose header is checked; the package's NumPy side has no bfloat16."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.tell()
        for name in names:
            kind, shape, (start, stop) = map(header[name].get, ("dtype", "shape", "data_offsets"))
            if kind not in _DTYPES:
                raise CheckpointError(
                    f"the checkpoint {str(path)!r} has the tensor {shown(name)} of the "
                    f"unsupported type {kind}"
                )
            file.seek(data + start)
            array = np.frombuffer(file.read(stop - start), _DTYPES[kind]).reshape(shape)
            yield name, decoded(array, bfloat16=kind == "BF16")


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
    if size > _MAX_HEADER_BYTES:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged or not a safetensors file: its header would "
            f"have {size} bytes, over {_MAX_HEADER_BYTES}"
        )


def _check_total(path: Path, shapes: Iterable[Iterable[int]]) -> None:
    total = sum(math.prod(shape) for shape in shapes)
    if total > _MAX_ELEMENTS:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} holds {total} weights, over {_MAX_ELEMENTS}: "
            "no LaMa generator has so many"
        )
