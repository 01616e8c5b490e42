"""The pages' server: what it hands out to whom, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from lama_edge.errors import UsageError
from lama_edge.web import server as servers
from lama_edge.web.parts import OrtWeb
from lama_edge.web.server import PageServer

TOKEN = "0123456789abcdefghijkl"
MODEL = bytes(range(256)) * 64
HASH = sha256(MODEL).hexdigest()

Serve = Callable[..., PageServer]


async def echo(page: web.WebSocketResponse, hello: Mapping[str, Any]) -> None:
    """What plays `bench`: it tells the page its own hello, then every message."""
    await page.send_json({"welcome": hello["page"]})
    async for message in page:
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await page.send_str(f"{len(message.data)}")


@pytest.fixture
def serve(pages: Path, ort: OrtWeb) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def start(**more: Any) -> PageServer:
            given = {"pages": pages, "token": TOKEN, "on_page": echo, **more}
            return stack.enter_context(PageServer("bench", ort, **given))

        yield start


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE_S", 0.5)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(MODEL)
    return path


def port_of(server: PageServer) -> int:
    port = urlsplit(server.address).port
    assert port is not None
    return port


def ask(
    server: PageServer, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Ask as a program would that writes whatever path and headers it likes."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=given)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_the_page_is_isolated_and_may_load_from_its_own_origin_alone(serve: Serve) -> None:
    server = serve()
    response, body = ask(server, "/bench/")
    assert (response.status, body) == (200, b"<!doctype html><title>bench</title>")
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Server"] is None
    rules = dict(
        rule.strip().split(" ", 1)
        for rule in response.headers["Content-Security-Policy"].split(";")
    )
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == f"'self' blob: data: ws://127.0.0.1:{port_of(server)}"
    sources = {source for rule in rules.values() for source in rule.split()}
    assert not {source for source in sources if "http" in source or source in ("*", "data")}
    assert "'unsafe-inline'" not in sources
    assert "'unsafe-eval'" not in sources
    assert server.fingerprint is None


@pytest.mark.parametrize("path", ["/", "/bench"])
def test_shorter_addresses_lead_to_the_page(serve: Serve, path: str) -> None:
    response, _ = ask(serve(), path)
    assert (response.status, response.headers["Location"]) == (302, "/bench/")


def test_a_page_that_shall_not_be_isolated_is_not(serve: Serve) -> None:
    response, _ = ask(serve(isolated=False), "/bench/")
    assert response.status == 200
    assert "Cross-Origin-Embedder-Policy" not in response.headers
    assert "Cross-Origin-Opener-Policy" not in response.headers


def test_the_token_stands_in_the_fragment_which_no_request_carries(serve: Serve) -> None:
    address = urlsplit(serve().address)
    assert (address.hostname, address.path, address.query) == ("127.0.0.1", "/bench/", "")
    assert address.fragment == f"token={TOKEN}"


def test_each_server_makes_a_token_of_its_own(serve: Serve) -> None:
    first, second = serve(token=None).token, serve(token=None).token
    assert first != second
    assert len(first) >= 22


@pytest.mark.parametrize(
    ("path", "caching", "kind"),
    [
        ("/bench/", "no-cache", "text/html"),
        (
            "/bench/assets/main-Ab12_-9z.js",
            "public, max-age=31536000, immutable",
            "application/javascript",
        ),
        ("/ort/ort.wasm.min.mjs", "no-cache", "application/javascript"),
        ("/ort/ort-wasm-simd-threaded.wasm", "no-cache", "application/wasm"),
        ("/bench/assets/values.bin", "no-cache", "application/octet-stream"),
        ("/none", "no-store", "text/plain; charset=utf-8"),
    ],
)
def test_what_is_named_by_its_content_is_kept_for_good_and_the_rest_asked_for_again(
    serve: Serve, path: str, caching: str, kind: str
) -> None:
    response, _ = ask(serve(), path)
    assert response.headers["Cache-Control"] == caching
    assert response.headers["Content-Type"] == kind


def test_what_is_unchanged_is_not_sent_again(serve: Serve) -> None:
    server = serve()
    response, body = ask(server, "/ort/ort.wasm.min.mjs")
    again, nothing = ask(server, "/ort/ort.wasm.min.mjs", If_None_Match=response.headers["ETag"])
    assert len(body) > 1000
    assert (again.status, nothing) == (304, b"")


def test_files_go_out_compressed_to_who_can_read_it(serve: Serve, ort: OrtWeb) -> None:
    server, name = serve(), "ort-wasm-simd-threaded.wasm"
    plain, body = ask(server, f"/ort/{name}")
    small, packed = ask(server, f"/ort/{name}", Accept_Encoding="gzip, br")
    assert plain.headers["Content-Encoding"] is None
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.headers["Content-Type"] == "application/wasm"
    assert gzip.decompress(packed) == body == (ort.folder / name).read_bytes()
    assert len(packed) < len(body) / 10


def test_of_onnx_runtimes_folder_the_named_files_alone_are_served(serve: Serve) -> None:
    server = serve()
    for name in ("package.json", "", "..", "ort.wasm.min.mjs.gz"):
        assert ask(server, f"/ort/{name}")[0].status in (403, 404), name


@pytest.mark.parametrize(
    "path",
    [
        "/bench/../../secret.txt",
        "/bench/..%2f..%2fsecret.txt",
        "/bench/%2e%2e/%2e%2e/secret.txt",
        "/bench/..%5c..%5csecret.txt",
        "/bench/assets/../../../secret.txt",
        "/ort/../secret.txt",
        "/ort/..%2fsecret.txt",
        "/models/..%2fsecret.onnx",
        "/bench//etc/passwd",
        "/secret.txt",
        "/bench/assets/",
        "/bench/\0",
    ],
)
def test_no_path_leads_out_of_the_pages(serve: Serve, path: str) -> None:
    server = serve()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw:
        raw.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port_of(server)}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert int(answer.split()[1]) in (400, 401, 403, 404)
    assert not answer.endswith(b"secret")
    assert b"root:" not in answer


def test_a_link_out_of_the_pages_is_not_followed(serve: Serve, pages: Path) -> None:
    (pages / "bench/link.txt").symlink_to(pages.parent / "secret.txt")
    response, body = ask(serve(), "/bench/link.txt")
    assert response.status in (403, 404)
    assert b"secret" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "", None])
def test_requests_for_another_name_are_refused(serve: Serve, host: str | None) -> None:
    """A site whose name is pointed here (DNS rebinding) sends its own name."""
    server = serve()
    own = f"127.0.0.1:{port_of(server)}"
    for path in ("/bench/", f"/models/{HASH}.onnx", "/bench/socket"):
        with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw:
            named = "" if host is None else f"Host: {host.format(port=port_of(server))}\r\n"
            raw.sendall(f"GET {path} HTTP/1.0\r\n{named}\r\n".encode())
            answer = b"".join(iter(lambda: raw.recv(4096), b""))
        assert int(answer.split()[1]) in (400, 421), answer
    assert ask(server, "/bench/", Host=own)[0].status == 200
    assert ask(server, "/bench/", Host=f"localhost:{port_of(server)}")[0].status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_posted(serve: Serve, method: str) -> None:
    server = serve()
    for path in ("/bench/", "/bench/socket", f"/models/{HASH}.onnx", "/none"):
        response, _ = ask(server, path, method)
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers


def test_a_post_that_never_ends_is_not_read(serve: Serve) -> None:
    server = serve()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as raw:
        raw.sendall(
            f"POST /bench/ HTTP/1.1\r\nHost: 127.0.0.1:{port_of(server)}\r\n"
            f"Content-Length: {1 << 40}\r\n\r\n".encode()
        )
        assert b" 405 " in raw.recv(4096)
        # Until it is closed: what is sent on goes nowhere.
        with contextlib.suppress(ConnectionError):
            for _ in range(1 << 12):
                raw.sendall(b"x" * (1 << 16))
            pytest.fail("256 MiB of a request that was refused were taken")
    assert ask(server, "/bench/")[0].status == 200


@pytest.mark.parametrize("header", ["X: " + "x" * (1 << 20), "X: x\r\n" * 5000])
def test_oversized_headers_are_refused(serve: Serve, header: str) -> None:
    server = serve()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw:
        request = f"GET /bench/ HTTP/1.1\r\nHost: 127.0.0.1:{port_of(server)}\r\n{header}\r\n\r\n"
        with contextlib.suppress(ConnectionError):
            raw.sendall(request.encode())
        try:
            answer = raw.recv(64)
        except ConnectionError:
            answer = b""
    assert not answer or b" 400 " in answer
    assert ask(server, "/bench/")[0].status == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer \xe9",
    ],
)
def test_models_and_documents_want_the_token(serve: Serve, model: Path, given: str | None) -> None:
    server = serve()
    urls = (server.add_file(model, HASH), server.add_document("settings.json", {"a": 1}))
    headers = {} if given is None else {"Authorization": given}
    for url in (*urls, "/models/" + "0" * 64 + ".onnx"):
        response, body = ask(server, url, **headers)
        assert response.status == 401
        assert b"open the address that was printed" in body
        assert response.headers["Cache-Control"] == "no-store"


def test_with_the_token_a_model_is_its_bytes_and_a_document_its_json(
    serve: Serve, model: Path
) -> None:
    server = serve()
    url, document = server.add_file(model, HASH), server.add_document("a.json", {"é": [1, None]})
    assert (url, document) == (f"/models/{HASH}.onnx", "/bench/documents/a.json")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    response, body = ask(server, url, **bearer)
    assert (response.status, body) == (200, MODEL)
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Length"] == str(len(MODEL))
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    response, body = ask(server, document, **bearer)
    assert json.loads(body) == {"é": [1, None]}
    assert ask(server, "/models/" + "0" * 64 + ".onnx", **bearer)[0].status == 404
    assert ask(server, "/bench/documents/b.json", **bearer)[0].status == 404


@pytest.mark.parametrize("fault", ["changed", "removed"])
def test_a_model_that_changed_since_is_not_served(serve: Serve, model: Path, fault: str) -> None:
    server = serve()
    url = server.add_file(model, HASH)
    if fault == "changed":
        model.write_bytes(MODEL + b"x")
    else:
        model.unlink()
    response, body = ask(server, url, Authorization=f"Bearer {TOKEN}")
    assert response.status == 410
    assert body == b"the model's file was changed or removed meanwhile\n"


@pytest.mark.parametrize("given", ["", "0" * 63, "A" * 64, "../" + "0" * 61])
def test_a_models_hash_has_to_be_one(serve: Serve, model: Path, given: str) -> None:
    with pytest.raises(UsageError, match="is no SHA-256"):
        serve().add_file(model, given)


@contextlib.asynccontextmanager
async def connected(
    server: PageServer, origin: str | None = "", hello: object = ""
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Connect as a page does; an empty origin and hello are the right ones."""
    own = f"http://127.0.0.1:{port_of(server)}"
    headers = {} if origin is None else {"Origin": origin or own}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{own}/bench/socket", headers=headers, max_msg_size=0) as page,
    ):
        if hello == "":
            hello = {"hello": 1, "token": server.token, "page": {"version": "0.1.0"}}
        if isinstance(hello, str):
            await page.send_str(hello)
        elif isinstance(hello, bytes):
            await page.send_bytes(hello)
        elif hello is not None:
            await page.send_json(hello)
        yield page


