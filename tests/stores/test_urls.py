"""Stores at URLs of other kinds: those that move what was put, pages, what is not installed."""

from __future__ import annotations

import errno
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pytest

from lama_edge.errors import MissingBackendError
from lama_edge.stores import remote
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import StoreError, StoreFileError
from lama_edge.stores.telling import failure_of

NO_SUCH_PID = 999_999_999


@pytest.fixture
def memory() -> Iterator[str]:
    """The URL of an empty folder, where nothing is put whole by itself."""
    yield "memory://somewhere/in"
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[str]:
    """The URL of a folder of pages."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_store_without_an_atomic_put_gets_a_hidden_file_that_is_moved(memory: str) -> None:
    store = open_store(memory)
    assert store.kind() == "missing"
    store.check_writable()
    assert store.kind() == "folder"
    with store.written("day/a.png") as path:
        path.write_bytes(b"first")
    store.put("day/a.png", b"second")
    assert [entry.name for entry in store.entries(recursive=True)] == ["day/a.png"]
    assert list(fsspec.filesystem("memory").find("/")) == ["/somewhere/in/day/a.png"]
    assert (store.read("day/a.png"), store.head("day/a.png", 3)) == (b"second", b"sec")


def test_a_move_that_fails_leaves_what_was_there(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(memory)
    store.put("a.png", b"first")
    fs = fsspec.filesystem("memory")
    seen: list[str] = []

    def refuse(source: str, target: str) -> None:
        seen.extend(fs.find("/somewhere"))
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(type(fs), "mv", staticmethod(refuse))
    with pytest.raises(StoreFileError, match=r"a\.png' cannot be written"):
        store.put("a.png", b"second")
    hidden = next(name for name in seen if name != "/somewhere/in/a.png")
    assert hidden.startswith("/somewhere/in/.a.tmp-")
    assert hidden.endswith(".png")
    assert list(fs.find("/")) == ["/somewhere/in/a.png"]
    assert store.read("a.png") == b"first"


def test_what_killed_runs_left_at_a_url_is_swept(memory: str) -> None:
    store, fs = open_store(memory), fsspec.filesystem("memory")
    own = remote.temporary_name("a.png")
    dead = own.replace(f"-{os.getpid()}-", f"-{NO_SUCH_PID}-")
    other = dead.replace(dead[-8:], "beef.png" if dead[-8:-4] != "beef" else "dead.png")
    for name in (own, dead, other, "a.png", ".notes.tmp-1.png"):
        fs.pipe_file(f"/somewhere/in/day/{name}", b"")
    assert store.sweep(older_than_s=3600) == 1
    assert store.sweep(older_than_s=-1) == 1
    left = [name.rpartition("/")[2] for name in fs.find("/")]
    assert left == sorted([own, "a.png", ".notes.tmp-1.png"])


def test_a_signed_page_is_read_and_its_signature_is_not_told(
    pages: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_WAITS_S", ())
    (tmp_path / "mask.png").write_bytes(b"mask")
    store = open_store(f"{pages}/mask.png?X-Amz-Signature=s3cr3t")
    assert store.kind() == "file"
    assert store.spell() == f"{pages}/mask.png"
    with store.fetched("") as copy:
        assert (copy.name, copy.read_bytes()) == ("mask.png", b"mask")
    (tmp_path / "mask.png").unlink()
    with pytest.raises(StoreFileError) as caught:
        store.read("")
    assert str(caught.value) == f"the file '{pages}/mask.png' does not exist: check the URL"
    with pytest.raises(StoreError) as refused:
        open_store(f"{pages}/out/").check_writable()
    assert str(refused.value).startswith(f"'{pages}/out/' cannot be written (")


def test_a_folder_of_pages_is_listed(pages: str, tmp_path: Path) -> None:
    for name in ("in/a.png", "in/b.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    store = open_store(f"{pages}/in/")
    assert store.kind() == "folder"
    assert [entry.name for entry in store.entries()] == ["a.png", "b.png"]
    assert store.read("b.png") == b"in/b.png"


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("gs://bucket/in", MissingBackendError, "install it with: pip install gcsfs"),
        ("abfs://bucket/in", MissingBackendError, "install it with: pip install adlfs"),
        ("nothing://bucket", StoreError, "is no URL that fsspec knows: give such as s3://"),
        ("zip://a.png::s3://bucket/a.zip", StoreError, "chains several"),
        ("s3://KEY:sEc/rEt@bucket/in", StoreError, "'s3://bucket/in' has credentials in it"),
    ],
)
def test_a_url_that_cannot_be_opened_is_one_line(
    address: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        open_store(address)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "sEc" not in message


@pytest.mark.parametrize(
    ("address", "spelled"),
    [
        ("memory://user:sEcrEt@host/in", "memory://host/in"),
        ("memory://user@host/in", "memory://user@host/in"),
        ("memory://host:8080/a@b/in", "memory://host:8080/a@b/in"),
        ("memory://a/b@revision/in?token=sEcrEt", "memory://a/b@revision/in"),
        ("memory://a/what?/in", "memory://a/what?/in"),
    ],
)
def test_secrets_of_a_url_are_not_spelled(address: str, spelled: str) -> None:
    assert open_store(address).spell() == spelled
    assert open_store(address).spell("a.png") == f"{spelled}/a.png"


@pytest.mark.skipif(os.name != "posix", reason="a shell sees to it")
def test_a_process_that_is_killed_leaves_no_copies() -> None:
    code = (
        "import sys; from lama_edge.stores.addresses import open_store\n"
        "store = open_store('memory://a')\n"
        "store.put('a.png', b'pixels')\n"
        "with store.fetched('a.png') as copy: print(copy, flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        copy = Path(process.stdout.readline().strip())
        assert copy.read_bytes() == b"pixels"
        process.kill()
    for _ in range(100):
        if not copy.parent.parent.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{copy} is still there")


def test_without_fsspec_folders_work_and_urls_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    open_store(tmp_path).put("a.png", b"data")
    assert open_store(tmp_path).read("a.png") == b"data"
    with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[cluster\]"$'):
        open_store("s3://bucket")


def _named(name: str, *bases: type[BaseException], **values: object) -> BaseException:
    error = type(name, bases or (Exception,), {})("at http://host/x?X-Amz-Signature=sEcrEt")
    vars(error).update(values)
    return error


def _because(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (_named("DefaultCredentialsError"), "credentials"),  # google.auth
        (_named("HttpError", code=401), "credentials"),  # gcsfs
        (_named("HttpError", code=403), "refused"),
        (_named("HttpError", code=503), "connection"),
        (_named("ClientAuthenticationError", status_code=403), "credentials"),  # azure.core
        (_named("ResourceNotFoundError", error_code="ContainerNotFound"), "container"),
        (_named("ServiceRequestError"), "connection"),
        (_named("RepositoryNotFoundError", OSError), "container"),  # huggingface_hub
        (_named("RemoteEntryNotFoundError", type("EntryNotFoundError", (OSError,), {})), "missing"),
        (_named("ClientResponseError", status=404), "missing"),  # aiohttp
        (_named("ReadTimeout", type("TransportError", (Exception,), {})), "connection"),  # httpx
        (_named("AuthenticationException"), "credentials"),  # paramiko
        (_named("FSTimeoutError", TimeoutError), "connection"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "connection"),
        (FileNotFoundError("a"), "missing"),
        (PermissionError("a"), "refused"),
        (OSError(errno.ENOSPC, "full"), "room"),
        (ValueError("a"), "other"),
        (_because(PermissionError("a"), _named("X", code="ExpiredToken")), "credentials"),
        (_because(OSError(errno.EIO, "a"), _named("X", code="SlowDown")), "connection"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
def test_errors_of_clients_are_understood(error: BaseException, meaning: str) -> None:
    failure = failure_of(error)
    assert failure.meaning == meaning
    assert "sEcrEt" not in failure.detail


def test_an_age_is_read_as_each_client_tells_it() -> None:
    assert remote._age_s({"mtime": time.time() - 60}) == pytest.approx(60, abs=5)
    assert remote._age_s({"updated": "2020-01-01T00:00:00+00:00"}) > 1e8
    assert remote._age_s({"name": "a"}) == 0
