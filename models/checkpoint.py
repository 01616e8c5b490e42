"""Checkpoints: from a name, folder or file to a configuration and the generator's tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.files import sha256_of
from lama_edge.models.config import GeneratorConfig, config_from_dict, config_from_official
from lama_edge.models.torch_file import TorchFile

EMBEDDED_NAME = "lama-tiny"
_EMBEDDED_PATH = Path(__file__).parent / "embedded" / "lama_tiny.safetensors"
_CONFIG_METADATA_KEY = "config"
_MAX_CONFIG_BYTES = 1 << 20


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
    if path.is_dir():
        file = path / "models" / "best.ckpt"
        if not file.is_file():
            raise CheckpointError(f"the folder {str(path)!r} has no models/best.ckpt")
        return file
    if not path.exists():
        raise CheckpointError(
            f"the checkpoint {str(path)!r} does not exist; give a folder with config.yaml, "
            f"a .ckpt or .safetensors file, or the name {EMBEDDED_NAME}"
        )
    if path.suffix.lower() not in (".ckpt", ".safetensors"):
        raise CheckpointError(
            f"{str(path)!r} is no known kind of checkpoint; give a folder with config.yaml, or a "
            ".ckpt or .safetensors file"
        )
    return path


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
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise CheckpointError(f"{str(path)!r} is over {_MAX_CONFIG_BYTES} bytes: is it a config?")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{str(path)!r} is not valid YAML: {reason}") from error
    if not isinstance(document, Mapping):
        raise CheckpointError(f"{str(path)!r} is not a LaMa config.yaml: it is no mapping")
    return document


def _read_torch_file(path: Path) -> dict[str, NDArray[Any]]:
    with TorchFile(path) as file:
        references = file.state_dict()
        prefix = _generator_prefix(references, path)
        return {
            name.removeprefix(prefix): _as_float32(file.read(reference))
            for name, reference in references.items()
            if name.startswith(f"{prefix}model.")
        }


def _read_safetensors(path: Path) -> tuple[GeneratorConfig, dict[str, NDArray[Any]]]:
    with needs_extra("export"):
        from safetensors import SafetensorError, safe_open
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            prefix = _generator_prefix(dict.fromkeys(names), path)
            tensors = {
                name.removeprefix(prefix): _from_torch(file.get_tensor(name))
                for name in names
                if name.startswith(f"{prefix}model.")
            }
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged or not a safetensors file ({error})"
        ) from error
    if _CONFIG_METADATA_KEY not in metadata:
        return _read_official_config(path), tensors
    try:
        document = json.loads(metadata[_CONFIG_METADATA_KEY])
    except ValueError as error:
        raise CheckpointError(f"the config inside {str(path)!r} is no valid JSON") from error
    if not isinstance(document, Mapping):
        raise CheckpointError(f"the config inside {str(path)!r} is no JSON object")
    return config_from_dict(document), tensors


def _generator_prefix(names: Mapping[str, object], path: Path) -> str:
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
        f"the checkpoint {str(path)!r} holds several generators, named {', '.join(prefixes)}"
    )


def _from_torch(tensor: Any) -> NDArray[Any]:
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array


def _as_float32(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
