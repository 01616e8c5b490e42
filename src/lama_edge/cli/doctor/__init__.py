"""`lama-edge doctor`: what is installed, what of it works here, and what mends the rest."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.reports.figures import UNKNOWN, scientific, table
from lama_edge.cli.rendering import milliseconds, print_json, steps
from lama_edge.errors import flag_of, printable

_WIDTH = 100
_LABEL = 11
_INDENT = "  "
_HARD_SPACE = "\u00a0"
# What exports, checks, runs and measures.
_FIRST = 'pip install "lama-edge[export,onnx]"'
# Where it is told why, and what to do.
_BELOW = "see below"
# Of a hash, enough to tell it from another.
_DIGITS = 16


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
    if not {"works", "wrong", "broken"} & {row["status"] for row in document["runtimes"]}:
        yield f"most begin with: {_FIRST}"
    if not problems:
        yield "all that is installed works"
        return
    yield "what is installed and does not work:"
    alike: dict[tuple[str, str], list[str]] = {}
    for one in problems:
        alike.setdefault((one["reason"], one["fix"]), []).append(one["what"])
    for (reason, fix), whats in alike.items():
        yield f"{_INDENT}{', '.join(whats)}: {reason}"
        yield f"{_INDENT * 2}{fix}"


def _machine(document: Mapping[str, Any]) -> Iterator[str]:
    here, model = document["environment"], document["model"]
    yield f"{document['tool']}, Python {here['python']}, {here['os']}, {here['machine']}"
    found = [here["device"], here["chip"], f"{here['cores']} core{'s' * (here['cores'] > 1)}"]
    if here["memory_bytes"]:
        found.append(f"{here['memory_bytes'] / 2**30:.1f} GiB")
    yield ", ".join(filter(None, found))
    complete = [one["extra"] for one in document["extras"] if one["complete"] and one["extra"]]
    packages = (f"{name}{_HARD_SPACE}{version}" for name, version in here["packages"].items())
    state = "as published" if model["status"] == "works" else "BROKEN"
    for label, text in (
        ("processor", " ".join(document["features"])),
        ("model", f"{model['name']}, {state}, sha256 {str(model['sha256'])[:_DIGITS]}"),
        ("extras", ", ".join(complete)),
        ("packages", ", ".join(packages)),
    ):
        yield from _wrapped(label, text or UNKNOWN)


def _wrapped(label: str, text: str) -> Iterator[str]:
    """Give lines beside a label; what a hard space holds together stays on one."""
    for line in textwrap.wrap(text, _WIDTH - _LABEL, break_on_hyphens=False):
        yield f"{label:<{_LABEL}}" + line.replace(_HARD_SPACE, " ")
        label = ""


def _runtimes(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Give a row for each runtime's providers of which the same is to be said."""
    alike: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        alike.setdefault((row["title"], row["status"], _remark(row)), []).append(row)
    before = None
    for (title, status, remark), group in alike.items():
        version = next(
            (row["version"] for row in rows if row["title"] == title and row["version"]), ""
        )
        name = "" if title == before else f"{title} {version}".strip()
        before = title
        yield name, ", ".join(row["provider"] for row in group), status, remark


def _remark(row: Mapping[str, Any]) -> str:
    if row["status"] == "works":
        return f"off by {scientific(row['max_abs_diff'])}, a run {milliseconds(row['run_ms'])}"
    if row["status"] in ("broken", "wrong"):
        return _BELOW
    if row["fix"] and row["status"] == "not tried":
        return f"for want of a model; what makes one: {row['fix']}"
    return str((row["status"] == "not installed" and row["fix"]) or row["reason"])


def _exports(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Give a row for all that work, and one for each that does not."""
    names = ["".join([row["format"], *map(" ".join, _flags(row))]) for row in rows]
    working = [name for name, row in zip(names, rows, strict=True) if row["status"] == "works"]
    if working:
        yield "works", ", ".join(working)
    for name, row in zip(names, rows, strict=True):
        if row["status"] != "works":
            mend = _BELOW if row["status"] == "broken" else row["fix"] or row["reason"]
            yield row["status"], f"{name}: {mend}"


def _flags(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in row["options"].items():
        yield f" {flag_of(name)}", value


def _tools(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        name = f"{row['tool']} {row['version']}" if row["version"] else row["tool"]
        mend = f"{row['fix'] or row['reason']} ({row['for']})"
        remark = {"works": row["for"], "broken": _BELOW}.get(row["status"], mend)
        yield name, row["status"], remark
