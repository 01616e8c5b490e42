"""Fills the matrix: measures the cells that are missing, and writes them down at once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.studies.consumers.cells import ModelFile
from lama_edge.benchmarks.studies.consumers.consumers import Consumer, Environment
from lama_edge.benchmarks.studies.consumers.environments import install
from lama_edge.benchmarks.studies.consumers.prepare import (
    Prepared,
    export_file,
    prepare,
    source_of,
)
from lama_edge.benchmarks.studies.consumers.read import Cell, judge, read_files
from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.files import atomic_output

Row = dict[str, Any]
_KEY = ("consumer", "model", "size", "io", "precision", "purpose")


def load_rows(path: Path) -> list[Row]:
    """Read the cells measured so far; there are none without a file.

    Raises:
        UsageError: when a line is no cell.
    """
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            key_of(row)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{str(path)!r} is no result of this study: {error}") from error
    return rows


def save_rows(rows: Sequence[Row], path: Path) -> None:
    """Write cells, one a line, in the order of their names."""
    with atomic_output(path) as temporary:
        lines = (json.dumps(row, ensure_ascii=False) for row in sorted(rows, key=key_of))
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def key_of(row: Row) -> tuple[str, ...]:
    """Return what tells a cell from all others."""
    return tuple(str(row[name]) for name in _KEY)


def fill(
    consumers: Sequence[Consumer],
    files: Sequence[ModelFile],
    path: Path,
    environments: Path,
    progress: Callable[[str], None],
    *,
    again: bool = False,
) -> list[Row]:
    """Measure the cells of these consumers and files, and write each one down.

    Args:
        consumers: who reads.
        files: what is read.
        path: the result, a JSON object a line; what it has is kept.
        environments: the folder of their environments, which are made where they are missing.
        progress: told of each file, and of an environment that cannot be made.
        again: whether to measure what is there already.

    Returns:
        All cells, those of others included.
    """
    rows = {key_of(row): row for row in load_rows(path)}
    wanted = [
        (one, file)
        for file in files
        for one in consumers
        if one.takes(file) and (again or _key(one, file) not in rows)
    ]
    pythons = _interpreters({one for one, _ in wanted}, environments, progress)
    wanted = [(one, file) for one, file in wanted if one.environment in pythons]
    for form, group in groupby(wanted, lambda pair: pair[1].form):
        pairs = list(group)
        progress(f"{len(pairs)} cells: {form}")
        with tempfile.TemporaryDirectory(prefix="lama-edge-consumers-") as folder:
            prepared = {file: _prepared(file, Path(folder)) for file in {file for _, file in pairs}}
            for one in dict.fromkeys(one for one, _ in pairs):
                its = [file for other, file in pairs if other == one]
                python = pythons[one.environment]
                readings = read_files(one, python, [prepared[file] for file in its], Path(folder))
                for file, reading in zip(its, readings, strict=True):
                    cell = judge(one, file, prepared[file], reading)
                    rows[_key(one, file)] = _row(one, file, cell)
                save_rows(list(rows.values()), path)
    return list(rows.values())


def _prepared(file: ModelFile, folder: Path) -> Prepared:
    source = source_of(file.model, folder)
    return prepare(export_file(file, source, folder), source, file.io, folder)


def _interpreters(
    consumers: set[Consumer], folder: Path, progress: Callable[[str], None]
) -> dict[Environment, Path]:
    found = {}
    for environment in sorted({one.environment for one in consumers}, key=lambda one: one.name):
        try:
            found[environment] = install(environment, folder)
        except MissingBackendError as error:
            progress(f"left out: {error}")
    return found


def _key(consumer: Consumer, file: ModelFile) -> tuple[str, ...]:
    return key_of({"consumer": consumer.name, **file.to_dict()})


def _row(consumer: Consumer, file: ModelFile, cell: Cell) -> Row:
    environment = consumer.environment
    pinned = [package for package in (*environment.packages, *environment.npm)
              if package.split("=")[0].split("@")[0] in consumer.shows]  # fmt: skip
    return {
        "consumer": consumer.name,
        **file.to_dict(),
        **asdict(cell),
        "versions": pinned,
    }
