"""The real bench page in a real browser, beside a measurement that runs in another thread."""

from __future__ import annotations

import functools
import queue
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pytest
from chromium import ort_web

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.browser import target as module
from lama_edge.errors import MissingBackendError
from lama_edge.web.parts import compiled_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Result = TypeVar("Result")
_SOON_S = 30.0


def options() -> TargetOptions:
    """Return what the target is opened with, or skip the test where something is missing."""
    try:
        compiled_pages()
    except MissingBackendError as error:
        pytest.skip(str(error))
    return TargetOptions(ort_web=ort_web())


class BenchPage:
    """A measurement by a page.

    Attributes:
        page: the page that was opened, once it is.
        address: where it is.
        asked: the addresses of all that pages asked for.
        errors: what went wrong in pages' scripts.
        text: what the page showed in the end.
    """

    def __init__(self, browser: Browser, patch: pytest.MonkeyPatch) -> None:
        """Take the browser; the address of a page goes to the test instead of the terminal."""
        self.browser = browser
        self._addresses: queue.Queue[str] = queue.Queue()
        patch.setattr(module, "invite", lambda address, fingerprint: self._addresses.put(address))
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.address = self.text = ""
        self.page: Page

    def open(self, address: str | None = None) -> Page:
        """Open a page of its own session, as another device has it."""
        context = self.browser.new_context(viewport={"width": 390, "height": 844})
        page = context.new_page()
        page.set_default_timeout(_SOON_S * 1e3)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(address or self.address)
        return page

    def start(self) -> None:
        """Press the page's start."""
        self.page.get_by_role("button", name=re.compile("^Start")).click()

    def measure(
        self,
        work: Callable[[], Result],
        *,
        starts: bool = True,
        meanwhile: Callable[[], object] = lambda: None,
        seconds: float = 120,
    ) -> Result:
        """Open the page that a measurement waits for, press start, and wait for its end.

        Args:
            work: the measurement, which runs in another thread.
            starts: whether start is pressed.
            meanwhile: done then, in this thread, as all that is done with pages.
            seconds: for how long.
        """
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            try:
                self.address = self._addresses.get(timeout=_SOON_S)
                self.page = self.open()
                if starts:
                    self.start()
                meanwhile()
                return self._finished(future, seconds)
            finally:
                for context in self.browser.contexts:
                    context.close()

    def _finished(self, future: Future[Result], seconds: float) -> Result:
        """Let pages go on until it is done: nothing of theirs happens while this thread sleeps."""
        left = seconds
        while not future.done() and left > 0:
            open_ones = [page for context in self.browser.contexts for page in context.pages]
            open_ones[0].wait_for_timeout(100)
            left -= 0.1
        if future.done():
            self.text = self._end()
        return future.result(timeout=0)

    def _end(self) -> str:
        """Return what the page shows in the end."""
        if self.page.is_closed():
            return ""
        self.page.wait_for_timeout(200)
        return self.page.inner_text("body")

    @property
    def origins(self) -> set[str]:
        """Where pages asked for anything, beside the data that they hold themselves."""
        parts = [urlsplit(url) for url in self.asked if not url.startswith(("blob:", "data:"))]
        return {f"{one.scheme}://{one.netloc}" for one in parts}


def without_isolation(patch: pytest.MonkeyPatch) -> None:
    """Serve pages without what isolates them."""
    server: Any = functools.partial(module.PageServer, isolated=False)
    patch.setattr(module, "PageServer", server)
