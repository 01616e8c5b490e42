"""The server of the pages: HTTP and one WebSocket, on loopback or, over TLS, on the network.

It is as closed as a page allows. Requests must name a host that is this machine's, so that no
other site's name can be pointed here; sockets must come from the page's own origin; models want
the token, which only the printed address holds. What the pages may load is this origin alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import re
import secrets
import socket
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from lama_edge.errors import UsageError, needs_extra, one_line, parameter
from lama_edge.web.certificate import make_certificate
from lama_edge.web.parts import ORT_FILES, OrtWeb, compiled_pages

with needs_extra("web"):
    import psutil
    from aiohttp import WSCloseCode, WSMsgType, hdrs, web
    from aiohttp.http import HttpProcessingError

Result = TypeVar("Result")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Takes a page's socket, once its first message gave the token, and that message; the socket is
# closed when it returns. It runs in the server's event loop and must not block.
OnPage = Callable[[web.WebSocketResponse, Mapping[str, Any]], Awaitable[None]]

# Of a connection that asks nothing, or asks it a letter at a time; and of a socket's first message.
PATIENCE_S = 10.0
# A page that is gone is noticed after a ping and half as long again.
_PING_S = 10.0
_MESSAGE_BYTES = 32 << 20
_HELLO_CHARACTERS = 4096
# Sockets that did not say hello yet: each may hold a whole message in memory.
_MOST_STRANGERS = 8
_HASH = re.compile(r"[0-9a-f]{64}")
# Vite puts a hash of what is in a file into its name.
_NAMED_BY_CONTENT = re.compile(r"/assets/[^/]+-[\w-]{8,}\.\w+$")
_FOR_GOOD = "max-age=31536000, immutable"
_ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
# What a stranger sends is none of the terminal's business; what goes wrong here is.
_LOG = logging.getLogger(__name__)
_LOG.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)


class _File(NamedTuple):
    path: Path
    state: tuple[int, int]


class PageServer:
    """Serves one page, and what it needs, until it is closed; a context manager.

    The page lies at ``/bench/`` or ``/demo/``; beside it ``/ort/`` (ONNX Runtime Web) and
    ``/models/<sha256>.onnx``, and under the page ``documents/NAME``. Models and documents want the
    header ``Authorization: Bearer TOKEN``. The page's socket is ``socket`` under the page; its
    first message is ``{"hello": 1, "token": TOKEN, …}``, within `PATIENCE_S`.

    Attributes:
        address: what a person opens: ``http://127.0.0.1:PORT/bench/#token=TOKEN``.
        fingerprint: SHA-256 of the certificate, None without one.
        token: 22 or more characters that fit a URL.
    """

    def __init__(
        self,
        page: str,
        ort: OrtWeb,
        *,
        pages: Path | None = None,
        lan: bool = False,
        port: int | None = None,
        token: str | None = None,
        on_page: OnPage | None = None,
        message_bytes: int = _MESSAGE_BYTES,
        isolated: bool = True,
    ) -> None:
        """Start serving.

        Args:
            page: ``bench`` or ``demo``.
            ort: see `find_ort_web`.
            pages: the compiled pages, with a folder of the page's name; None for our own.
            lan: serve every address of this machine, by https with a certificate made for it;
                else loopback alone, by http.
            port: None for any that is free.
            token: None for a new one.
            on_page: who talks to the page over its socket; without one there is no socket.
            message_bytes: the most that one message of the page may have.
            isolated: whether the page is isolated from other origins, without which browsers give
                it no threads.

        Raises:
            UsageError: when the port is taken or not allowed, or the machine has no address.
            MissingBackendError: when the pages were not compiled.
        """
        self.token = token or secrets.token_urlsafe(16)
        self.fingerprint: str | None = None
        self._page = page
        self._ort = ort
        self._on_page = on_page
        self._message_bytes = message_bytes
        self._isolated = isolated
        self._files: dict[str, _File] = {}
        self._documents: dict[str, str] = {}
        self._sockets: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()
        self._strangers: list[web.Request] = []
        addresses = _addresses() if lan else ["127.0.0.1"]
        tls = None
        if lan:
            certificate = make_certificate([*addresses, "127.0.0.1"], ["localhost"])
            tls, self.fingerprint = certificate.context, certificate.fingerprint
        self._scheme = "https" if lan else "http"
        application = self._application(pages or compiled_pages())
        # All addresses are what --lan asks for.
        listening = _listen("0.0.0.0" if lan else "127.0.0.1", port)  # noqa: S104
        port = listening.getsockname()[1]
        hosts = {*addresses, "127.0.0.1", "localhost"}
        # Browsers leave a scheme's own port out.
        self._hosts = {f"{host}:{port}" for host in hosts}
        if port == (443 if lan else 80):
            self._hosts |= hosts
        self.address = f"{self._scheme}://{addresses[0]}:{port}/{page}/#token={self.token}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pages", daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_LOG,
            keepalive_timeout=PATIENCE_S,
            # Nothing is posted here: what a refused request goes on to send is not read.
            lingering_time=0,
            shutdown_timeout=1,
        )
        self.run(self._serve(listening, tls))

    def __enter__(self) -> PageServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_file(self, path: Path, sha256: str) -> str:
        """Serve a model's file, and return its URL on this server: ``/models/<sha256>.onnx``.

        A file that was changed afterwards is not served: the page gets status 410.

        Args:
            path: the file.
            sha256: of the file, in lower-case hexadecimal.

        Raises:
            UsageError: when the hash is none.
            OSError: when the file cannot be read.
        """
        if not _HASH.fullmatch(sha256):
            raise UsageError(f"{sha256!r} is no SHA-256: give 64 digits, in lower case")
        self._files[sha256] = _File(path, _state(path))
        return f"/models/{sha256}.onnx"

    def add_document(self, name: str, document: Any) -> str:
        """Serve JSON under the page, and return its URL on this server: ``/demo/documents/<name>``.

        Args:
            name: such as ``settings.json``.
            document: what `json.dumps` takes.
        """
        self._documents[name] = json.dumps(document, allow_nan=False)
        return f"/{self._page}/documents/{name}"

    def run(self, work: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        """Run a coroutine in the server's event loop, from another thread, and return its result.

        Args:
            work: such as ``socket.send_str(text)`` of a page's socket.
            timeout: seconds, after which it is cancelled; None to wait.

        Raises:
            TimeoutError: when it took longer.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close every connection and stop serving; once is enough, twice does no harm."""
        if self._loop.is_closed():
            return
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _application(self, pages: Path) -> web.Application:
        page = self._page
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(self._set_headers)
        index = pages / page / "index.html"

        async def root(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"/{page}/")

        async def first(request: web.Request) -> web.StreamResponse:
            return web.FileResponse(index)

        add = application.router.add_get
        add("/", root)
        add(f"/{page}", root)
        add(f"/{page}/", first)
        add("/models/{sha256}.onnx", self._model)
        add(f"/{page}/documents/{{name}}", self._document)
        if self._on_page is not None:
            add(f"/{page}/socket", self._socket, allow_head=False)
        application.router.add_static(f"/{page}/", pages / page)
        add("/ort/{name}", self._ort_file)
        return application

    async def _serve(self, listening: socket.socket, tls: Any) -> None:
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        more = {"ssl": tls, "ssl_handshake_timeout": PATIENCE_S} if tls else {}
        self._listener = await self._loop.create_server(server, sock=listening, **more)

    async def _end(self) -> None:
        self._listener.close()
        for one in list(self._sockets):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(
                    one.close(code=WSCloseCode.GOING_AWAY, message=b"the command ended"), 1
                )
        await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host not in self._hosts:
            raise web.HTTPMisdirectedRequest(text="this server goes by other names\n")
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
            raise web.HTTPMethodNotAllowed(request.method, [hdrs.METH_GET, hdrs.METH_HEAD])
        return await handler(request)

    def _want_token(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme != "Bearer" or not self._is_token(given):
            raise web.HTTPUnauthorized(
                headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
                text="the token is missing or wrong: open the address that was printed\n",
            )

    def _is_token(self, given: object) -> bool:
        if not isinstance(given, str):
            return False
        return hmac.compare_digest(given.encode(errors="backslashreplace"), self.token.encode())

    async def _ort_file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in ORT_FILES:
            raise web.HTTPNotFound(text="no such file\n")
        return web.FileResponse(self._ort.folder / name)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        self._want_token(request)
        text = self._documents.get(request.match_info["name"])
        if text is None:
            raise web.HTTPNotFound(text="no such document\n")
        return web.Response(text=text, content_type="application/json")

    async def _model(self, request: web.Request) -> web.StreamResponse:
        self._want_token(request)
        file = self._files.get(request.match_info["sha256"])
        if file is None:
            raise web.HTTPNotFound(text="no such model\n")
        try:
            changed = _state(file.path) != file.state
        except OSError:
            changed = True
        if changed:
            raise web.HTTPGone(text="the model's file was changed or removed meanwhile\n")
        # What a browser keeps is for who has the token, too.
        headers = {
            hdrs.CONTENT_TYPE: "application/octet-stream",
            hdrs.VARY: hdrs.AUTHORIZATION,
        }
        return web.FileResponse(file.path, headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get(hdrs.ORIGIN) != f"{self._scheme}://{request.host}":
            raise web.HTTPForbidden(text="this socket is the page's own\n")
        # aiohttp refuses a message of that very size too.
        page = web.WebSocketResponse(
            heartbeat=_PING_S, max_msg_size=self._message_bytes + 1, compress=False
        )
        await page.prepare(request)
        self._sockets.add(page)
        hello = await self._hello_of(request, page)
        if hello is None:
            await page.close(code=WSCloseCode.POLICY_VIOLATION, message=b"no or a wrong token")
            return page
        assert self._on_page is not None
        try:
            await self._on_page(page, hello)
        finally:
            await page.close()
        return page

    async def _hello_of(
        self, request: web.Request, page: web.WebSocketResponse
    ) -> Mapping[str, Any] | None:
        self._strangers.append(request)
        if len(self._strangers) > _MOST_STRANGERS:
            # A page of ours says hello at once: who is here longest is none.
            transport = self._strangers.pop(0).transport
            if transport is not None:
                transport.abort()
        try:
            return await self._hello(page)
        finally:
            if request in self._strangers:
                self._strangers.remove(request)

    async def _hello(self, page: web.WebSocketResponse) -> Mapping[str, Any] | None:
        try:
            message = await asyncio.wait_for(page.receive(), PATIENCE_S)
        except asyncio.TimeoutError:
            return None
        if message.type is not WSMsgType.TEXT or len(message.data) > _HELLO_CHARACTERS:
            return None
        try:
            hello = json.loads(message.data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(hello, dict) or hello.get("hello") != 1:
            return None
        return hello if self._is_token(hello.get("token")) else None

    async def _set_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        host = request.host if request.host in self._hosts else ""
        sockets = f"{self._scheme.replace('http', 'ws')}://{host}" if host else ""
        path = request.path
        if response.status >= 400:
            caching = "no-store"
        elif path.startswith("/models/"):
            caching = f"private, {_FOR_GOOD}"
        elif _NAMED_BY_CONTENT.search(path):
            caching = f"public, {_FOR_GOOD}"
        else:
            # Asked for again each time, and not sent again while it is the same.
            caching = "no-cache"
        response.headers.update(
            {
                "Cache-Control": caching,
                # Safari does not count sockets as the page's own origin.
                "Content-Security-Policy": "default-src 'none'; "
                "script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
                "img-src 'self' blob: data:; font-src 'self'; worker-src 'self' blob:; "
                f"connect-src 'self' blob: data: {sockets}; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
                **(_ISOLATION if self._isolated else {}),
            }
        )
        response.headers.pop(hdrs.SERVER, None)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _addresses() -> list[str]:
    """Return this machine's IPv4 addresses on networks, the one it goes out by first.

    Raises:
        UsageError: when it has none.
    """
    found = [
        one.address
        for interface in psutil.net_if_addrs().values()
        for one in interface
        if one.family == socket.AF_INET and not one.address.startswith("127.")
    ]
    if not found:
        raise UsageError(
            f"{parameter('lan')}: this machine has no IPv4 address on a network: connect it to one"
        )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        # Sends nothing: the system looks the way up (an address that documents are given).
        asked.connect(("192.0.2.1", 9))
        found.sort(key=lambda one: one != asked.getsockname()[0])
    return found


def _listen(host: str, port: int | None) -> socket.socket:
    try:
        return socket.create_server((host, port or 0), backlog=64)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{parameter('port', port)}: cannot serve there ({one_line(error)}): name another, or "
            "none"
        ) from error
