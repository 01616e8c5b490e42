"""`lama-edge doctor`: what is installed, what of it works here, and what mends the rest."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from lama_edge.benchmarks.reports.figures import memory, scientific, table
from lama_edge.cli.rendering import milliseconds, print_json, steps
from lama_edge.errors import printable

_WIDTH = 100
# What stands under a heading is told from it.
_INDENT = "  "


def add_doctor(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge doctor`."""
    doctor = commands.add_parser(
        "doctor",
        parents=[common],
        help="tell what is installed, and what of it works here",
        description="Try every runtime, export and tool that lama-edge can use, each in a process "
        "of its own, on the embedded lama-tiny, and tell what works here, what does not and the "
        "command that mends it. It names neither you nor the machine, so all of it can go into a "
        "bug report. Exit code 0: all that is installed works; what is not installed is no fault. "
        "1: something computes wrong. 2: something that is installed is broken.",
    )
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from lama_edge.doctor.examination import examine, exit_code

    with steps() as (progress, expect):
        document = examine(progress, expect)
    if options.json:
        print_json(document)
    else:
        for line in _lines(document):
            print(printable(line))
    return exit_code(document)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _machine(document)
    for heading, rows in (
        (f"runtimes, {document['model']['name']}", _runtimes(document["runtimes"])),
        ("exports", _exports(document["exports"])),
        ("tools", _tools(document["tools"])),
    ):
        yield ""
        yield heading
        yield from (_INDENT + line for line in table([*rows]))
    yield ""
    problems = document["problems"]
    if not problems:
        yield "all that is installed works"
        return
    yield "what is installed and does not work:"
    for one in problems:
        yield f"{_INDENT}{one['what']}: {one['reason']}"
        yield f"{_INDENT * 2}{one['fix']}"


def _machine(document: Mapping[str, Any]) -> Iterator[str]:
    here, model = document["environment"], document["model"]
    yield f"{document['tool']}, Python {here['python']}, {here['os']}, {here['machine']}"
    device = f"{here['device']}, " if here["device"] else ""
    cores = f"{here['cores']} core{'' if here['cores'] == 1 else 's'}"
    yield f"{device}{here['chip']}, {cores}, {memory(here['memory_bytes'])}"
    if document["features"]:
        yield f"processor  {' '.join(document['features'])}"
    state = "as published" if model["status"] == "works" else "BROKEN"
    yield f"model      {model['name']}, {state}, sha256 {str(model['sha256'])[:16]}…"
    packages = " ".join(f"{name} {version};" for name, version in here["packages"].items())
    yield from _wrapped("packages   ", packages.rstrip(";"))
    complete = [one["extra"] for one in document["extras"] if one["complete"] and one["extra"]]
    yield from _wrapped("extras     ", ", ".join(complete) or "none")


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=label, subsequent_indent=" " * len(label),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _runtimes(rows: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Give a row for each runtime's providers of which the same is to be said."""

    def said(row: dict[str, Any]) -> tuple[str, str, str]:
        return row["title"], row["status"], _remark(row)

    for (title, status, remark), alike in groupby(sorted(rows, key=lambda r: 0), key=said):
        group = [*alike]
        version = next((f" {row['version']}" for row in group if row["version"]), "")
        providers = ", ".join(row["provider"] for row in group)
        yield f"{title}{version}", providers, status, remark


def _remark(row: Mapping[str, Any]) -> str:
    if row["status"] == "works":
        return f"off by {scientific(row['max_abs_diff'])}, {milliseconds(row['run_ms'])} a run"
    return str((row["fix"] if row["status"] == "not installed" else None) or row["reason"])


def _exports(rows: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        flags = "".join(f" --{name} {value}" for name, value in row["options"].items())
        took = f"{row['seconds']:.1f} s" if row["status"] == "works" else row["fix"] or row["reason"]
        yield f"{row['format']}{flags}", row["status"], took


def _tools(rows: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        name = f"{row['tool']} {row['version']}" if row["version"] else row["tool"]
        remark = row["for"] if row["status"] == "works" else f"{row['fix']} ({row['for']})"
        yield name, row["status"], remark
