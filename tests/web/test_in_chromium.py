"""What a browser makes of the server's rules: what a page may do, and what another site may not."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from chromium import chromium, served

from lama_edge.web.parts import OrtWeb
from lama_edge.web.server import PageServer

pytestmark = pytest.mark.browser

# Every key is what became of one thing that the page tried.
TRIES = """
const told = async (work) => { try { return await work(); } catch (e) { return e.name; } };
const first = (target, ...names) => new Promise((done) => {
  for (const name of names) target.addEventListener(name, (e) => done(e.data ?? name));
});
const other = new URLSearchParams(location.search).get("other");
const token = location.hash.slice("#token=".length);
const headers = { Authorization: `Bearer ${token}` };
const worker = (url) => first(new Worker(url, { type: "module" }), "message", "error");
const image = (src) => first(Object.assign(new Image(), { src }), "load", "error");
const script = "postMessage(crossOriginIsolated)";
const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const socket = new WebSocket(new URL("socket", location.href.replace("http", "ws")));
socket.onopen = () => socket.send(JSON.stringify({ hello: 1, token, page: { version: "1" } }));
window.found = Promise.all(Object.entries({
  isolated: () => crossOriginIsolated,
  memory: () => new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true }).buffer.byteLength,
  wasm: async () => (await WebAssembly.instantiate(wasm)).instance.constructor.name,
  worker: () => worker(new URL("worker-Ab12_-9z.js", import.meta.url)),
  blobWorker: () => worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" }))),
  ort: async () => (await import("/ort/ort.wasm.min.mjs")).text,
  blobImage: () => image("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"),
  socket: () => first(socket, "message", "error"),
  model: async () => (await fetch(MODEL, { headers })).status,
  modelWithout: async () => (await fetch(MODEL)).status,
  inline: () => window.inline ?? "not run",
  evaluated: () => (0, eval)("1"),
  fetched: async () => (await fetch(other)).status,
  beacon: async () => { navigator.sendBeacon(other); return "sent"; },
  otherImage: () => image(other),
  otherScript: async () => (await import(other)).text,
  otherSocket: () => first(new WebSocket(other.replace("http", "ws")), "open", "error"),
}).map(async ([name, work]) => [name, await told(work)])).then(Object.fromEntries);
"""
PAGE = """<!doctype html><title>bench</title><script>window.inline = "run"</script>
<script type="module" src="./assets/main-Ab12_-9z.js"></script>"""
MODEL = b"model" * 1000

# What another site's page tries on ours.
STRANGER = """
const told = async (work) => { try { return await work(); } catch (e) { return e.name; } };
window.found = (async () => ({
  page: await told(async () => (await fetch(ours, { mode: "no-cors" })).type),
  model: await told(async () => (await fetch(model, { headers: { Authorization: token } })).status),
  post: await told(async () => (await fetch(ours, { method: "POST", body: "x" })).status),
  socket: await new Promise((done) => {
    const socket = new WebSocket(ours.replace("http", "ws") + "socket");
    socket.onopen = () => done("open");
    socket.onerror = () => done("error");
  }),
  frame: await new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), { src: ours });
    frame.onload = () => done("loaded");
    document.body.append(frame);
  }),
}))();
"""


async def _welcome(page: web.WebSocketResponse, hello: Mapping[str, Any]) -> None:
    await page.send_str("welcome")


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODEL)
    return path, sha256(MODEL).hexdigest()


def test_a_page_has_threads_and_its_own_origin_and_nothing_else(
    pages: Path, ort: OrtWeb, model: tuple[Path, str]
) -> None:
    (pages / "bench/index.html").write_text(PAGE)
    (pages / "bench/assets/worker-Ab12_-9z.js").write_text("postMessage(crossOriginIsolated)")
    asked: list[str] = []

    class Log(dict[str, bytes]):
        def __contains__(self, path: object) -> bool:
            asked.append(str(path))
            return super().__contains__(path)

    with (
        served(Log({"/": b"export const text = 'elsewhere';"})) as other,
        PageServer("bench", ort, pages=pages, on_page=_welcome) as server,
        chromium() as browser,
    ):
        url = server.add_file(*model)
        script = TRIES.replace("MODEL", repr(url))
        (pages / "bench/assets/main-Ab12_-9z.js").write_text(script)
        page = browser.new_page()
        words: list[str] = []
        page.on("console", lambda message: words.append(message.text))
        page.goto(server.address.replace("#", f"?other={other}/#"))
        found = page.evaluate("window.found")
    assert found == {
        "isolated": True,
        "memory": 65536,
        "wasm": "Instance",
        "worker": True,
        "blobWorker": True,
        "ort": "the same again",
        "blobImage": "load",
        "socket": "welcome",
        "model": 200,
        "modelWithout": 401,
        "inline": "not run",
        "evaluated": "EvalError",
        "fetched": "TypeError",
        "beacon": "sent",
        "otherImage": "error",
        "otherScript": "TypeError",
        "otherSocket": "error",
    }
    assert asked == [], "the page reached another origin"
    assert any("Content Security Policy" in one for one in words)


def test_another_sites_page_gets_nothing(pages: Path, ort: OrtWeb, model: tuple[Path, str]) -> None:
    with (
        PageServer("bench", ort, pages=pages, on_page=_welcome) as server,
        chromium() as browser,
    ):
        own = server.address.partition("#")[0]
        url = own.replace("/bench/", server.add_file(*model))
        known = f'const ours = "{own}", model = "{url}", token = "Bearer {server.token}";'
        files = {"/": b"<!doctype html><body></body>"}
        # Not isolated, so that what keeps it out is our server alone.
        with served(files, isolated=False) as other:
            page = browser.new_page()
            page.goto(other)
            page.add_script_tag(content=known + STRANGER)
            found = page.evaluate("window.found")
            framed = [frame.url for frame in page.frames[1:]]
    assert framed == ["chrome-error://chromewebdata/"]
    assert found == {
        "page": "TypeError",
        "model": "TypeError",
        "post": "TypeError",
        "socket": "error",
        "frame": "loaded",
    }
