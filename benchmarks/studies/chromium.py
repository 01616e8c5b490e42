"""Headless Chromium for studies: a page is opened in it, started, and left alone meanwhile."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lama_edge.errors import MissingBackendError, needs_extra
from lama_edge.process import CrashError

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing is asked of the network but what pages ask for. `--no-sandbox`: containers have none.
FLAGS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_START_S = 60.0
_LOOK_S = 0.05
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


def find_browser() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class HeadlessChromium:
    """A Chromium of its own profile; a context manager.

    Its debugger is asked to open a page and to press start, and lets go of it then: what it is
    told of a page takes time and memory.
    """

    def __init__(self, executable: str | None = None) -> None:
        """Take a browser; None finds one on the PATH.

        Raises:
            MissingBackendError: when there is none, or nothing to press its page's start with.
        """
        with needs_extra("dev"):
            import playwright.sync_api
        self._playwright = playwright.sync_api
        path = find_browser() if executable is None else shutil.which(executable)
        if path is None:
            raise MissingBackendError(
                f"there is no Chromium {executable!r}: name its program"
                if executable is not None
                else f"there is no Chromium on the PATH ({', '.join(NAMES)}): apt install "
                "chromium, or name its program with --chromium"
            )
        self._path = path
        self._ending = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes]
        self._port = 0

    def __enter__(self) -> HeadlessChromium:
        """Start it.

        Raises:
            CrashError: when it does not start.
        """
        with contextlib.ExitStack() as ending:
            profile = Path(ending.enter_context(_profile()))
            self._process = subprocess.Popen(
                [self._path, "--headless=new", *FLAGS, f"--user-data-dir={profile}",
                 "--remote-debugging-port=0", "about:blank"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            ending.callback(self._end)
            self._port = self._told_port(profile / "DevToolsActivePort")
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def visit(self, address: str, fingerprint: str | None = None) -> None:
        """Open a page and press its start; a `TargetOptions.invite`.

        Raises:
            CrashError: when there is no start to press.
        """
        with self._playwright.sync_playwright() as driver:
            browser = driver.chromium.connect_over_cdp(f"http://127.0.0.1:{self._port}")
            (page,) = browser.contexts[0].pages
            try:
                page.goto(address)
                page.get_by_role("button", name=re.compile("^Start")).click()
            except self._playwright.Error as error:
                raise CrashError(f"Chromium could not start the page: {error.message}") from error

    def renderer_peak_bytes(self) -> int:
        """Return the most that the process of a page had resident, of those the largest.

        Raises:
            CrashError: when there is none.
        """
        peaks = [
            int(match.group(1)) * 1024
            for status in self._renderers()
            if (match := _PEAK.search(status)) is not None
        ]
        if not peaks:
            raise CrashError("Chromium has no page any more, or this is no Linux")
        return max(peaks)

    def _renderers(self) -> Iterator[str]:
        """Give what the system says of each process of a page."""
        with needs_extra("web"):
            import psutil
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                if any(word.startswith("--type=renderer") for word in process.cmdline()):
                    yield Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")

    def _told_port(self, file: Path) -> int:
        end = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, IndexError):
                return int(file.read_text(encoding="utf-8").splitlines()[0])
            time.sleep(_LOOK_S)
        raise CrashError(f"{self._path} did not start: try it in a terminal")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _profile() -> tempfile.TemporaryDirectory[str]:
    # Its processes may write a last time while it is removed.
    return tempfile.TemporaryDirectory(prefix="lama-edge-chromium-", ignore_cleanup_errors=True)
