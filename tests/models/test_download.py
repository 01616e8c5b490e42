"""Downloads from a real server on this machine: breaks, resumes, refusals, and what is left."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lama_edge.errors import CheckpointError, LamaEdgeError, UsageError
from lama_edge.models import download as module
from lama_edge.models.download import download

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()
ETAG = '"v1"'
STALL_S = 0.3

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A server on the loopback interface: what it answers by path, and what it was asked."""

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def serve(self, answer: Answer, path: str = "/file") -> str:
        self.answers[path] = answer
        return f"{self.address}{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.requests.append((self.path, dict(self.headers)))
            known.answers.get(self.path, missing)(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield known
    known.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def missing(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


def send(
    handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: object
) -> None:
    """Answer; headers are named with underscores, and None leaves one out."""
    headers = {"Content_Length": len(data), **headers}
    handler.send_response(status)
    for name, value in headers.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.write(data)


def plain(data: bytes = DATA, **headers: object) -> Answer:
    return lambda handler: send(handler, data, **headers)


def ranged(data: bytes = DATA, etag: str = ETAG) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if not asked or handler.headers.get("If-Range", etag) != etag:
            return send(handler, data, ETag=etag)
        start = int(asked.group(1))
        if start >= len(data):
            return send(handler, b"", 416, Content_Range=f"bytes */{len(data)}")
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return send(handler, data[start:], 206, ETag=etag, Content_Range=span)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer the first request with the first, and so on; the last one stays."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def cut_off(length: int, **headers: object) -> Answer:
    """Promise everything, send `length` bytes, close."""
    return lambda handler: send(
        handler, DATA[:length], **{"Content_Length": len(DATA), "ETag": ETAG, **headers}
    )


def break_off(site: Site, target: Path, length: int = 1000, **headers: object) -> str:
    """Leave a partial file behind; return the address it came from."""
    url = site.serve(in_turn(cut_off(length, **headers), missing))
    with pytest.raises(CheckpointError):
        download(url, target, sha256=SHA256)
    assert part_of(target).read_bytes() == DATA[:length]
    site.requests.clear()
    return url


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def refusal(url: str, target: Path, **options: Any) -> str:
    """Return what a failed download says, on its one line; nothing has the final name."""
    with pytest.raises(LamaEdgeError) as caught:
        download(url, target, **{"sha256": SHA256, **options})
    assert not target.exists()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "model.pt"


@pytest.mark.parametrize("hashes", [{"sha256": SHA256}, {"md5": MD5}, {"sha256": SHA256.upper()}])
def test_a_file_arrives_whole_and_alone(site: Site, target: Path, hashes: dict[str, str]) -> None:
    assert download(site.serve(plain()), target, size=len(DATA), **hashes) == target
    assert target.read_bytes() == DATA
    assert visible(target.parent) == {"model.pt"}


def test_a_file_of_unannounced_length_arrives(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    url = site.serve(plain(Content_Length=None))
    download(url, target, sha256=SHA256, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == DATA
    assert seen[-1] == (len(DATA), None)


def test_progress_counts_up_to_the_total(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    download(
        site.serve(in_turn(cut_off(1000), ranged())),
        target,
        sha256=SHA256,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_verified_file_is_not_downloaded_again(site: Site, target: Path) -> None:
    url = site.serve(plain())
    for _ in range(2):
        download(url, target, sha256=SHA256)
    assert len(site.requests) == 1


def test_a_damaged_file_is_replaced(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"damaged")
    download(site.serve(plain()), target, sha256=SHA256)
    assert target.read_bytes() == DATA


def test_a_break_is_continued_at_once(site: Site, target: Path) -> None:
    download(site.serve(in_turn(cut_off(1000), ranged())), target, sha256=SHA256)
    assert target.read_bytes() == DATA
    assert site.ranges == [None, "bytes=1000-"]
    assert site.requests[1][1]["If-Range"] == ETAG


def test_breaks_without_end_are_given_up(site: Site, target: Path) -> None:
    said = refusal(site.serve(cut_off(1000)), target)
    assert "broke off after 1000 bytes" in said
    assert "again to continue" in said
    assert len(site.requests) == 2


def test_the_next_call_continues_a_break(site: Site, target: Path) -> None:
    break_off(site, target)
    download(site.serve(ranged()), target, sha256=SHA256)
    assert target.read_bytes() == DATA
    assert site.ranges == ["bytes=1000-"]
    assert visible(target.parent) == {"model.pt"}


@pytest.mark.parametrize(
    "answer",
    [
        plain(),
        ranged(etag='"v2"'),
        in_turn(
            lambda handler: send(handler, DATA[:99], 206, Content_Range="bytes 0-98/99"), plain()
        ),
        in_turn(lambda handler: send(handler, b"", 416), plain()),
    ],
    ids=["no ranges", "file replaced meanwhile", "another range", "range refused"],
)
def test_a_server_that_cannot_continue_sends_all_again(
    site: Site, target: Path, answer: Answer
) -> None:
    break_off(site, target)
    download(site.serve(answer), target, sha256=SHA256)
    assert target.read_bytes() == DATA


def test_a_weak_etag_is_not_used_to_continue(site: Site, target: Path) -> None:
    break_off(site, target, ETag='W/"v1"', Last_Modified="Sun, 22 Nov 2026 08:00:00 GMT")
    download(site.serve(plain()), target, sha256=SHA256)
    assert site.requests[0][1]["If-Range"] == "Sun, 22 Nov 2026 08:00:00 GMT"


def test_a_part_from_elsewhere_is_not_continued(site: Site, target: Path) -> None:
    break_off(site, target)
    download(site.serve(ranged(), "/other"), target, sha256=SHA256)
    assert site.ranges == [None]
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("state", ["", "[]", "{}", "\x00"])
def test_a_damaged_note_about_the_part_starts_over(site: Site, target: Path, state: str) -> None:
    url = break_off(site, target)
    target.with_name("model.pt.part.json").write_text(state)
    site.serve(ranged())
    download(url, target, sha256=SHA256)
    assert target.read_bytes() == DATA


def interrupt_when(wanted: Callable[[int], bool]) -> Callable[[int, int | None], None]:
    def progress(done: int, total: int | None) -> None:
        if wanted(done):
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_download_keeps_its_part_and_continues(site: Site, target: Path) -> None:
    url = site.serve(ranged())
    with pytest.raises(KeyboardInterrupt):
        download(url, target, sha256=SHA256, progress=interrupt_when(lambda done: done > 0))
    assert not target.exists()
    kept = part_of(target).read_bytes()
    assert kept
    assert DATA.startswith(kept)
    download(url, target, sha256=SHA256)
    assert target.read_bytes() == DATA
    assert site.ranges == [None, f"bytes={len(kept)}-"]


@pytest.mark.parametrize(("size", "requests"), [(None, 2), (len(DATA), 1)])
def test_a_whole_part_is_recognised_by_its_size_or_the_servers_refusal(
    site: Site, target: Path, size: int | None, requests: int
) -> None:
    url = site.serve(ranged())
    at_the_end = interrupt_when(lambda done: done == len(DATA))
    with pytest.raises(KeyboardInterrupt):
        download(url, target, sha256=SHA256, progress=at_the_end)
    download(url, target, sha256=SHA256, size=size)
    assert target.read_bytes() == DATA
    assert len(site.requests) == requests


def test_another_file_is_deleted_and_both_hashes_are_named(site: Site, target: Path) -> None:
    other = b"x" * len(DATA)
    said = refusal(site.serve(plain(other)), target, size=len(DATA))
    assert hashlib.sha256(other).hexdigest() in said
    assert SHA256 in said
    assert "deleted" in said
    assert not part_of(target).exists()


def test_a_stalled_server_is_left_after_the_timeout(site: Site, target: Path) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        site.released.wait(10)

    def start_then_stall(handler: BaseHTTPRequestHandler) -> None:
        cut_off(5)(handler)
        handler.wfile.flush()
        site.released.wait(10)

    assert "nothing came for 0.3 s" in refusal(site.serve(stall), target, timeout_s=STALL_S)
    said = refusal(site.serve(in_turn(start_then_stall, stall)), target, timeout_s=STALL_S)
    assert "nothing came for 0.3 s" in said
    assert part_of(target).read_bytes() == DATA[:5]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_an_http_error_names_its_code_and_a_way_out(site: Site, target: Path, status: int) -> None:
    said = refusal(site.serve(lambda handler: handler.send_error(status)), target)
    assert f"HTTP {status}" in said
    assert "give its path" in said


def test_a_redirect_is_followed(site: Site, target: Path) -> None:
    site.serve(ranged(), "/there")
    url = site.serve(lambda handler: send(handler, b"", 302, Location="/there"))
    download(url, target, sha256=SHA256)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize(
    "place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "/file", "http://[", None]
)
def test_a_redirect_elsewhere_is_refused(site: Site, target: Path, place: str | None) -> None:
    url = site.serve(lambda handler: send(handler, b"", 302, Location=place))
    assert "cannot be downloaded" in refusal(url, target)
    assert not part_of(target).exists()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "model.pt", "data:,x"])
def test_other_schemes_are_refused(target: Path, url: str) -> None:
    assert "http or https" in refusal(url, target)


def test_a_refused_connection_says_so(target: Path, site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        said = refusal(f"http://127.0.0.1:{port}/x", target)
    assert "refused" in said
    assert "check the network" in said


def test_an_unknown_host_says_so(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    assert "its host is not known" in refusal("http://nowhere.invalid/x", target)


def test_a_failed_secure_connection_says_so(site: Site, target: Path) -> None:
    url = site.serve(plain()).replace("http:", "https:")
    assert "certificates" in refusal(url, target)


def test_an_answer_that_is_no_http_says_so(site: Site, target: Path) -> None:
    url = site.serve(lambda handler: handler.wfile.write(b"\x00\x01garbage\r\n\r\n") and None)
    assert "cannot be downloaded" in refusal(url, target)


def test_the_proxy_of_the_environment_is_used(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", site.address)
    site.serve(plain(), "http://nowhere.invalid/file")
    download("http://nowhere.invalid/file", target, sha256=SHA256)
    assert target.read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 1])
def test_another_size_than_published_is_refused_before_a_byte(
    site: Site, target: Path, size: int
) -> None:
    said = refusal(site.serve(plain()), target, size=size)
    assert f"{len(DATA)} bytes where {size} were expected" in said
    assert not part_of(target).exists()


def test_without_a_published_size_too_much_is_refused(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", len(DATA) - 1)
    assert "at most" in refusal(site.serve(plain()), target)
    assert "over 10239 bytes" in refusal(site.serve(plain(Content_Length=None)), target)
    assert not part_of(target).exists()


def test_an_endless_answer_is_read_no_further_than_the_published_size(
    site: Site, target: Path
) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        send(handler, DATA, Content_Length=None)
        while not site.released.is_set():
            try:
                handler.wfile.write(DATA)
            except OSError:
                return

    download(site.serve(endless), target, sha256=SHA256, size=len(DATA))
    assert target.read_bytes() == DATA


def test_a_file_without_a_hash_is_not_downloaded(site: Site, target: Path) -> None:
    with pytest.raises(UsageError, match="no published hash"):
        download(site.serve(plain()), target)
    assert not site.requests


def test_a_second_download_of_the_same_file_is_refused(site: Site, target: Path) -> None:
    said: list[str] = []

    def again(done: int, total: int | None) -> None:
        said.append(refusal(url, target))

    url = site.serve(plain())
    download(url, target, sha256=SHA256, progress=again)
    assert "another process" in said[0]
    assert target.read_bytes() == DATA


def test_a_place_that_cannot_be_written_says_so(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "cannot be written" in refusal(site.serve(plain()), tmp_path / "file" / "model.pt")


def test_the_note_about_the_part_names_no_one(site: Site, target: Path) -> None:
    url = break_off(site, target)
    note = json.loads(target.with_name("model.pt.part.json").read_text())
    assert note == {"url": url, "validator": ETAG}
