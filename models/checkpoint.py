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
from lama_edge.models.config import GeneratorConfig, config_from_dict, config_from_official
from lama_edge.models.torch_file import TorchFile

EMBEDDED_NAME = "lama-tiny"
_EMBEDDED_PATH = Path(__file__).parent / "embedded" / "lama_tiny.safetensors"
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
        reference: a folder with `config.yaml` and `models/best.ckpt`, a ``.ckpt`` or
            ``.safetensors`` file, the name ``lama-tiny``, or None for the embedded lama-tiny.

    Returns:
        The checkpoint. Whether the tensors fit the configuration is checked by
        `generators.build_generator`.

    Raises:
        CheckpointError: when nothing is found there, or it cannot be read or is refused.
        MissingBackendError: when the ``export`` extra is not installed.
    """
    path = _locate(reference)
    if path.suffix.lower() == ".safetensors":
        config, tensors = _read_safetensors(path)
    else:
        config, tensors = _read_official_config(path), _read_torch_file(path)
    return Checkpoint(config, tensors, sha256_of(path), path)


def _locate(reference: str | Path | None) -> Path:
    if reference is None or str(reference) == EMBEDDED_NAME:
        return _EMBEDDED_PATH
    path = Path(reference)
    if _exists(path) and path.is_dir():
        file = path / "models" / "best.ckpt"
        if not file.is_file():
            raise CheckpointError(f"the folder {str(path)!r} has no models/best.ckpt")
        return file
    if not _exists(path):
        raise CheckpointError(
            f"the checkpoint {str(path)!r} does not exist; give a folder with config.yaml, "
            f"a .ckpt or .safetensors file, or the name {EMBEDDED_NAME}"
        )
    if path.suffix.lower() not in (".ckpt", ".safetensors") or not path.is_file():
        raise CheckpointError(
            f"{str(path)!r} is no known kind of checkpoint; give a folder with config.yaml, or a "
            ".ckpt or .safetensors file"
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise CheckpointError(
            f"{shown(str(path))} is no path that can be read: {error.strerror}"
        ) from error


def _read_official_config(path: Path) -> GeneratorConfig:
    """Read the config.yaml beside a checkpoint file or, as in the official layout, above it."""
    for candidate in (path.parent / "config.yaml", path.parent.parent / "config.yaml"):
        if candidate.is_file():
            return config_from_official(_parse_yaml(candidate))
    raise CheckpointError(
        f"there is no config.yaml beside {str(path)!r} or in the folder above it; "
        "put the checkpoint's config.yaml there"
    )


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


def _read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    with TorchFile(path) as file:
        references = file.state_dict()
        prefix = _generator_prefix(references, path)
        chosen = {
            name: reference
            for name, reference in references.items()
            if name.startswith(f"{prefix}model.")
        }
        _check_total(path, (reference.shape for reference in chosen.values()))
        tensors = {name.removeprefix(prefix): array for name, array in file.read(chosen)}
        return {name: tensors[name] for name in (key.removeprefix(prefix) for key in chosen)}


def _read_safetensors(path: Path) -> tuple[GeneratorConfig, dict[str, NDArray[Any]]]:
    with needs_extra("export"):
        from safetensors import SafetensorError, safe_open
    try:
        _check_header(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            prefix = _generator_prefix(names, path)
            chosen = [name for name in names if name.startswith(f"{prefix}model.")]
            _check_total(path, (file.get_slice(name).get_shape() for name in chosen))
            tensors = {
                name.removeprefix(prefix): _from_torch(file.get_tensor(name)) for name in chosen
            }
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged or not a safetensors file ({reason(error)}): "
            "get it again"
        ) from error
    if _CONFIG_METADATA_KEY not in metadata:
        return _read_official_config(path), tensors
    return _parse_config_metadata(metadata[_CONFIG_METADATA_KEY], path), tensors


def _parse_config_metadata(text: str, path: Path) -> GeneratorConfig:
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


def _generator_prefix(names: Iterable[str], path: Path) -> str:
    """Return what stands before ``model.`` in the generator's tensor names."""
    stem = "model.1.ffc.convl2l.weight"
    prefixes = sorted({name.removesuffix(stem) for name in names if name.endswith(stem)})
    if "generator." in prefixes:
        return "generator."
    if len(prefixes) == 1:
        return prefixes[0]
    if not prefixes:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} holds no ffc_resnet generator "
            f"(no tensor is named …{stem})"
        )
    raise CheckpointError(
        f"the checkpoint {str(path)!r} holds {len(prefixes)} generators, "
        f"{shown(prefixes[0])} and {shown(prefixes[1])} among them: give a file with one"
    )


def _from_torch(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array
