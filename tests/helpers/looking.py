"""Looks at pages in headless Chromium: what they ask for, how wide they are, pictures of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chromium import chromium

if TYPE_CHECKING:
    from playwright import sync_api

# What a full page may be high; more would be one picture of thousands of megapixels.
_MAX_HEIGHT = 16_000


@dataclass(frozen=True)
class View:
    """How a page is looked at.

    Attributes:
        width: of the viewport, in CSS pixels.
        height: of the viewport, in CSS pixels.
        scheme: ``light`` or ``dark``.
        media: ``screen`` or ``print``.
    """

    width: int = 1280
    height: int = 900
    scheme: Literal["light", "dark"] = "light"
    media: Literal["screen", "print"] = "screen"


class Looker:
    """A headless Chromium with one page at a time."""

    def __init__(self, browser: sync_api.Browser) -> None:
        self._browser = browser
        self._context: sync_api.BrowserContext | None = None

    def open(self, page: Path | str, view: View) -> list[str]:
        """Show a file or an address; return those of all that it asked for beside itself."""
        if self._context is not None:
            self._context.close()
        viewport: sync_api.ViewportSize = {"width": view.width, "height": view.height}
        self._context = self._browser.new_context(
            viewport=viewport, color_scheme=view.scheme, is_mobile=view.width < 600
        )
        self.page = self._context.new_page()
        self.page.emulate_media(media=view.media)
        address = page if isinstance(page, str) else page.resolve().as_uri()
        requested: list[str] = []
        self.page.on("request", lambda request: requested.append(request.url))
        self.page.goto(address)
        return [url for url in requested if url != address and not url.startswith("data:")]

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return self.page.evaluate(expression)

    def picture(self, *, full: bool = True) -> bytes:
        """Return the page as PNG, all of it or what the viewport shows."""
        if not full:
            return self.page.screenshot()
        height = min(self.evaluate("document.documentElement.scrollHeight"), _MAX_HEIGHT)
        clip: sync_api.FloatRect = {
            "x": 0, "y": 0, "width": self.evaluate("innerWidth"), "height": height
        }  # fmt: skip
        return self.page.screenshot(full_page=True, clip=clip)

    def pdf(self) -> bytes:
        """Return the page as it prints on A4 paper."""
        self.page.emulate_media(media="null", color_scheme="null")
        return self.page.pdf(format="A4", print_background=True, prefer_css_page_size=True)


@contextmanager
def looker() -> Iterator[Looker]:
    """Start a Chromium to look at pages in, or skip the test where there is none."""
    with chromium("--disable-gpu") as browser:
        yield Looker(browser)
