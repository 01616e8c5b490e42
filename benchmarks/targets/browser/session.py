"""What is said to a page over its socket: one page at a time, one question at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

from lama_edge.benchmarks.targets.answers import MOST_SAID
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    PictureError,
    UsageError,
    needs_extra,
    one_line,
    shown,
)
from lama_edge.process import CrashError
from lama_edge.spec import Progress

with needs_extra("web"):
    from aiohttp import WSCloseCode, WSMsgType
    from aiohttp.web import WebSocketResponse

CLOSED = "the page was closed"
STOPPED = "the measurement was stopped on the page"
# For a page to come back after it was closed; a person may have to unlock a phone.
RETURN_S = 60.0
# A page that is loaded anew says hello before the end of its old socket is noticed.
_RELOAD_S = 1.0
_LOOK_S = 0.5
_HASH = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[\w.+-]{1,40}")
# By the kind that a page gives; any other is a crash.
_ERRORS: Mapping[str, type[LamaEdgeError]] = {
    "model": ModelError,
    "missing": MissingBackendError,
    "picture": PictureError,
    "usage": UsageError,
}


class _BrokenError(Exception):
    """What a page of ours does not say."""


@dataclass
class _Page:
    """A page that is connected."""

    socket: WebSocketResponse
    loop: asyncio.AbstractEventLoop
    version: str
    sha256: str | None
    started: bool = False


@dataclass
class _Question:
    """What the page is asked, and what came of it: `answer` or `error` once it is `done`."""

    number: int
    outputs: Sequence[int]
    step: Progress
    answer: dict[str, Any] | None = None
    received: list[bytearray] = field(default_factory=list)
    error: LamaEdgeError | None = None

    @property
    def done(self) -> bool:
        """Whether it was answered in full, or never will be."""
        return self.error is not None or (
            self.answer is not None and [len(one) for one in self.received] == [*self.outputs]
        )


class PageSession:
    """Asks a page, from the command's thread; `serve` hears it, in the server's event loop.

    A number is asked once, and nothing but its answer is taken while it is open: whatever a page
    of ours does not say closes the socket, and the question fails. So does a page that is closed
    or falls silent; the next question waits for one to come back.
    """

    def __init__(self) -> None:
        """Expect nobody yet."""
        self._changed = threading.Condition()
        self._page: _Page | None = None
        self._plan: dict[str, Any] = {"rows": [], "rounds": 0}
        self._question: _Question | None = None
        self._asked = 0
        self._over: LamaEdgeError | None = None
        self._last: _Page | None = None

    @property
    def version(self) -> str | None:
        """The version of the page that is there, or was last."""
        return None if self._last is None else self._last.version

    @property
    def sha256(self) -> str | None:
        """The hash of its script, as it tells."""
        return None if self._last is None else self._last.sha256

    def plan(self, rows: Sequence[str], rounds: int) -> None:
        """Say what pages are to show before anything runs."""
        with self._changed:
            self._plan = {"rows": [*rows], "rounds": rounds}

    def wait(self, seconds: float | None, told: Callable[[str], None]) -> None:
        """Wait until a page is there and somebody has pressed its start.

        Args:
            seconds: for how long; None is for ever.
            told: called as a page comes, and as it goes again.

        Raises:
            CrashError: when none came in time; then none is waited for any more.
            LamaEdgeError: when it was stopped.
        """
        begun, there = time.monotonic(), self._page is not None
        with self._changed:
            while self._page is None or not self._page.started:
                if self._over is not None:
                    raise self._over
                if seconds is not None and time.monotonic() - begun > seconds:
                    self._over = CrashError(f"no page came back within {seconds:g} s")
                    raise self._over
                self._changed.wait(_LOOK_S)
                if there != (self._page is not None):
                    there = not there
                    told("a page is open: press start on it" if there else CLOSED)

    def ask(
        self,
        request: Mapping[str, Any],
        frames: Sequence[bytes] = (),
        outputs: Sequence[int] = (),
        *,
        about: Mapping[str, Any],
        timeout_s: float | None,
        step: Progress,
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Ask the page that is there, and wait for its answer.

        Args:
            request: see ``docs/reference/worker.md``.
            frames: of each picture the image and the mask.
            outputs: how many bytes each output has that is to come behind the answer.
            about: what else the page shows of it.
            timeout_s: how long it may take, in seconds; None is for ever.
            step: called with each step, in the server's thread.

        Returns:
            The answer's document as it came, and the outputs.

        Raises:
            LamaEdgeError: what the page refused, that it was closed or stopped, or ran out of time.
        """
        with self._changed:
            if self._over is not None:
                raise self._over
            page = self._page
            if page is None:
                raise CrashError(CLOSED)
            self._asked += 1
            question = self._question = _Question(self._asked, outputs, step)
        try:
            message = {"id": question.number, **about, "request": request}
            self._send(page, message, frames)
            end = None if timeout_s is None else time.monotonic() + timeout_s
            with self._changed:
                while not question.done:
                    if end is not None and time.monotonic() > end:
                        question.error = CrashError(f"it took longer than {timeout_s:g} s")
                        # What it computes would be other load to the next question: a page whose
                        # socket is closed ends it, and comes back. The next waits for that.
                        if self._page is page:
                            self._page = None
                        self._close(page, WSCloseCode.TRY_AGAIN_LATER)
                        break
                    self._changed.wait(_LOOK_S)
        finally:
            with self._changed:
                self._question = None
        if question.error is not None:
            raise question.error
        assert question.answer is not None
        return question.answer, question.received

    def end(self, message: Mapping[str, Any]) -> None:
        """Say a last thing to the page that is there, and take no other."""
        with self._changed:
            page, self._page = self._page, None
            self._over = self._over or CrashError("the measurement is over")
        if page is not None:
            self._send(page, message)
            wait([self._close(page, WSCloseCode.OK)], _RELOAD_S)

    def _send(self, page: _Page, message: Mapping[str, Any], frames: Sequence[bytes] = ()) -> None:
        """Send a message and frames; a page that is gone is noticed where it is heard."""

        async def send() -> None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await page.socket.send_str(json.dumps(message))
                for frame in frames:
                    await page.socket.send_bytes(frame)

        asyncio.run_coroutine_threadsafe(send(), page.loop)

    def _close(self, page: _Page, code: int) -> Future[bool]:
        return asyncio.run_coroutine_threadsafe(page.socket.close(code=code), page.loop)

    async def serve(self, socket: WebSocketResponse, hello: Mapping[str, Any]) -> None:
        """Hear a page until it goes; its hello held the token."""
        page = await self._greeted(socket, hello)
        if page is None:
            return
        why = CLOSED
        try:
            async for message in socket:
                self._hear(page, message)
        except _BrokenError as error:
            why = f"the page is not of this release: {error}"
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=_reason(error))
        finally:
            self._leave(page, why)

    async def _greeted(self, socket: WebSocketResponse, hello: Mapping[str, Any]) -> _Page | None:
        about = hello.get("page")
        about = about if isinstance(about, dict) else {}
        version, sha256 = about.get("version"), about.get("sha256")
        if not (isinstance(version, str) and _VERSION.fullmatch(version)) or not (
            sha256 is None or (isinstance(sha256, str) and _HASH.fullmatch(sha256))
        ):
            await self._refuse(
                socket, {"refused": "the page is not of this release: load it again"}
            )
            return None
        if self._over is not None:
            await self._refuse(socket, {"ended": str(self._over)})
            return None
        page = _Page(socket, asyncio.get_running_loop(), version, sha256)
        end = time.monotonic() + _RELOAD_S
        while not self._take(page):
            if time.monotonic() > end:
                await self._refuse(socket, {"busy": "another page is measuring for this command"})
                return None
            await asyncio.sleep(_LOOK_S / 10)
        with contextlib.suppress(ConnectionError):
            await socket.send_str(json.dumps({"plan": self._plan}))
        return page

    def _take(self, page: _Page) -> bool:
        with self._changed:
            if self._page is not None:
                return False
            self._page = self._last = page
            self._changed.notify_all()
            return True

    async def _refuse(self, socket: WebSocketResponse, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.send_str(json.dumps(message))
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)

    def _leave(self, page: _Page, why: str) -> None:
        with self._changed:
            if self._page is page:
                self._page = None
                if self._question is not None and not self._question.done:
                    self._question.error = CrashError(why)
            self._changed.notify_all()

    def _hear(self, page: _Page, message: Any) -> None:
        with self._changed:
            question = self._question
            if message.type is WSMsgType.BINARY:
                self._take_output(question, message.data)
            elif message.type is WSMsgType.TEXT:
                self._take_text(page, question, _read(message.data))
            self._changed.notify_all()

    def _take_output(self, question: _Question | None, data: bytes) -> None:
        if question is None or question.answer is None or question.done:
            raise _BrokenError("it sent values that nobody asked for")
        if not question.received or len(question.received[-1]) == self._due(question):
            question.received.append(bytearray())
        output = question.received[-1]
        if not data or len(output) + len(data) > self._due(question):
            raise _BrokenError(
                f"an output has {len(output) + len(data)} bytes where {self._due(question)} were "
                "expected"
            )
        output += data

    @staticmethod
    def _due(question: _Question) -> int:
        return question.outputs[len(question.received) - 1]

    def _take_text(self, page: _Page, question: _Question | None, said: dict[str, Any]) -> None:
        match said:
            case {"started": True}:
                page.started = True
            case {"stopped": True}:
                self._over = UsageError(STOPPED)
                if question is not None and not question.done:
                    question.error = self._over
            case {"id": int(number)}:
                if question is None or number != question.number or question.answer is not None:
                    raise _BrokenError(f"it answered {shown(number)}, which is not asked")
                self._take_answer(question, said)
            case _:
                raise _BrokenError(f"it said {shown(sorted(said))}")

    def _take_answer(self, question: _Question, said: dict[str, Any]) -> None:
        match said:
            case {"step": str(step)}:
                question.step(step[:MOST_SAID])
            case {"answer": dict(answer)}:
                question.answer = answer
            case {"error": str(error), "kind": str(kind)}:
                why = one_line(error[:MOST_SAID]) or "no reason given"
                question.error = _ERRORS.get(kind, CrashError)(why)
            case _:
                raise _BrokenError(f"it said {shown(sorted(said))}")


def _reason(error: _BrokenError) -> bytes:
    """Return what a close frame can hold: UTF-8 that is cut in the middle of a letter is none."""
    return str(error).encode("ascii", "backslashreplace")[:120]


def _read(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _BrokenError("it sent no JSON") from error
    if not isinstance(said, dict):
        raise _BrokenError("it sent no object")
    return said
