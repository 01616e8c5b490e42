"""The examination: everything is tried, one thing after another, and told as one document."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lama_edge
from lama_edge.benchmarks.targets.tasks.environment import environment, processor_features
from lama_edge.doctor.requirements import PACKAGE, Extra, canonical, installed_extras
from lama_edge.doctor.tools import TOOLS
from lama_edge.doctor.trying import EXPORT_SECONDS, owner_of, reinstalling, status_of, tried
from lama_edge.errors import flag_of, worst_exit_code
from lama_edge.exporters.formats.record import Format, formats
from lama_edge.files import sha256_of
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.models.zoo import required_path, zoo_entry
from lama_edge.nvidia import AN_NVIDIA_GPU
from lama_edge.process import WatchedFolder
from lama_edge.runtimes.registry import CHECKPOINT, Need, Runtime, runtimes
from lama_edge.spec import Progress, untold

KIND = "lama_edge.doctor"
_VERSION = 1
SIZE = "64"
# The pages carry lama-tiny at this size for a self-test of their own.
_READY_MADE = "web/compiled/demo/assets/selftest-*.onnx"
_REPORT = "report it with all that this command prints"
_CODES = {"wrong": 1, "broken": 2}

Row = dict[str, Any]


def examine(
    progress: Progress = untold, expect: Callable[[int], None] = lambda total: None
) -> dict[str, Any]:
    """Try everything.

    Args:
        progress: called with what is tried next.
        expect: called once, before that, with how many times it will be.

    Returns:
        A document, see ``benchmarks/documents/schema/doctor-1.schema.json``; it names neither the
        user nor the machine.

    Raises:
        LamaEdgeError: when there is no room for temporary files.
    """
    known = [*runtimes()]
    wanted = [(form, options) for form in formats() for options in _options(form, known)]
    expect(len(wanted) + sum(len(one.providers) for one in known if one.opener) + len(TOOLS))
    model, extras = _embedded(), installed_extras()
    with WatchedFolder() as watched:
        exports = [
            _exported(form, options, model, watched.path, progress) for form, options in wanted
        ]
        rows = [
            row for one in known for row in _tried(one, _subject(one, model, exports), progress)
        ]
    tools = []
    for name, tool in TOOLS.items():
        progress(name)
        tools.append({"tool": name, "for": tool.purpose, **tool.look()})
    here = environment()
    packages = {canonical(name): version for name, version in here["packages"].items()}
    packages.update({name: version for one in extras for name, version in one.installed.items()})
    document = {
        "kind": KIND,
        "schema_version": _VERSION,
        "tool": f"lama-edge {lama_edge.__version__}",
        "environment": {**here, "packages": dict(sorted(packages.items()))},
        "features": processor_features(),
        "model": model,
        "extras": [_extra_row(one) for one in extras],
        "exports": [{key: row[key] for key in row if key != "path"} for row in exports],
        "runtimes": rows,
        "tools": tools,
    }
    return {**document, "problems": [*_problems(document, extras)]}


def exit_code(document: Mapping[str, Any]) -> int:
    """Return 0 where all that is installed works, 1 where something computes wrong, 2 otherwise."""
    return worst_exit_code(_CODES[one["status"]] for one in document["problems"])


def _embedded() -> Row:
    """Tell whether the embedded model is the one that was published."""
    entry = zoo_entry(EMBEDDED_NAME)
    try:
        found: str | None = sha256_of(required_path(entry))
    except OSError:
        found = None
    return {
        "name": entry.name,
        "sha256": found,
        "status": "works" if found == entry.sha256 else "broken",
    }


def _options(form: Format, known: Sequence[Runtime]) -> list[Mapping[str, Any]]:
    """Return the options of each export that a format's runtimes want."""
    wanted = {json.dumps(dict(one.made_with)) for one in known if one.format == form.name}
    return [json.loads(text) for text in sorted(wanted)] or [{}]


def _exported(
    form: Format, options: Mapping[str, Any], model: Row, folder: Path, progress: Progress
) -> Row:
    """Export the embedded model; the row's ``path`` is the file, None where there is none."""
    row: Row = {"format": form.name, "options": dict(options), "seconds": None, "path": None}
    flags = "".join(f" {flag_of(name)} {value}" for name, value in options.items())
    progress(f"export {form.name}{flags}")
    if model["status"] != "works":
        return {**row, "status": "not tried", "reason": "the embedded model is broken", "fix": None}
    # In a folder of its own: some formats share the names of files beside theirs.
    output = folder / "-".join([form.name, *map(str, options.values())]) / f"m{form.suffix}"
    output.parent.mkdir()
    job = {"format": form.name, "options": dict(options), "size": SIZE, "output": str(output)}
    answer = tried("lama_edge.doctor.tries:export", job, EXPORT_SECONDS)
    row |= status_of(answer)
    if row["status"] == "works":
        row |= {"seconds": round(answer["seconds"], 1), "path": output}
    if row["status"] == "not installed" and f'"{PACKAGE}[' in (row["fix"] or f'"{PACKAGE}['):
        # What was missed first may not be all.
        row["fix"] = f'pip install "{PACKAGE}[{form.extra}]"'
    return row


def _subject(runtime: Runtime, model: Row, exports: Sequence[Row]) -> Row:
    """Return the row of what a runtime can be tried on: its ``path``, or why there is none."""
    if runtime.format == CHECKPOINT:
        path = required_path(zoo_entry(EMBEDDED_NAME)) if model["status"] == "works" else None
        return {"path": path, "reason": "the embedded model is broken", "fix": None}
    made: Row = {"path": None, "reason": f"nothing exports {runtime.format}", "fix": None}
    for row in exports:
        if (row["format"], row["options"]) == (runtime.format, dict(runtime.made_with)):
            made = row
    if made["path"] is None and ".onnx" in runtime.suffixes:
        made = {**made, "path": next(Path(lama_edge.__file__).parent.glob(_READY_MADE), None)}
    return made


