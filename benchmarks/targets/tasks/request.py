"""Requests of the protocol in ``docs/reference/worker.md``, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import ModelError, UsageError, one_line, reason, shown
from lama_edge.files import join_part

VERSION = 1
_WITH_PICTURE = ("measure", "memory", "sustain")
TASKS = ("machine", "describe", *_WITH_PICTURE, "run", "sleep")
_MOST_SIDE, _MOST_THREADS = 32768, 4096


@dataclass(frozen=True)
class Job:
    """A picture of a request.

    Attributes:
        height: in pixels.
        width: in pixels.
        image: its file of raw values in the model's own form.
        mask: the same of its mask.
        output: the file that the model's output goes to.
    """

    height: int
    width: int
    image: Path
    mask: Path
    output: Path


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        task: one of `TASKS`.
        model: the model's path, with its part.
        provider: see `open_runner`.
        threads: see `open_runner`.
        ignore: see `open_runner`.
        pictures: one, for `run` one or more.
        policy: of `measure`.
        seconds: of `sustain`.
        sleeps_ms: of `sleep`, two or more.
        version: of the protocol.
    """

    task: str
    model: str = ""
    provider: str = "auto"
    threads: int | None = None
    ignore: tuple[str, ...] = ()
    pictures: tuple[Job, ...] = ()
    policy: Policy = field(default_factory=Policy)
    seconds: float = 0.0
    sleeps_ms: tuple[float, ...] = ()
    version: int = VERSION


def read_request(path: Path) -> Request:
    """Read a request's file.

    Raises:
        ModelError: when it is not there, or no request.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{str(path)!r} is no request: it is no UTF-8 text") from error
    try:
        return _request(json.loads(text))
    except UsageError as error:
        raise ModelError(f"{str(path)!r} is no request: {error}") from error
    except KeyError as error:
        raise ModelError(f"{str(path)!r} is no request: it has no {error.args[0]!r}") from error
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(f"{str(path)!r} is no request: {reason(error)}") from error


def _request(value: Any) -> Request:
    if not isinstance(value, dict):
        raise UsageError("it is no object")
    if value["schema_version"] != VERSION:
        raise UsageError(
            f"schema_version is {shown(value['schema_version'])}; this worker reads {VERSION}"
        )
    task = value["task"]
    if task not in TASKS:
        raise UsageError(f"unknown task {shown(task)}; known: {', '.join(TASKS)}")
    if task == "machine":
        return Request(task)
    if task == "sleep":
        sleeps = tuple(_number("sleeps_ms", each) for each in value["sleeps_ms"])
        if len(sleeps) < 2:
            raise UsageError("sleeps_ms has less than 2 sleeps")
        return Request(task, sleeps_ms=sleeps)
    pictures: tuple[Job, ...] = ()
    if task != "describe":
        pictures = tuple(_job(each) for each in value["pictures"])
        if not pictures or (task != "run" and len(pictures) != 1):
            raise UsageError(f"the task {task} takes one picture, and the task run one or more")
    return Request(
        task,
        join_part(_text("model", value["model"]), value.get("part")),
        _provider(value["providers"]),
        _whole("threads", value["threads"], 0, _MOST_THREADS) or None,
        tuple(_text("ignore", each) for each in value.get("ignore", ())),
        pictures,
        _policy(value["policy"]) if task == "measure" else Policy(),
        _number("seconds", value["seconds"]) if task == "sustain" else 0.0,
    )


def _policy(value: Mapping[str, Any]) -> Policy:
    return Policy(
        _whole("min_warmup_runs", value["min_warmup_runs"], 1, 1_000_000),
        _number("min_warmup_ms", value["min_warmup_ms"]),
        _whole("min_runs", value["min_runs"], 1, 1_000_000),
        _number("min_seconds", value["min_seconds"]),
    )


def _job(value: Mapping[str, Any]) -> Job:
    height, width = (_whole(name, value[name], 1, _MOST_SIDE) for name in ("height", "width"))
    image, mask, output = (Path(_text(name, value[name])) for name in ("image", "mask", "output"))
    return Job(height, width, image, mask, output)


def _provider(value: list[Mapping[str, Any]]) -> str:
    if len(value) > 1 or any(one["options"] for one in value):
        raise UsageError("in Python providers are one at most, and without options")
    return _text("provider", value[0]["name"]) if value else "auto"


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {shown(value)}; give a text")
    return value


def _whole(name: str, value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise UsageError(f"{name} is {shown(value)}; give {least} to {most}")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{name} is {shown(value)}; give a number")
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} is {one_line(value)}; give 0 or more")
    return float(value)
