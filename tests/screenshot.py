"""Opens a page in headless Chromium: a picture or a PDF of it, and how wide it really is.

    python tests/screenshot.py PAGE.html OUT.png --width 390 --scheme dark
    python tests/screenshot.py PAGE.html OUT.pdf

Chromium is driven over a pipe with its DevTools protocol, because its window cannot be as narrow
as a phone.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--remote-debugging-pipe",
)  # fmt: skip
# What a full page may be high; more would be one picture of thousands of megapixels.
_MAX_HEIGHT = 16_000


def find_browser() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


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
    scheme: str = "light"
    media: str = "screen"


class Browser:
    """A headless Chromium with one page; a context manager."""

    def __init__(self, executable: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The protocol wants descriptors 3 and 4; a shell puts them there.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", executable, *_FLAGS,
             f"--user-data-dir={self._profile.name}"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._last, self._session = b"", 0, ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Network.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._session = ""
            self._call("Browser.close")
        self._process.wait(timeout=30)
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, page: Path, view: View) -> list[str]:
        """Show a file; return the addresses of everything that it asked for beside itself."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=view.width, height=view.height, deviceScaleFactor=1, mobile=view.width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": view.scheme}]
        self._call("Emulation.setEmulatedMedia", media=view.media, features=features)
        address = page.resolve().as_uri()
        self._call("Page.navigate", url=address)
        requested = []
        for message in self._messages():
            if message.get("method") == "Network.requestWillBeSent":
                requested.append(message["params"]["request"]["url"])
            if message.get("method") == "Page.loadEventFired":
                break
        return [url for url in requested if url != address and not url.startswith("data:")]

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def picture(self, *, full: bool = True) -> bytes:
        """Return the page as PNG, all of it or what the viewport shows."""
        clip = {}
        if full:
            height = min(self.evaluate("document.documentElement.scrollHeight"), _MAX_HEIGHT)
            width = self.evaluate("innerWidth")
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=full, **clip)
        return base64.b64decode(shot["data"])

    def pdf(self) -> bytes:
        """Return the page as it prints on A4 paper."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        self._call("Emulation.setEmulatedMedia", media="", features=[])
        printed = self._call("Page.printToPDF", printBackground=True, **paper)
        return base64.b64decode(printed["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        for answer in self._messages():
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise EOFError(f"Chromium closed its pipe during {method}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            text, end, rest = self._buffer.partition(b"\0")
            if end:
                self._buffer = rest
                yield json.loads(text)
                continue
            chunk = os.read(self._read, 1 << 16)
            if not chunk:
                return
            self._buffer += chunk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path, help="a .png or a .pdf")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--media", choices=("screen", "print"), default="screen")
    parser.add_argument("--viewport", action="store_true", help="only what the viewport shows")
    options = parser.parse_args()
    executable = find_browser()
    if executable is None:
        parser.error(f"there is none of {', '.join(NAMES)} on the PATH")
    with Browser(executable) as browser:
        view = View(options.width, options.height, options.scheme, options.media)
        requested = browser.open(options.page, view)
        is_pdf = options.out.suffix == ".pdf"
        data = browser.pdf() if is_pdf else browser.picture(full=not options.viewport)
        width = browser.evaluate("document.documentElement.scrollWidth")
    options.out.write_bytes(data)
    print(json.dumps({"scroll_width": width, "viewport": options.width, "requested": requested}))


if __name__ == "__main__":
    main()