def test_a_page_with_the_token_is_talked_to(serve: Serve) -> None:
    server = serve()

    async def talk() -> None:
        async with connected(server) as page:
            assert await page.receive_json() == {"welcome": {"version": "0.1.0"}}
            await page.send_bytes(b"x" * (1 << 20))
            assert await page.receive_str() == str(1 << 20)

    asyncio.run(talk())


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1", "*"],
)
def test_another_origin_gets_no_socket(serve: Serve, origin: str | None) -> None:
    server = serve()
    given = origin and origin.format(port=port_of(server))

    async def talk() -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(server, origin=given):
                pass
        assert refused.value.status == 403

    asyncio.run(talk())


@pytest.mark.parametrize(
    "hello",
    [
        "nonsense",
        "[1]",
        "[" * 4000,
        {"hello": 1},
        {"hello": 1, "token": None, "page": {}},
        {"hello": 1, "token": TOKEN + "x", "page": {}},
        {"hello": 1, "token": TOKEN[:5], "page": {}},
        {"hello": 2, "token": TOKEN, "page": {}},
        {"hello": 1, "token": "é" * 22, "page": {}},
        {"hello": 1, "token": "\ud800", "page": {}},
        {"hello": 1, "token": TOKEN, "page": "x" * 5000},
        json.dumps({"hello": 1, "token": TOKEN, "page": {}}).encode(),
    ],
    ids=str,
)
def test_a_page_without_the_token_is_put_out(serve: Serve, hello: object) -> None:
    server = serve()

    async def talk() -> None:
        async with connected(server, hello=hello) as page:
            message = await page.receive()
            assert message.type is WSMsgType.CLOSE
            assert message.data == 1008
            assert message.extra == "no or a wrong token"

    asyncio.run(talk())


