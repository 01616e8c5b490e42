"""The bench page in Chromium, served as `bench` does and asked by tests: what it does and says."""

from __future__ import annotations

import json
import queue
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiohttp import web
from chromium import chromium, ort_web

from lama_edge.errors import MissingBackendError
from lama_edge.files import sha256_of
from lama_edge.spec import Size
from lama_edge.web.parts import compiled_pages, find_ort_web
from lama_edge.web.server import PageServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SIDE = 64
ROW = f"lama.onnx · wasm · {SIDE}x{SIDE}"
QUICK = {"min_warmup_runs": 1, "min_warmup_ms": 0, "min_runs": 2, "min_seconds": 0}
LONG = {**QUICK, "min_seconds": 600}
# Of an answer, in seconds; the machine may be busy.
PATIENCE_S = 60


class Asker:
    """Plays `bench`: says what a test says, and keeps what the page says."""

    def __init__(self) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()
        self.sockets: list[web.WebSocketResponse] = []
        self.server: PageServer | None = None
        self.asked = 0

    async def serve(self, page: web.WebSocketResponse, hello: Mapping[str, Any]) -> None:
        self.sockets.append(page)
        self.heard.put(dict(hello))
        async for message in page:
            self.heard.put(
                json.loads(message.data) if isinstance(message.data, str) else message.data
            )

    def hear(self, *keys: str) -> Any:
        """Return the next thing said that has one of these keys, or the next one at all."""
        while True:
            said = self.heard.get(timeout=PATIENCE_S)
            if not keys or (isinstance(said, dict) and said.keys() & set(keys)):
                return said

    def hear_sampling(self) -> None:
        while self.hear("step")["step"] != "sampling":
            pass

    def say(self, message: object, *frames: bytes) -> None:
        async def send() -> None:
            await self.sockets[-1].send_json(message)
            for frame in frames:
                await self.sockets[-1].send_bytes(frame)

        assert self.server is not None
        self.server.run(send(), PATIENCE_S)

    def close(self, code: int) -> None:
        assert self.server is not None
        self.server.run(self.sockets[-1].close(code=code), PATIENCE_S)

    def plan(self, *rows: str, rounds: int = 1) -> None:
        self.hear("hello")
        self.say({"plan": {"rows": rows or [ROW], "rounds": rounds}})

    def measure(
        self, model: Mapping[str, Any], policy: object = QUICK, *, round: int = 1, **more: object
    ) -> None:
        self.asked += 1
        rng = np.random.default_rng(0)
        image = rng.random((1, 3, SIDE, SIDE), np.float32)
        mask = np.zeros((1, 1, SIDE, SIDE), np.float32)
        mask[..., 16:48, 16:48] = 1
        request = {
            "schema_version": 1,
            "task": "measure",
            "model": dict(model),
            "provider": "wasm",
            "threads": 1,
            "policy": policy,
            "pictures": [{"height": SIDE, "width": SIDE}],
            **more,
        }
        message = {"id": self.asked, "row": ROW, "round": round, "request": request}
        self.say(message, image.tobytes(), mask.tobytes())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def model_file(exported: Callable[..., Path]) -> Path:
    return exported(None, Size(SIDE, SIDE))


@pytest.fixture
def asker() -> Asker:
    return Asker()


@pytest.fixture
def serve(asker: Asker) -> Iterator[Callable[..., PageServer]]:
    try:
        pages = compiled_pages()
    except MissingBackendError as error:
        pytest.skip(str(error))
    servers = []

    def start(**more: Any) -> PageServer:
        server = PageServer(
            "bench", find_ort_web(ort_web()), pages=pages, on_page=asker.serve, **more
        )
        servers.append(server)
        asker.server = server
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(serve: Callable[..., PageServer]) -> PageServer:
    return serve()


@pytest.fixture
def model(server: PageServer, model_file: Path) -> dict[str, Any]:
    return offered(server, model_file)


def offered(server: PageServer, path: Path) -> dict[str, Any]:
    hashed = sha256_of(path)
    url = server.add_file(path, hashed)
    return {"url": url, "sha256": hashed, "bytes": path.stat().st_size, "name": "lama.onnx"}


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    yield from opened(browser, server)


def opened(browser: Browser, server: PageServer, **more: Any) -> Iterator[Page]:
    """Open the page; whatever it asks of another server, or does against its rules, is told."""
    context = browser.new_context(**more)
    page = context.new_page()
    strange: list[str] = []
    origin = re.sub("/bench/.*", "/", server.address)
    own = (origin, "blob:" + origin, "data:")
    page.on("request", lambda one: strange.append(one.url))
    page.on("console", lambda one: strange.append(one.text if one.type == "error" else "data:"))
    page.on("pageerror", lambda one: strange.append(str(one)))
    page.goto(server.address)
    yield page
    context.close()
    # A model that is gone is told by the console too.
    assert [one for one in strange if not one.startswith(own) and "status of 410" not in one] == []


