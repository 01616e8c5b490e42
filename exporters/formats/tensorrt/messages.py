"""What TensorRT says while it works, kept for the error that may come of it."""

from __future__ import annotations

import logging
import re
from typing import Any

from lama_edge.engines import Library
from lama_edge.errors import LamaEdgeError, MissingBackendError, ModelError, one_line, parameter

_log = logging.getLogger(__name__)
_PREFIX = re.compile(r"^(?:[\w:]+: )?Error Code \d+: ")
_NO_DRIVER = "cudaError 35"
_OUT_OF_MEMORY = ("OutOfMemory", "out of memory", "cudaErrorMemoryAllocation")
_MAX_SHOWN_CHARACTERS = 300


class Messages:
    """The library's messages since this was made; its warnings go to the log.

    Attributes:
        library: whose they are.
        errors: the errors so far, the oldest first.
        logger: what the library's functions are given as their logger.
    """

    def __init__(self, library: Library) -> None:
        """Start to keep a library's errors."""
        self.library = library
        self.errors: list[str] = []
        self.logger = _logger(library, self.errors)

    def failure(self, what: str) -> LamaEdgeError:
        """Return the error that the library's own messages explain.

        Args:
            what: what could not be done, to follow the library's name.
        """
        title = self.library.title
        # Without a driver it also says so after errors that have nothing to do with it.
        if self.errors and _NO_DRIVER in self.errors[0]:
            return MissingBackendError(
                f"{title} {what}: there is no NVIDIA driver here, or it is too old for the "
                "library's CUDA version; work on a machine that has one"
            )
        if any(sign in error for sign in _OUT_OF_MEMORY for error in self.errors):
            return ModelError(
                f"{title} {what}: the GPU's memory is used up; give a smaller "
                f"{parameter('size')} or {parameter('workspace')}, or close what else uses the GPU"
            )
        first = reason_in(self.errors[0]) if self.errors else "it gave no reason"
        return ModelError(f"{title} {what}: {first[:_MAX_SHOWN_CHARACTERS]}")


def _logger(library: Library, errors: list[str]) -> Any:
    severities = library.module.ILogger

    def log(self: Any, severity: Any, text: str) -> None:
        if severity in (severities.INTERNAL_ERROR, severities.ERROR):
            errors.append(text)
            _log.debug("%s", one_line(text))
        elif severity == severities.WARNING:
            _log.info("%s: %s", library.title, one_line(text))

    # The base class is only known once the library is there.
    return type("MessageLogger", (library.module.ILogger,), {"log": log})()


def reason_in(message: str) -> str:
    """Return what an error message says after the function and the number it begins with."""
    return _PREFIX.sub("", one_line(message))
