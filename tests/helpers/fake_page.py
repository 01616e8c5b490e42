"""A page without a browser: it speaks the bench page's protocol over a real socket.

What it answers is computed by ONNX Runtime in Python, by the same tasks as everywhere; tests spoil
it on the way.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.browser import target as module
from lama_edge.benchmarks.targets.tasks.answer import answer
from lama_edge.errors import LamaEdgeError, one_line
from lama_edge.web import parts, server

# `Page`, the message with the request, and the frames that came with it.
Behaviour = Callable[["Page", dict[str, Any], list[bytes]], Awaitable[None]]

BROWSER = {"name": "Chromium", "version": "156.0", "isolated": True}
GPU = {"vendor": "none", "architecture": "abacus", "description": "", "shader_f16": False}
ENVIRONMENT = {
    "device": "Pocket 9", "chip": "unknown", "cores": 2, "memory_bytes": None,
    "os": "Pocket OS 4", "machine": "arm64", "browser": BROWSER, "gpu": GPU,
}  # fmt: skip
_KINDS = {2: "model", 3: "missing"}


class Page:
    """A page while it is open, in a thread of its own.

    Attributes:
        plan: what the server said first, plan or why not.
        asked: the messages with requests, in their order.
        said: all other messages, in their order.
        closed: the code that the server closed the socket with, once it has.
    """

    def __init__(
        self,
        address: str,
        *,
        behaviour: Behaviour | None = None,
        presses_start: bool = True,
        environment: dict[str, Any] = ENVIRONMENT,
        hello: dict[str, Any] | None = None,
        origin: str | None = None,
        pongs: bool = True,
    ) -> None:
        """Open the page that an address leads to."""
        self.address, self.behaviour = address, behaviour or honest
        self.presses_start, self.environment = presses_start, environment
        self.pongs = pongs
        parts = urlsplit(address)
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.token = parts.fragment.partition("=")[2]
        about = {"version": "9.8.7", "sha256": "a" * 64}
        self.hello = hello or {"hello": 1, "token": self.token, "page": about}
        self.origin = origin or self.base
        self.plan: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.refused: int | None = None
        self.socket: aiohttp.ClientWebSocketResponse
        self.session: aiohttp.ClientSession
        self.greeted = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)
        self.thread.start()

    def wait(self) -> Page:
        """Wait until it is closed."""
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        await self.socket.send_str(json.dumps(message))

    async def fetch(self, url: str, token: str | None = None) -> bytes | int:
        """Return what the server gives under a URL, or its status."""
        given = {"Authorization": f"Bearer {self.token if token is None else token}"}
        async with self.session.get(self.base + url, headers=given) as response:
            return await response.read() if response.status == 200 else response.status

    async def _live(self) -> None:
        async with aiohttp.ClientSession() as self.session:
            try:
                self.socket = await self.session.ws_connect(
                    f"{self.base}/bench/socket",
                    headers={"Origin": self.origin},
                    max_msg_size=0,
                    autoping=self.pongs,
                )
            except aiohttp.WSServerHandshakeError as error:
                self.refused = error.status
                self.greeted.set()
                return
            await self.send(self.hello)
            try:
                await self._talk()
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                self.closed = self.socket.close_code
                self.greeted.set()

    async def _talk(self) -> None:
        async for frame in self.socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message = json.loads(frame.data)
            if not self.plan:
                self.plan = message
                self.greeted.set()
                if self.presses_start and "plan" in message:
                    await self.send({"started": True})
            elif "request" not in message:
                self.said.append(message)
            else:
                self.asked.append(message)
                pictures = message["request"].get("pictures", ())
                frames = [await self.socket.receive_bytes() for _ in range(2 * len(pictures))]
                await self.behaviour(self, message, frames)


async def honest(page: Page, message: dict[str, Any], frames: list[bytes]) -> None:
    """Answer as a page of ours does."""
    await give(page, message, *await computed(page, message, frames))


async def give(
    page: Page, message: dict[str, Any], document: dict[str, Any], outputs: list[bytes]
) -> None:
    """Send steps, an answer or an error, and outputs."""
    for step in document.pop("steps", ()):
        await page.send({"id": message["id"], "step": step})
    await page.send({"id": message["id"], **document})
    for output in outputs:
        await page.socket.send_bytes(output)


async def computed(
    page: Page, message: dict[str, Any], frames: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """Do what is asked, by Python's own tasks; returns what is to be sent, and the outputs."""
    request = message["request"]
    if request["task"] == "machine":
        sensors = dict.fromkeys(
            ("clock_mhz", "temperature_c", "throttled", "power_w", "power_mode", "governor",
             "clocks_pinned", "battery")
        )  # fmt: skip
        result = {"environment": page.environment, "sensors": sensors}
        head = {"kind": "lama_edge.worker", "schema_version": 1, "tool": "lama-edge-web 9.8.7"}
        return {"answer": {**head, "task": "machine", "model": None, "result": result}}, []
    data = await page.fetch(request["model"]["url"]) if "model" in request else b""
    if isinstance(data, int):
        return {"error": f"the model was not given ({data})", "kind": "model"}, []
    return await asyncio.to_thread(_worked, request, data, frames)


