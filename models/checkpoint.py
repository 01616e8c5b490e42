"""Checkpoints: from a name, folder or file to a configuration and the generator's tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, needs_extra, reason, shown
from lama_edge.files import sha256_of
from lama_edge.models.architecture import generator_prefix, infer_architecture
from lama_edge.models.config import GeneratorConfig, config_from_dict
from lama_edge.models.official_config import config_from_official
from lama_edge.models.torch_file import TorchFile
from lama_edge.models.zoo import required_path, zoo_entries, zoo_entry
from lama_edge.spec import CHECKPOINT_SUFFIXES

EMBEDDED_NAME = "lama-tiny"
_CONFIG_METADATA_KEY = "config"
# Official configs have a few kB, the header of big-lama's tensors 0.1 MB; a stranger's YAML or
# JSON can take a thousand times its size in memory or time.
_MAX_CONFIG_BYTES = 1 << 16
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
    """

    config: GeneratorConfig
    tensors: Mapping[str, NDArray[Any]]
    sha256: str
    path: Path


def load_checkpoint(reference: str | Path | None = None) -> Checkpoint:
    """Load a checkpoint without running any code from it.

    Args:
        reference: a folder with `config.yaml` and `models/best.ckpt`; a ``.ckpt``, ``.pt``,
            ``.pth`` (TorchScript too) or ``.safetensors`` file; a name from the zoo; or None for
            the embedded lama-tiny.

    Returns:
        The checkpoint. Whether the tensors fit the configuration is checked by
        `generators.build_generator`.

    Raises:
        CheckpointError: when nothing is found there, or it cannot be read or is refused.
        MissingBackendError: when the ``export`` extra is not installed.
    """
    path = _locate(reference)
    read = _read_safetensors if path.suffix.lower() == ".safetensors" else _read_torch_file
    config, tensors = read(path)
    return Checkpoint(config, tensors, sha256_of(path), path)


def _locate(reference: str | Path | None) -> Path:
    path = Path(EMBEDDED_NAME if reference is None else reference)
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


def _find_config(path: Path) -> GeneratorConfig | None:
    """Read the config.yaml beside a checkpoint file or, as in the official layout, above it."""
    for candidate in (path.parent / "config.yaml", path.parent.parent / "config.yaml"):
        if candidate.is_file():
            return config_from_official(_parse_yaml(candidate))
    return None


def _architecture(
    config: GeneratorConfig | None, shapes: Mapping[str, tuple[int, ...]], path: Path
) -> tuple[GeneratorConfig, str]:
    """Return the architecture, read off the tensors where no config says it, and the prefix."""
    try:
        if config is not None:
            return config, generator_prefix(shapes, config.stem_tensor)
        return infer_architecture(shapes)
    except CheckpointError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} {error}") from error


def _parse_yaml(path: Path) -> Mapping[str, Any]:
    with needs_extra("export"):
        import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases: a few lines of them can stand for more than the memory holds."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases (*name) are not supported, write the values out")
            return super().compose_node(parent, index)

    try:
        size = path.stat().st_size
        if size > _MAX_CONFIG_BYTES:
            raise CheckpointError(
                f"{str(path)!r} has {size} bytes, over {_MAX_CONFIG_BYTES}: is it a config?"
            )
        document = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 (a SafeLoader)
    except CheckpointError:
        raise
    except Exception as error:  # PyYAML raises whatever a hostile document makes it meet
        raise CheckpointError(f"{str(path)!r} is no valid config.yaml: {reason(error)}") from error
    if not isinstance(document, Mapping):
        raise CheckpointError(f"{str(path)!r} is not a LaMa config.yaml: it is no mapping")
    return document


def _read_torch_file(path: Path) -> tuple[GeneratorConfig, dict[str, NDArray[Any]]]:
    config = _find_config(path)
    with TorchFile(path) as file:
        references = file.state_dict()
        shapes = {name: reference.shape for name, reference in references.items()}
        config, prefix = _architecture(config, shapes, path)
        chosen = {
            name: reference
            for name, reference in references.items()
            if name.startswith(f"{prefix}model.")
        }
        _check_total(path, (reference.shape for reference in chosen.values()))
        arrays = dict(file.read(chosen))  # in the order of their storages
        return config, {name.removeprefix(prefix): arrays[name] for name in chosen}


def _read_safetensors(path: Path) -> tuple[GeneratorConfig, dict[str, NDArray[Any]]]:
    with needs_extra("export"):
        from safetensors import SafetensorError, safe_open
    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            config = _config_in_metadata(file.metadata() or {}, path) or _find_config(path)
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no mapping)
            config, prefix = _architecture(config, shapes, path)
            chosen = [name for name in shapes if name.startswith(f"{prefix}model.")]
            _check_total(path, (shapes[name] for name in chosen))
            tensors = {
                name.removeprefix(prefix): _from_torch(file.get_tensor(name)) for name in chosen
            }
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged or not a safetensors file ({reason(error)}): "
            "get it again"
        ) from error
    return config, tensors


def _config_in_metadata(metadata: Mapping[str, str], path: Path) -> GeneratorConfig | None:
    text = metadata.get(_CONFIG_METADATA_KEY)
    if text is None:
        return None
    if len(text) > _MAX_CONFIG_BYTES:
        raise CheckpointError(f"the config inside {str(path)!r} is over {_MAX_CONFIG_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the config inside {str(path)!r} is no valid JSON") from error
    if not isinstance(document, Mapping):
        raise CheckpointError(f"the config inside {str(path)!r} is no JSON object")
    return config_from_dict(document)


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


def _from_torch(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array