def start(page: Page) -> None:
    page.get_by_role("button", name="Start").click()


def sees(page: Page, text: str) -> None:
    page.get_by_text(text).first.wait_for(timeout=1000 * PATIENCE_S)


def until(page: Page, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        page.wait_for_timeout(50)


def test_nothing_runs_before_start_is_pressed(asker: Asker, page: Page) -> None:
    asker.plan("one.onnx · wasm · 64x64", "two.onnx · webgpu · 64x64", rounds=3)
    sees(page, "2 measurements in 3 rounds")
    sees(page, "two.onnx")
    assert asker.heard.empty()
    start(page)
    assert asker.hear() == {"started": True}


def test_hello_says_which_script_speaks(asker: Asker, page: Page) -> None:
    hello = asker.hear("hello")
    (script,) = (compiled_pages() / "bench/assets").glob("index-*.js")
    assert hello["page"]["sha256"] == sha256_of(script)


def test_a_measurement_is_answered_and_shown(
    asker: Asker, page: Page, model: dict[str, Any]
) -> None:
    workers: list[str] = []
    page.on("worker", lambda one: workers.append(one.url))
    asker.plan(rounds=2)
    start(page)
    asker.measure(model)
    asker.hear("answer")
    asker.hear()
    sees(page, "round 1 of 2")
    asker.measure(model, round=2)
    steps = []
    while "answer" not in (said := asker.hear("answer", "error", "step")):
        steps.append(said["step"])
    assert steps.index("sampling") < steps.index("sampled")
    # Each task has a worker of its own, and the model is brought once.
    assert not any(step.startswith("downloading") for step in steps)
    found = said["answer"]["result"]["round"]
    assert len(found["samples_ms"]) == 2
    assert found["load_ms"] > 0 < found["first_run_ms"]
    output = np.frombuffer(asker.heard.get(timeout=PATIENCE_S), np.float32)
    assert output.size == 3 * SIDE * SIDE
    assert 0 <= output.min() < output.max() <= 1
    sees(page, "Median of 4")
    assert len(workers) == 2
    shown = page.get_by_role("img", name="What lama.onnx made of the hole")
    pixels = shown.evaluate("c => [...c.getContext('2d').getImageData(32, 32, 1, 1).data]")
    expected = np.append(output.reshape(3, SIDE, SIDE)[:, 32, 32] * 255, 255)
    assert np.abs(np.array(pixels) - expected).max() <= 1
    asker.say({"done": {"rows": [{"row": ROW, "parity": "failed", "error": None}]}})
    sees(page, "Measured, with failures")
    sees(page, "computes something else")
    # How long something wrong took is no result.
    page.get_by_text("Median of").wait_for(state="detached")


@pytest.mark.parametrize("change", ["longer", "another", "other bytes", "gone"])
def test_a_model_that_was_changed_gives_no_result(
    asker: Asker, server: PageServer, page: Page, model_file: Path, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "copy.onnx"
    shutil.copy(model_file, path)
    model = offered(server, path)
    if change == "gone":
        path.unlink()
    elif change == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "another":
        model = {**model, "bytes": 5}
    else:
        # Under a hash that it does not have.
        model["sha256"] = "0" * 64
    asker.plan()
    start(page)
    asker.measure(model)
    said = asker.hear("answer", "error")
    assert said["kind"] == "model"
    assert "changed" in said["error"]
    sees(page, said["error"])


def test_a_file_that_is_no_model_is_told(
    asker: Asker, server: PageServer, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"no model" * 100)
    asker.plan()
    start(page)
    asker.measure(offered(server, path))
    said = asker.hear("answer", "error")
    assert said["kind"] == "model"
    sees(page, said["error"])


def test_what_this_browser_lacks_is_told_before_and_after(
    asker: Asker, page: Page, model: dict[str, Any]
) -> None:
    asker.plan(ROW.replace("wasm", "webgpu"))
    sees(page, "This browser gives the page no WebGPU")
    start(page)
    asker.measure(model, provider="webgpu")
    said = asker.hear("answer", "error")
    assert said["kind"] == "missing"
    assert "WebGPU" in said["error"]


def test_a_worker_that_dies_fails_its_row_and_the_next_one_runs(
    asker: Asker, page: Page, model: dict[str, Any]
) -> None:
    script = re.compile(r"/task_worker-[^/]*\.js$")
    page.context.route(
        script,
        lambda route: route.fulfill(
            content_type="text/javascript",
            headers={"Cross-Origin-Embedder-Policy": "require-corp"},
            body="onmessage = () => { throw new RangeError('Array buffer allocation failed'); }",
        ),
    )
    asker.plan()
    start(page)
    asker.measure(model)
    sees(page, "Array buffer allocation failed")
    said = asker.hear("error")
    assert said["kind"] == "crash"
    assert "Array buffer allocation failed" in said["error"]
    page.context.unroute(script)
    asker.measure(model)
    assert "answer" in asker.hear("answer", "error")


def test_times_of_a_page_that_was_out_of_sight_do_not_count(
    asker: Asker, page: Page, model: dict[str, Any]
) -> None:
    asker.plan()
    start(page)
    asker.measure(model, {**QUICK, "min_seconds": 1})
    asker.hear_sampling()
    # As browsers tell when another tab or application comes to the front, and goes again.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    said = asker.hear("answer", "error")
    assert said["kind"] == "crash"
    assert "in the background" in said["error"]


def test_stop_ends_the_work_and_says_so(asker: Asker, page: Page, model: dict[str, Any]) -> None:
    asker.plan()
    start(page)
    asker.measure(model, LONG)
    asker.hear_sampling()
    page.get_by_role("button", name="Stop").click()
    assert asker.hear("stopped") == {"stopped": True}
    sees(page, "Nothing more is measured")
    sees(page, "stopped before it was measured")
    until(page, lambda: page.workers == [])


def test_leaving_is_asked_about_only_while_it_measures(asker: Asker, page: Page) -> None:
    # Told to the page alone: of the dialog itself headless Chromium crashes now and then.
    asked = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    asker.plan()
    sees(page, "Start")
    assert not page.evaluate(asked)
    page.reload()
    asker.plan()
    start(page)
    asker.hear("started")
    assert page.evaluate(asked)
    page.get_by_role("button", name="Stop").click()
    assert not page.evaluate(asked)


def test_a_broken_connection_is_made_again_and_the_row_is_lost(
    asker: Asker, page: Page, model: dict[str, Any]
) -> None:
    asker.plan()
    start(page)
    asker.measure(model, LONG)
    asker.hear_sampling()
    asker.close(1011)
    sees(page, "The connection to the computer broke")
    until(page, lambda: page.workers == [])
    asker.plan()
    assert asker.hear("started") == {"started": True}
    sees(page, "the connection to the computer broke meanwhile")
    asker.measure(model)
    assert "answer" in asker.hear("answer", "error")


def test_a_page_that_comes_back_too_early_comes_again(asker: Asker, page: Page) -> None:
    """Its old socket, whose network went away, is still open at the computer."""
    asker.plan()
    start(page)
    asker.close(1011)
    for _ in range(2):
        asker.hear("hello")
        asker.say({"busy": "another page is measuring for this command"})
        asker.close(1008)
    sees(page, "The connection to the computer broke")
    asker.plan()
    assert asker.hear("started") == {"started": True}


def test_a_computer_that_is_gone_is_waited_for_a_minute(
    asker: Asker, server: PageServer, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    page.goto(server.address)
    asker.plan()
    start(page)
    asker.hear("started")
    asker.close(1011)
    server.close()
    for _ in range(40):
        page.clock.run_for(2000)
        # The sockets are real, and refused in real time.
        page.wait_for_function("true")
    sees(page, "The computer does not answer any more")
    context.close()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"busy": "another page is measuring for this command"}, "Close that one first"),
        ({"refused": "the page is not of this release"}, "The computer does not take this page"),
        ({"ended": "the command on the computer ended"}, "The command on the computer ended."),
    ],
)
def test_what_the_computer_refuses_is_told_in_its_words(
    asker: Asker, page: Page, said: dict[str, str], shown: str
) -> None:
    asker.hear("hello")
    asker.say(said)
    sees(page, shown)
    assert page.get_by_role("button", name="Start").count() == 0
    asker.close(1008)
    if "busy" in said:
        # It is not tried again by itself.
        page.wait_for_timeout(2500)
    assert asker.heard.empty()