def _tried(runtime: Runtime, subject: Row, progress: Progress) -> Iterator[Row]:
    """Try a runtime with each of its providers."""
    missing: Row | None = None  # the answer of all providers, where the package is not here
    for provider in runtime.providers:
        row: Row = {"runtime": runtime.name, "title": runtime.title, "provider": provider}
        row |= dict.fromkeys(("version", "max_abs_diff", "run_ms", "reason", "fix"))
        need = runtime.needs.get(provider, Need())
        if runtime.opener:
            progress(f"{runtime.title} {provider}")
        if not runtime.opener:
            how = "it runs in pages: lama-edge bench MODEL.onnx --target browser"
            row |= {"status": "not tried", "reason": how}
        elif need.systems is not None and platform.system() not in need.systems:
            reason = f"only on {' and '.join(need.systems)}"
            row |= {"status": "other system", "reason": reason.replace("Darwin", "macOS")}
        else:
            path = subject["path"]
            job = {"runtime": runtime.name, "provider": provider, "model": path and str(path)}
            answer = missing or tried("lama_edge.doctor.tries:run", job)
            row |= _judged(runtime, need, subject, answer)
            missing = answer if answer["outcome"] == "missing" else None
        yield row


def _judged(runtime: Runtime, need: Need, subject: Row, answer: Row) -> Row:
    """Return what a row says of an answer."""
    row = status_of(answer)
    if need.device == AN_NVIDIA_GPU and answer.get("nvidia") is False:
        return {**row, **_without_device(runtime, need)}
    if answer["outcome"] == "imported":
        return {"status": "not tried", "reason": subject["reason"], "fix": subject["fix"]}
    if answer["outcome"] == "missing":
        return {**row, "fix": row["fix"] or subject["fix"]}
    if answer["outcome"] == "absent":
        return {**row, **_absent(runtime, need)}
    if answer["outcome"] == "broken":
        shadow, command = reinstalling(runtime.modules[0]) if runtime.modules else (None, None)
        reason = f"{row['reason']}; {shadow}" if shadow else row["reason"]
        return {**row, "reason": reason, "fix": row["fix"] or command}
    if answer["outcome"] == "works":
        row |= {
            "version": answer["version"],
            "max_abs_diff": answer["max_abs_diff"],
            "run_ms": round(answer["run_ms"], 1),
        }
    return row


def _without_device(runtime: Runtime, need: Need) -> Row:
    package = f", and the package {need.package}" if _replacing(runtime, need) else ""
    return {"status": "no device", "reason": f"needs {need.device}{package}", "fix": None}


def _absent(runtime: Runtime, need: Need) -> Row:
    """Say why a provider is not here: for want of a package with it, or of a device."""
    command = _replacing(runtime, need)
    if need.device is not None and need.device != AN_NVIDIA_GPU:
        return _without_device(runtime, need)
    if command is not None:
        reason = f"{need.package} has it, in the place of {owner_of(runtime.modules[0])}"
        return {"status": "other build", "reason": reason, "fix": command}
    # Where its package is here, and its device too, it should have started.
    return {"status": "broken" if need.package is not None else "other build"}


def _replacing(runtime: Runtime, need: Need) -> str | None:
    """Return the command that puts a provider's package in the place of the one that is here."""
    owner = owner_of(runtime.modules[0]) if runtime.modules else None
    if need.package is None or owner in (None, need.package):
        return None
    return f"pip uninstall {owner} && pip install {need.package}"


def _extra_row(extra: Extra) -> Row:
    outside = [
        {"package": one.name, "version": extra.installed[one.name], "wanted": one.wanted}
        for one in extra.outside
    ]
    return {
        "extra": extra.name or None,
        "complete": not extra.missing,
        "missing": list(extra.missing),
        "outside": outside,
        "fix": extra.command if extra.missing or outside else None,
    }


def _problems(document: Mapping[str, Any], extras: Sequence[Extra]) -> Iterator[Row]:
    """Give what is installed and does not work, each with what to do about it."""
    if document["model"]["status"] != "works":
        yield {
            "status": "broken",
            "what": f"the embedded {EMBEDDED_NAME}",
            "reason": f"it is not the published one: sha256 {document['model']['sha256']}",
            "fix": f"pip install --force-reinstall --no-deps {PACKAGE}=={lama_edge.__version__}",
        }
    mends: dict[str, str] = {}
    # Packages of an extra that is not complete may be somebody else's.
    for extra in (one for one in extras if not one.missing):
        for one in extra.outside:
            if one.name not in mends:
                mends[one.name] = extra.command
                asks = f"{PACKAGE}[{extra.name}]" if extra.name else PACKAGE
                yield {
                    "status": "broken",
                    "what": f"{one.name} {extra.installed[one.name]}",
                    "reason": f"{asks} asks for {one.name}{one.wanted}",
                    "fix": extra.command,
                }
    for row in (*document["exports"], *document["runtimes"], *document["tools"]):
        if row["status"] in _CODES:
            # What is of the wrong version is not to be installed in it again.
            again = [mends[name] for name in mends if f" {name}==" in (row["fix"] or "")]
            yield {
                "status": row["status"],
                "what": _name(row),
                "reason": row["reason"],
                "fix": (again or [row["fix"] or _REPORT])[0],
            }


def _name(row: Row) -> str:
    if "runtime" in row:
        return f"{row['title']} {row['provider']}"
    return f"export {row['format']}" if "format" in row else str(row["tool"])
