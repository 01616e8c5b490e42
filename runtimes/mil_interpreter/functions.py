"""The functions of a package, as its description names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError, shown
from lama_edge.manifest import METADATA_KEY

_MAIN = "main"


def function_names(description: Any) -> tuple[str, ...]:
    """Return the names of a package's functions, the default one first.

    Args:
        description: coremltools' ``ModelDescription`` message.

    Raises:
        ModelError: when the default function is none of them.
    """
    named = [str(one.name) for one in description.functions]
    if not named:
        return (_MAIN,)
    default = str(description.defaultFunctionName) or named[0]
    if default not in named:
        raise ModelError(
            f"the package's default function is {shown(default)}, which is none of its own: "
            f"{', '.join(map(shown, named))}"
        )
    return (default, *(name for name in named if name != default))


def chosen_function(path: Path, functions: tuple[str, ...], function: str | None) -> str:
    """Return the function asked for; None is the default one.

    Raises:
        ModelError: when the package has no such function.
    """
    chosen = functions[0] if function is None else function
    if chosen not in functions:
        known = ", ".join(map(shown, functions))
        raise ModelError(f"{str(path)!r} has no function {shown(chosen)}; it has: {known}")
    return chosen


def manifest_text(description: Any, function: str) -> str | None:
    """Return a function's own manifest, or the package's where there is one for all."""
    entries = description.metadata.userDefined
    text: str | None = entries.get(f"{METADATA_KEY}.{function}", entries.get(METADATA_KEY))
    return text


def described(description: Any, function: str) -> Any:
    """Return the message that holds a function's inputs and outputs."""
    return next((one for one in description.functions if one.name == function), description)
