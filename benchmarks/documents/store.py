"""The documents of measurements: written, read back, and refused when they are something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import lama_edge
from lama_edge import plain
from lama_edge.benchmarks.documents.older import newer
from lama_edge.errors import LamaEdgeError, UsageError, needs_extra, one_line, reason, shown
from lama_edge.files import atomic_output

with needs_extra("bench"):
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry, Resource

BENCH = "lama_edge.bench"
DOCTOR = "lama_edge.doctor"
FLEET = "lama_edge.fleet"
PARITY = "lama_edge.parity"
PEERS = "lama_edge.peers"
RANGES = "lama_edge.ranges"
TRADEOFF = "lama_edge.tradeoff"
WORKER = "lama_edge.worker"
_MADE_BY = {
    BENCH: "lama-edge bench --json-out",
    DOCTOR: "lama-edge doctor --json",
    FLEET: "lama-edge bench --fleet DEVICES.toml --json-out",
    PARITY: "lama-edge parity --json-out",
    PEERS: "python -m lama_edge.benchmarks.studies.peers --json-out",
    RANGES: "lama-edge ranges --json-out",
    TRADEOFF: "lama-edge tradeoff --json-out",
    WORKER: "lama-edge-worker REQUEST.json",
}
# The newest version of each, which is what is written; older ones are read as well.
_VERSION = {BENCH: 3, DOCTOR: 1, FLEET: 1, PARITY: 2, PEERS: 1, RANGES: 1, TRADEOFF: 2, WORKER: 1}
_MAX_REASON_CHARACTERS = 160


class DocumentError(LamaEdgeError):
    """A JSON file that is no document of the kind wanted."""


def heading(kind: str) -> dict[str, Any]:
    """Return what a new document of a kind begins with."""
    return {
        "kind": kind,
        "schema_version": _VERSION[kind],
        "tool": f"lama-edge {lama_edge.__version__}",
    }


def save_document(document: Mapping[str, Any], target: Path) -> None:
    """Check a document against its schema and write it as JSON.

    Raises:
        UsageError: when the target cannot be written.
        DocumentError: when the document does not fit its schema.
    """
    check_document(document, str(document.get("kind")))
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with atomic_output(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_bench(path: Path) -> dict[str, Any]:
    """Read a document of `lama-edge bench`; see `load_document`."""
    return load_document(path, BENCH)


def load_document(path: Path, kind: str, *others: str) -> dict[str, Any]:
    """Read a document and check that it is one.

    Args:
        path: a JSON file.
        kind: `BENCH`, `FLEET`, `PARITY`, `PEERS`, `RANGES` or `TRADEOFF`.
        others: what else it may be.

    Returns:
        The document in the newest version of its kind, see `check_document`.

    Raises:
        UsageError: when the file cannot be opened.
        DocumentError: when it is no such document, is damaged, or is of a version unknown to
            this release; the message gives the file and the place in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{str(path)!r} is no JSON file: it is no UTF-8 text") from error
    try:
        document = plain.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{str(path)!r} cannot be read as JSON: {reason(error)}") from error
    seen = document.get("kind") if isinstance(document, dict) else None
    try:
        return check_document(document, next((other for other in others if other == seen), kind))
    except DocumentError as error:
        raise DocumentError(f"{str(path)!r} {error}") from error


def check_document(document: Any, kind: str) -> dict[str, Any]:
    """Return the document in the newest version of its kind, if it fits the schema of its own.

    What an older version does not tell is None there, see `newer`.

    Raises:
        DocumentError: saying what is wrong where; the message goes after the document's name.
    """
    if not isinstance(document, dict) or document.get("kind") != kind:
        seen = document.get("kind") if isinstance(document, dict) else document
        raise DocumentError(
            f"is no {kind} document (its kind is {shown(seen)}); make one with: {_MADE_BY[kind]}"
        )
    version = document.get("schema_version")
    newest = _VERSION[kind]
    if type(version) is not int or not 1 <= version <= newest:
        known = " and ".join(str(number) for number in range(1, newest + 1))
        raise DocumentError(
            f"has schema_version {shown(version)}; this release reads {known}: "
            "measure again or update lama-edge"
        )
    try:
        plain.check(document)
    except ValueError as error:
        raise DocumentError(str(error)) from error
    problem = best_match(_validator(kind, version).iter_errors(document))
    if problem is not None:
        raise DocumentError(
            f"does not fit the schema at {plain.spell(problem.absolute_path)}: "
            + one_line(problem.message)[:_MAX_REASON_CHARACTERS]
        )
    found: dict[str, Any] = document
    for number in range(version, newest):
        found = newer(found, number + 1)
    return found


@lru_cache
def _schemas() -> Registry[Any]:
    """Return all schemas by file name: version 2 refers to version 1 for what they share."""
    folder = resources.files("lama_edge.benchmarks.documents") / "schema"
    return Registry().with_resources(
        (file.name, Resource.from_contents(json.loads(file.read_text("utf-8"))))
        for file in folder.iterdir()
    )


@lru_cache
def _validator(kind: str, version: int) -> Draft202012Validator:
    schemas = _schemas()
    name = f"{kind.rpartition('.')[2]}-{version}.schema.json"
    return Draft202012Validator(schemas.contents(name), registry=schemas)