@pytest.mark.usefixtures("impatient")
def test_a_socket_that_says_nothing_is_closed(serve: Serve) -> None:
    server = serve()

    async def talk() -> None:
        async with connected(server, hello=None) as page:
            assert (await asyncio.wait_for(page.receive(), 10)).data == 1008

    asyncio.run(talk())


def test_sockets_that_say_nothing_keep_nobody_out_and_are_few(serve: Serve) -> None:
    server = serve()

    async def talk() -> None:
        async with contextlib.AsyncExitStack() as stack:
            silent = [
                await stack.enter_async_context(connected(server, hello=None))
                for _ in range(servers._MOST_STRANGERS + 3)
            ]
            async with connected(server) as page:
                assert "welcome" in await page.receive_json()
                # Those that came first gave way to the others and to the page.
                for one in silent[:4]:
                    ended = await asyncio.wait_for(one.receive(), 5)
                    assert ended.type in (WSMsgType.CLOSED, WSMsgType.ERROR)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(silent[4].receive(), 0.1)
                # A page that was let in is no stranger any more.
                for _ in range(servers._MOST_STRANGERS + 1):
                    await stack.enter_async_context(connected(server, hello=None))
                await page.send_str("abc")
                assert await page.receive_str() == "3"

    asyncio.run(talk())


