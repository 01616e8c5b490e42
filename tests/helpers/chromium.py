"""Chromium for every test that wants a browser, and files for its pages on loopback.

What it says in its name is skipped where it is not installed, and the skip says which is missing.
While a browser is open, its thread has a running event loop, so that `asyncio.run` fails there:
close it before, or run what needs one in a thread or a process of its own.
"""

from __future__ import annotations

import importlib.util
import mimetypes
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from places import ROOT

from lama_edge.benchmarks.studies.chromium import FLAGS, NAMES, find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# Computed by the processor, all its cores: seconds for what a graphics card does in milliseconds.
WEBGPU_FLAGS = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
# What makes a page cross-origin isolated, which threads in WebAssembly want.
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SHARED = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
_TYPES = {".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm"}
_NPM = ROOT / "runtimes/web/node_modules/onnxruntime-web/dist"
_drivers = threading.local()


@contextmanager
def chromium(*flags: str, webgpu: bool = False, executable: str | None = None) -> Iterator[Browser]:
    """Start a headless Chromium of its own profile, or skip the test where there is none.

    Args:
        flags: further ones of its command line.
        webgpu: whether it has WebGPU, on the software adapter, without shader-f16.
        executable: its path; by default `find_browser`.
    """
    pytest.importorskip("playwright", reason="playwright is not installed")
    path = executable or find_browser()
    if path is None:
        pytest.skip(f"there is no Chromium on the PATH ({', '.join(NAMES)})")
    gpu = WEBGPU_FLAGS if webgpu else ()
    with _driver() as driver:
        browser = driver.chromium.launch(executable_path=path, args=[*FLAGS, *gpu, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(
    files: Mapping[str, Path | bytes], *, isolated: bool = True, shared: bool = False
) -> Iterator[str]:
    """Serve files on a free port of loopback, which is a secure context without certificates.

    Args:
        files: what lies under a path that starts with ``/``: a file, what a file holds, or a
            folder with all in it. ``/`` is the page. The mapping may grow meanwhile.
        isolated: whether pages are cross-origin isolated.
        shared: whether pages of other origins may use the files, as from a CDN.

    Yields:
        The address, without a slash at its end.
    """

    headers = (ISOLATED if isolated else {}) | (SHARED if shared else {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            data, name = _found(files, path)
            self.send_response(HTTPStatus.NOT_FOUND if data is None else HTTPStatus.OK)
            self.send_header("Content-Type", _type_of(name))
            self.send_header("Content-Length", str(len(data or b"")))
            for header, value in headers.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            """Nothing: what pages ask for is no output of tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ort_web() -> Path:
    """Return the folder of ONNX Runtime Web's files, or skip the test where there is none.

    ``LAMA_EDGE_ORT_WEB`` names it; else it is that of the npm package in ``runtimes/web``, or of
    the package `lama_edge_ort_web`, which ``make web`` installs.
    """
    named = os.environ.get("LAMA_EDGE_ORT_WEB")
    package = importlib.util.find_spec("lama_edge_ort_web")
    places = [_NPM]
    if package is not None and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0], "files"))
    for place in [Path(named)] if named else places:
        if (place / "ort.webgpu.min.mjs").is_file():
            return place
    pytest.skip(f"there is no ONNX Runtime Web in {named or 'runtimes/web'}: make web")


@contextmanager
def _driver() -> Iterator[Playwright]:
    """Playwright's driver, of which a thread cannot have two."""
    from playwright.sync_api import sync_playwright

    known: Playwright | None = getattr(_drivers, "open", None)
    with sync_playwright() if known is None else nullcontext(known) as driver:
        _drivers.open = driver
        try:
            yield driver
        finally:
            _drivers.open = known


def _found(files: Mapping[str, Path | bytes], path: str) -> tuple[bytes | None, str]:
    """Return what lies under a path, None where nothing does, and its name."""
    if path in files:
        held = files[path]
        name = "index.html" if path == "/" else path
        return (held if isinstance(held, bytes) else held.read_bytes()), name
    for root, folder in files.items():
        inside = path.removeprefix(root.rstrip("/") + "/")
        if inside == path or isinstance(folder, bytes) or not folder.is_dir():
            continue
        if path.endswith("/"):
            inside += "index.html"
        file = (folder / inside).resolve()
        if file.is_file() and file.is_relative_to(folder.resolve()):
            return file.read_bytes(), file.name
    return None, path


def _type_of(name: str) -> str:
    suffix = Path(name).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
