"""The models of a parity check: opened one after the other, a package function by function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lama_edge.benchmarks.model_files import titled
from lama_edge.benchmarks.parity_task import DESCRIBE, model_record
from lama_edge.errors import LamaEdgeError
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated


@dataclass(frozen=True)
class Opened:
    """A model that could be opened, or one function of it.

    Attributes:
        model: as the user named it.
        payload: what `lama_edge.benchmarks.parity_task` opens it by.
        record: what documents say of it.
        runtime: with version and provider.
        manifest: its own description, of the function where there are several.
        functions: names of all functions of a package of several, the default one first.
    """

    model: str
    payload: Mapping[str, Any]
    record: Mapping[str, Any]
    runtime: str
    manifest: Manifest
    functions: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A model, or a function of it, that could not be opened.

    Attributes:
        model: as the user named it.
        record: what documents say of it.
        error: why.
    """

    model: str
    record: Mapping[str, Any]
    error: LamaEdgeError


def open_model(model: str, provider: str, *, timeout_s: float | None) -> list[Opened | Refused]:
    """Open a model in a process of its own; each function of a package that has several.

    Args:
        model: a path or name.
        provider: see `lama_edge.runtimes.base.open_runner`.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """
    payload = {"model": model, "provider": provider, "raw": False, "function": None}
    found = _open(payload, timeout_s)
    if isinstance(found, Refused) or not found.functions:
        return [found]
    default, *others = found.functions
    named = replace(
        found,
        payload={**payload, "function": default},
        record={**found.record, "name": titled(str(found.record["name"]), default)},
    )
    return [named, *(_open({**payload, "function": name}, timeout_s) for name in others)]


def open_reference(model: str, *, timeout_s: float | None) -> Opened | Refused:
    """Open the model to compare with: raw, on the CPU, of several functions the default one."""
    return _open({"model": model, "provider": "cpu", "raw": True, "function": None}, timeout_s)


def _open(payload: Mapping[str, Any], timeout_s: float | None) -> Opened | Refused:
    model, function = payload["model"], payload["function"]
    try:
        answer = run_isolated(DESCRIBE, payload, timeout_s=timeout_s)
        manifest = Manifest.from_json(answer["manifest"])
    except LamaEdgeError as error:
        return Refused(model, model_record(model, None, function), error)
    functions = tuple(answer["functions"])
    return Opened(model, payload, answer["model"], answer["runtime"], manifest, functions)
