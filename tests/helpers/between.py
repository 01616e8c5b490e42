"""What happens around a runner's calls of its runtime: failures, and what other threads do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import pytest

from lama_edge.errors import ModelError
from lama_edge.runtimes.base import Array, Runner

# Where runners keep what they call; an ExecuTorch method is before the program that owns it.
HANDLES = (
    *("_session", "_parts", "_interpreter", "_request", "_method", "_net", "_generator"),
    *("_program", "_model", "_execution"),
)
# Longer than a run of a small net, or closing, takes that waits for nobody.
WAITING_S = 0.3


class Between:
    """Stands in an object's place, and lets something happen before each call of it."""

    def __init__(self, whole: Any, happens: Callable[[], None]) -> None:
        self._whole, self._happens = whole, happens

    def __getattr__(self, name: str) -> Between:
        return Between(getattr(self._whole, name), self._happens)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._happens()
        return self._whole(*arguments, **named)


def put_between(runner: Runner, happens: Callable[[], None]) -> None:
    """Let something happen whenever a runner calls its runtime."""
    handle = next(name for name in HANDLES if hasattr(runner, name))
    setattr(runner, handle, Between(getattr(runner, handle), happens))


def require_undisturbed(runner: Runner, given: tuple[Array, Array], *, in_turn: bool) -> None:
    """Require of a run what `Runner` promises while another thread runs and a third one closes.

    Args:
        runner: an open one, which is closed.
        given: what it runs.
        in_turn: whether the others have to wait.
    """
    wanted = runner.run(*given)
    callers: list[int] = []
    others: list[Future[Any]] = []
    met: list[bool] = []

    def happens() -> None:
        callers.append(threading.get_ident())
        if len(callers) == 1:
            others.extend([pool.submit(runner.run, *given), pool.submit(runner.close)])
            ended, _ = wait(others, WAITING_S)
            met.append(bool(ended) or set(callers) != {threading.get_ident()})
        elif in_turn and not met:
            # Before it does harm, such as to free what the run works in.
            raise AssertionError("it came in while another one was")

    put_between(runner, happens)
    with ThreadPoolExecutor(2) as pool:
        found = runner.run(*given)
    np.testing.assert_array_equal(found, wanted)
    if in_turn:
        assert met == [False]
    running, closing = (one.exception() for one in others)
    assert running is None or str(running) == "the model is closed"
    assert closing is None
    with pytest.raises(ModelError, match="the model is closed"):
        runner.run(*given)
