"""The models of a parity check: opened one after the other, part by part if they have several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lama_edge.benchmarks.model_files import titled
from lama_edge.benchmarks.parity_task import DESCRIBE, model_record
from lama_edge.errors import LamaEdgeError
from lama_edge.files import join_part, split_part
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated


@dataclass(frozen=True)
class Opened:
    """A model that could be opened, or one part of it.

    Attributes:
        model: as the user named it, and the part where there are several.
        payload: what `lama_edge.benchmarks.parity_task` opens it by.
        record: what documents say of it.
        runtime: the runtime's name.
        title: the same with version and provider.
        manifest: its own description, of the part where there are several.
        parts: the names of all parts where there are several, the default one first.
    """

    model: str
    payload: Mapping[str, Any]
    record: Mapping[str, Any]
    runtime: str
    title: str
    manifest: Manifest
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A model, or a part of it, that could not be opened.

    Attributes:
        model: as the user named it.
        record: what documents say of it.
        error: why.
    """

    model: str
    record: Mapping[str, Any]
    error: LamaEdgeError


def open_model(model: str, provider: str, *, timeout_s: float | None) -> list[Opened | Refused]:
    """Open a model in a process of its own; each part of one that has several, or the one named.

    Args:
        model: see `open_runner`.
        provider: see `open_runner`.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """
    found = _open(model, provider, raw=False, timeout_s=timeout_s)
    if isinstance(found, Refused) or not found.parts or split_part(model)[1] is not None:
        return [found]
    default, *others = (join_part(model, part) for part in found.parts)
    named = replace(
        found,
        model=default,
        payload={**found.payload, "model": default},
        record={**found.record, "name": titled(str(found.record["name"]), found.parts[0])},
    )
    return [named, *(_open(one, provider, raw=False, timeout_s=timeout_s) for one in others)]


def open_reference(model: str, *, timeout_s: float | None) -> Opened | Refused:
    """Open the model to compare with: raw, on the CPU, of several parts the default one."""
    return _open(model, "cpu", raw=True, timeout_s=timeout_s)


def _open(model: str, provider: str, *, raw: bool, timeout_s: float | None) -> Opened | Refused:
    payload = {"model": model, "provider": provider, "raw": raw}
    try:
        answer = run_isolated(DESCRIBE, payload, timeout_s=timeout_s)
        manifest = Manifest.from_json(answer["manifest"])
    except LamaEdgeError as error:
        return Refused(model, model_record(model, None), error)
    return Opened(
        model,
        payload,
        answer["model"],
        answer["runtime"],
        answer["title"],
        manifest,
        tuple(answer["parts"]),
    )