def test_an_address_without_or_with_a_wrong_token_is_told(
    browser: Browser, server: PageServer
) -> None:
    address = server.address.partition("#")[0]
    for end, text in (("", "#token=…, is missing"), ("#token=wrong", "no or a wrong token")):
        page = browser.new_page()
        page.goto(address + end)
        sees(page, text)
        page.close()


def test_without_isolation_the_page_says_so_before_it_starts(
    browser: Browser, serve: Callable[..., PageServer], asker: Asker
) -> None:
    for page in opened(browser, serve(isolated=False)):
        asker.plan()
        sees(page, "WebAssembly runs on one thread here")


def test_it_fits_a_small_screen_and_is_used_by_keyboard(
    browser: Browser, server: PageServer, asker: Asker, model: dict[str, Any]
) -> None:
    for page in opened(browser, server, viewport={"width": 320, "height": 700}):
        asker.plan(ROW, "a-name-of-a-model-that-is-long-enough-to-be-cut.onnx · webgpu · 512x512")
        sees(page, "Start")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Start"
        page.keyboard.press("Enter")
        asker.hear("started")
        asker.measure(model)
        asker.hear("answer")
        sees(page, "Median of 2")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        assert page.get_by_role("status").inner_text() == f"{ROW}, round 1 of 1"
        page.get_by_role("progressbar", name="All together").wait_for()
        page.get_by_role("img", name="The filled picture").wait_for()
