"""Reads a configuration that stands beside a checkpoint's tensors, if it is LaMa's.

What another tool left there says nothing of the generator: the tensors are gone by then, with a
note. A `config.yaml` is LaMa's when its top has a `generator` that is no mapping, an empty one, or
one with an option of LaMa's generators; where it cannot be parsed, when a line begins with
`generator:`. The ``config`` in safetensors' metadata is ours when it names one of our kinds or
`ngf`. A LaMa config that is damaged or asks for what is not supported is refused, since a
generator built without it might load and compute something else.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge.errors import CheckpointError, needs_extra, reason
from lama_edge.models.config import CONFIGS, GeneratorConfig, config_from_dict
from lama_edge.models.official_config import config_from_official, is_official

_METADATA_KEY = "config"
# Official configs have a few kB; a stranger's YAML or JSON can take a thousand times its size in
# memory or time.
_MAX_CONFIG_BYTES = 1 << 16
_SAYS_GENERATOR = re.compile(rb"^[\s{\"']*generator[\"']?\s*:", re.MULTILINE)
_SAYS_OURS = re.compile("|".join([*CONFIGS, '"ngf"']))

_log = logging.getLogger(__name__)


def find_config(path: Path) -> GeneratorConfig | None:
    """Read the config.yaml beside a checkpoint file or, as in the official layout, above it.

    Raises:
        CheckpointError: when it is LaMa's, and damaged or not supported.
    """
    for candidate in (path.parent / "config.yaml", path.parent.parent / "config.yaml"):
        if candidate.is_file():
            document = _parsed(candidate)
            if document is not None:
                return config_from_official(document)
            _log.warning("%r is no LaMa config and is not read", str(candidate))
    return None


def _parsed(path: Path) -> Mapping[str, Any] | None:
    """Return a LaMa config's content; None for another tool's file."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    try:
        document = _parse_yaml(path, data)
    except CheckpointError:
        if _SAYS_GENERATOR.search(data):
            raise
        return None
    return document if is_official(document) else None


def _parse_yaml(path: Path, data: bytes) -> object:
    with needs_extra("export"):
        import yaml

    class Loader(yaml.SafeLoader):
        """Refuses aliases: a few lines of them can stand for more than the memory holds."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases (*name) are not supported, write the values out")
            return super().compose_node(parent, index)

    if len(data) > _MAX_CONFIG_BYTES:
        raise CheckpointError(f"{str(path)!r} has over {_MAX_CONFIG_BYTES} bytes: is it a config?")
    try:
        document: object = yaml.load(data.decode(), Loader)  # noqa: S506 (safe)
    except Exception as error:  # PyYAML raises whatever a hostile document makes it meet
        raise CheckpointError(f"{str(path)!r} is no valid config.yaml: {reason(error)}") from error
    return document


def config_in_metadata(metadata: Mapping[str, str], path: Path) -> GeneratorConfig | None:
    """Read the configuration in a safetensors file's metadata; None where there is none of ours.

    Raises:
        CheckpointError: when it is ours, and damaged or not supported.
    """
    text = metadata.get(_METADATA_KEY)
    if text is None:
        return None
    if not _SAYS_OURS.search(text):
        _log.warning("the config inside %r is no LaMa generator's and is not read", str(path))
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
