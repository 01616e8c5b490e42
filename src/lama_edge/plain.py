"""Plain data out of a stranger's file: JSON within bounds, and its fields one by one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from lama_edge.errors import shown

# Of whole numbers anywhere: sizes of files in bytes are the largest that are written.
_MAX_BITS = 64


def loads(text: str | bytes) -> Any:
    """Read JSON whose numbers are finite and of 64 bits at most, and whose texts can be written.

    Raises:
        ValueError: when it is no JSON, or a value is out of these bounds, saying where.
        RecursionError: when it is nested too deeply.
    """
    value = json.loads(text)
    check(value)
    return value


def check(value: Any, place: tuple[str | int, ...] = ()) -> None:
    """Refuse plain data that is out of the bounds of `loads`.

    Raises:
        ValueError: saying what is at which place.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"holds {value} at {spell(place)}: all numbers must be finite")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueError(f"holds {shown(value)} at {spell(place)}: nothing is that large")
    if isinstance(value, str) and not _is_text(value):
        raise ValueError(f"holds {shown(value)} at {spell(place)}, which is no text")
    if isinstance(value, dict):
        for name, item in value.items():
            check(str(name), place)
            check(item, (*place, str(name)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check(item, (*place, index))


def spell(place: Iterable[str | int]) -> str:
    """Spell a place in plain data, such as ``runs[2].size``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).lstrip(".") or "its top level"


def integer(name: str, value: Any, low: int, high: int) -> int:
    """Return a whole number that is within bounds.

    Raises:
        ValueError: when it is none, or out of them.
    """
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {shown(value)}; expected {low} to {high}")
    return value


def number(name: str, value: Any, low: float, high: float) -> float:
    """Return a number that is within bounds.

    Raises:
        ValueError: when it is none, or out of them.
    """
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{name} is {shown(value)}; expected {low:g} to {high:g}")
    return float(value)


def _is_text(text: str) -> bool:
    """Tell texts from what JSON can spell and no file name or page holds.

    That is half a surrogate pair, and a character 0.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