def test_a_message_that_is_too_large_ends_the_connection(serve: Serve) -> None:
    server = serve(message_bytes=1 << 16)

    async def talk() -> None:
        async with connected(server) as page:
            await page.receive_json()
            await page.send_bytes(b"x" * (1 << 16))
            assert await page.receive_str() == str(1 << 16)
            await page.send_bytes(b"x" * ((1 << 16) + 1))
            message = await page.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)

    asyncio.run(talk())


def test_two_pages_are_told_apart_and_who_talks_to_them_decides(serve: Serve) -> None:
    taken = threading.Lock()

    async def one_at_a_time(page: web.WebSocketResponse, hello: Mapping[str, Any]) -> None:
        if not taken.acquire(blocking=False):
            await page.send_json({"busy": "another page is open"})
            return
        try:
            await echo(page, hello)
        finally:
            taken.release()

    server = serve(on_page=one_at_a_time)

    async def talk() -> None:
        async with connected(server) as first:
            assert "welcome" in await first.receive_json()
            async with connected(server) as second:
                assert "busy" in await second.receive_json()
                assert (await second.receive()).type is WSMsgType.CLOSE
            await first.send_str("abc")
            assert await first.receive_str() == "3"

    asyncio.run(talk())


def test_one_that_fails_talking_to_a_page_does_not_end_the_server(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(page: web.WebSocketResponse, hello: Mapping[str, Any]) -> None:
        raise RuntimeError("a bug")

    server = serve(on_page=fail)

    async def talk() -> None:
        async with connected(server) as page:
            assert (await page.receive()).type is WSMsgType.CLOSE

    asyncio.run(talk())
    assert ask(server, "/bench/")[0].status == 200
    assert "a bug" in caplog.text


def test_without_anybody_to_talk_to_there_is_no_socket(serve: Serve) -> None:
    assert ask(serve(on_page=None), "/bench/socket")[0].status == 404


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("slowly", ["nothing", "letters", "second"])
def test_who_asks_too_slowly_is_hung_up_on(serve: Serve, slowly: str) -> None:
    server = serve()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=0.1) as raw:
        if slowly == "second":
            raw.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port_of(server)}\r\n\r\n".encode())
            assert b" 302 " in raw.recv(4096)
        answers = []
        for letter in b"GET /bench/ HTTP/1.1\r\nX: " + b"x" * 100:
            with contextlib.suppress(TimeoutError, BrokenPipeError):
                if slowly != "nothing":
                    raw.sendall(bytes([letter]))
                try:
                    answers.append(raw.recv(1))
                except ConnectionError:
                    answers.append(b"")
                if not answers[-1]:
                    break
    assert answers[-1:] == [b""], "still connected after ten seconds"
    assert len(answers) == 1


