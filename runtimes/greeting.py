"""What a runtime's library says on standard error when it opens the process's first model."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

_STDERR = 2


class Greeting:
    """Remarks on the processor and the like, said once, whatever is asked of the library."""

    def __init__(self) -> None:
        self._is_over = False

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Turn standard error away during the first such block; what goes wrong is raised."""
        with ExitStack() as stack:
            if not self._is_over:
                self._is_over = True
                with suppress(AttributeError, OSError):  # a process may have none
                    kept = os.dup(_STDERR)
                    stack.callback(os.close, kept)
                    nowhere = os.open(os.devnull, os.O_WRONLY)
                    stack.callback(os.close, nowhere)
                    sys.stderr.flush()
                    os.dup2(nowhere, _STDERR)
                    stack.callback(os.dup2, kept, _STDERR)
            yield