def _worked(
    request: dict[str, Any], model: bytes, frames: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "request.json"
        plain = dict(request)
        if model:
            (folder / "model.onnx").write_bytes(model)
            plain["model"] = str(folder / "model.onnx")
            plain["providers"] = [{"name": "cpu", "options": {}}]
        jobs = []
        for number, sides in enumerate(request.get("pictures", ())):
            job = {key: str(folder / f"{number}.{key}") for key in ("image", "mask", "output")}
            Path(job["image"]).write_bytes(frames[2 * number])
            Path(job["mask"]).write_bytes(frames[2 * number + 1])
            jobs.append({**sides, **job})
        file.write_text(json.dumps({**plain, **({"pictures": jobs} if jobs else {})}))
        steps: list[str] = []
        try:
            found = answer(file, steps.append)
        except LamaEdgeError as error:
            return {"error": one_line(error), "kind": _KINDS.get(error.exit_code, "crash")}, []
        found["tool"] = "lama-edge-web 9.8.7"
        if found["model"] is not None:
            provider = "wasm" if request["provider"] == "auto" else request["provider"]
            found["model"] |= {"runtime": "onnxruntime-web", "version": "1.30.0"}
            found["model"]["provider"] = provider
        gives = request["task"] in ("measure", "run")
        outputs = [Path(job["output"]).read_bytes() for job in jobs if gives]
        return {"answer": found, "steps": steps}, outputs


@contextmanager
def site(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put an empty page where the compiled one lies, and yield a folder as ONNX Runtime Web's."""
    (folder / "pages/bench").mkdir(parents=True)
    (folder / "pages/bench/index.html").write_text("<title>bench</title>")
    ort = folder / "ort"
    ort.mkdir()
    for name in parts.ORT_FILES:
        (ort / name).write_text("/* ONNX Runtime Web v1.30.0 */")
    patch.setattr(server, "compiled_pages", lambda: folder / "pages")
    yield ort


class Visitors:
    """Opens pages as soon as the target says where; the first of `behaviours` for the first page.

    Attributes:
        pages: those that were opened.
        options: what the target is opened with.
        address: where the page is, once it was said.
    """

    def __init__(self, ort: Path, patch: pytest.MonkeyPatch) -> None:
        self.pages: list[Page] = []
        self.options = TargetOptions(ort_web=ort)
        self.behaviours: list[Behaviour] = [honest]
        self.how: dict[str, Any] = {}
        self.address = ""
        patch.setattr(module, "invite", self._invited)

    def _invited(self, address: str, fingerprint: str | None) -> None:
        self.address = address
        for behaviour in self.behaviours:
            self.open(behaviour=behaviour)

    def open(self, **how: Any) -> Page:
        """Open a page."""
        self.pages.append(Page(self.address, **{**self.how, **how}))
        return self.pages[-1]