def test_broken_requests_leave_no_words_in_the_terminal(
    serve: Serve, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    for request in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100, b"x"):
        with (
            socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw,
            contextlib.suppress(ConnectionError),
        ):
            raw.sendall(request)
            raw.shutdown(socket.SHUT_WR)
            raw.recv(4096)
    assert ask(server, "/bench/")[0].status == 200
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


def test_what_is_run_in_the_servers_loop_gives_its_result_or_is_cut_off(serve: Serve) -> None:
    server = serve()
    assert server.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(TimeoutError):
        server.run(asyncio.sleep(60), timeout=0.05)


def test_a_taken_port_is_named_with_what_to_do(serve: Serve) -> None:
    port = port_of(serve())
    with pytest.raises(UsageError, match=rf"^port={port}: cannot serve there .*name another"):
        serve(port=port)


@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_port_that_is_none_is_refused(serve: Serve, port: int) -> None:
    with pytest.raises(UsageError, match=f"port={port}"):
        serve(port=port)


def test_a_closed_server_tells_its_page_and_leaves_nothing(serve: Serve) -> None:
    server = serve()
    port = port_of(server)

    async def talk() -> None:
        async with connected(server) as page:
            await page.receive_json()
            ending = asyncio.get_running_loop().run_in_executor(None, server.close)
            message = await page.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
            assert message.extra == "the command ended"
            await ending

    asyncio.run(talk())
    assert "pages" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    server.close()
    with contextlib.closing(serve(port=port)) as again:
        assert port_of(again) == port


@pytest.fixture
def on_the_network(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PageServer:
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    try:
        return serve(lan=True)
    except UsageError as error:
        pytest.skip(f"this machine is on no network: {error}")


def trusting(server: PageServer) -> ssl.SSLContext:
    """Trust the very certificate whose fingerprint was printed."""
    pem = ssl.get_server_certificate(("127.0.0.1", port_of(server)), timeout=10)
    digest = sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    assert server.fingerprint is not None
    assert server.fingerprint.replace(":", "") == digest
    return ssl.create_default_context(cadata=pem)


def test_on_the_network_it_speaks_tls_with_a_certificate_for_the_machines_addresses(
    on_the_network: PageServer, tmp_path: Path
) -> None:
    server = on_the_network
    address = urlsplit(server.address)
    assert address.scheme == "https"
    assert address.hostname is not None
    assert not address.hostname.startswith("127.")
    context = trusting(server)
    for host in (address.hostname, "127.0.0.1", "localhost"):
        connection = http.client.HTTPSConnection(host, address.port, timeout=10, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/bench/")
            response = connection.getresponse()
            assert response.status == 200
            rules = response.headers["Content-Security-Policy"]
            assert f"wss://{host}:{address.port};" in rules
    assert list((tmp_path / "temporary").iterdir()) == [], "the private key stayed on disk"


def test_on_the_network_the_socket_wants_the_pages_own_https_origin(
    on_the_network: PageServer,
) -> None:
    server = on_the_network
    own = server.address.partition("/bench/")[0]

    async def talk() -> None:
        async with aiohttp.ClientSession() as session:
            more = {"ssl": trusting(server)}
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(
                    f"{own}/bench/socket", headers={"Origin": own.replace("https", "http")}, **more
                )
            page = await session.ws_connect(f"{own}/bench/socket", headers={"Origin": own}, **more)
            await page.send_json({"hello": 1, "token": TOKEN, "page": 1})
            assert await page.receive_json() == {"welcome": 1}
            await page.close()

    asyncio.run(talk())


@pytest.mark.usefixtures("impatient")
def test_who_begins_tls_and_stops_is_hung_up_on(on_the_network: PageServer) -> None:
    server = on_the_network
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01")
        assert raw.recv(64) == b""


def test_plain_http_gets_nothing_from_a_server_on_the_network(on_the_network: PageServer) -> None:
    with (
        socket.create_connection(("127.0.0.1", port_of(on_the_network)), timeout=10) as raw,
        contextlib.suppress(ConnectionError),
    ):
        raw.sendall(b"GET /bench/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in raw.recv(4096)
