"""Stores at URLs, against a real S3 server that checks who asks."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
import s3fs
from s3_server import CuttingProxy, S3Server, forget_connections, s3_server

from lama_edge.stores import remote
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import Store, StoreError, StoreFileError

# Every way in which a run touches a store.
USES: dict[str, Callable[[Store], Any]] = {
    "kind": lambda store: store.kind(),
    "entries": lambda store: store.entries(),
    "recursive": lambda store: store.entries(recursive=True),
    "find": lambda store: store.find("a.png"),
    "head": lambda store: store.head("a.png", 4),
    "read": lambda store: store.read("a.png"),
    "fetched": lambda store: ExitStack().enter_context(store.fetched("a.png")),
    "put": lambda store: store.put("a.png", b""),
    "remove": lambda store: store.remove("a.png"),
    "check_writable": lambda store: store.check_writable(),
    "sweep": lambda store: store.sweep(older_than_s=0),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither we nor the packages below try again."""
    monkeypatch.setattr(remote, "_WAITS_S", ())
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture
def proxy(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    """What stands between the stores and the server."""
    with closing(CuttingProxy(s3.port)) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.endpoint)
        yield between


def _error(kind: type[Exception], use: Callable[[Store], Any], store: Store) -> str:
    with pytest.raises(kind) as caught:
        use(store)
    return str(caught.value)


def test_a_folder_of_a_bucket_is_a_store_like_another(bucket: str, s3: S3Server) -> None:
    store = open_store(f"{bucket}/in")
    assert store.kind() == "missing"
    assert store.entries() == store.entries(recursive=True) == []
    store.check_writable()
    for name in ("b.png", "a.png", "day/c.png", "day/.d.png", ".hidden/e.png", "out/f.png"):
        store.put(name, name.encode())
    s3.client().put_object(Bucket=bucket[5:], Key="in/day/")  # as consoles make folders
    s3.client().put_object(Bucket=bucket[5:], Key="inside.png", Body=b"beside")
    assert store.kind() == "folder"
    assert [entry.name for entry in store.entries()] == ["a.png", "b.png"]
    inside = store.entries(recursive=True, left_out=[open_store(f"{bucket}/in/out/")])
    assert [entry.name for entry in inside] == ["a.png", "b.png", "day/c.png"]
    assert [entry.name for entry in store.entries("day")] == ["day/c.png"]
    assert store.entries("no") == []
    assert store.find("a.png") == store.entries()[0]
    assert store.find("no.png") is None
    assert store.find("day") is None
    assert (store.read("a.png"), store.head("a.png", 3)) == (b"a.png", b"a.p")
    assert store.spell("day/c.png") == f"{bucket}/in/day/c.png"
    store.remove("a.png")
    store.remove("a.png")
    assert [entry.name for entry in store.entries()] == ["b.png"]
    assert pickle.loads(pickle.dumps(store)).read("b.png") == b"b.png"


def test_a_url_of_one_file_is_a_store_of_it(bucket: str) -> None:
    open_store(bucket).put("masks/one.mask.png", b"mask")
    store = open_store(f"{bucket}/masks/one.mask.png")
    assert store.kind() == "file"
    assert store.entries() == []
    with store.fetched("") as copy:
        assert (copy.name, copy.read_bytes()) == ("one.mask.png", b"mask")


def test_no_listing_is_an_old_one(bucket: str, s3: S3Server) -> None:
    store = open_store(bucket)
    store.put("a.png", b"one")
    (before,) = store.entries()
    s3.client().put_object(Bucket=bucket[5:], Key="a.png", Body=b"two")
    s3.client().put_object(Bucket=bucket[5:], Key="day/b.png", Body=b"new")
    after, new = store.entries(recursive=True)
    assert after.stamp not in ("", before.stamp)
    assert new.name == "day/b.png"
    assert store.find("a.png") == after


def test_a_copy_has_the_files_name_and_goes_with_its_block(bucket: str) -> None:
    store = open_store(bucket)
    name = "x" * 300 + ".png"
    for one in ("day/a.b.PNG", name, "empty"):
        store.put(one, b"" if one == "empty" else b"pixels")
    with store.fetched("day/a.b.PNG") as copy:
        assert (copy.name, copy.read_bytes()) == ("a.b.PNG", b"pixels")
    assert not copy.parent.exists()
    with store.fetched(name) as copy:
        assert (copy.suffix, copy.read_bytes()) == (".png", b"pixels")
    with store.fetched("empty") as copy:
        assert copy.read_bytes() == store.head("empty", 9) == b""


def test_results_are_put_whole_under_their_own_name_alone(bucket: str, s3: S3Server) -> None:
    store = open_store(bucket)
    with store.written("day/a.png") as path:
        path.write_bytes(b"first")
        assert s3.keys(bucket[5:]) == []
    with suppress(KeyError), store.written("day/a.png") as path:
        path.write_bytes(b"half")
        raise KeyError
    assert not path.parent.exists()
    store.check_writable()
    assert s3.keys(bucket[5:]) == ["day/a.png"]
    assert store.read("day/a.png") == b"first"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAWRONG", "InvalidAccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", None, "NoCredentialsError"),
    ],
)
def test_wrong_credentials_end_a_run_in_one_line(
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    code: str,
) -> None:
    if value is None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", "/nowhere")
    else:
        monkeypatch.setenv(variable, value)
    forget_connections()
    store = open_store(f"{bucket}/in")
    for use in USES.values():
        assert _error(StoreError, use, store) == (
            f"the store '{bucket}/in' refuses the credentials ({code}): check AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )


@pytest.mark.usefixtures("impatient")
def test_what_one_has_no_right_to_is_one_line(
    bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(bucket).put("a.png", b"data")
    for name, value in s3.stranger.items():
        monkeypatch.setenv(name, value)
    forget_connections()
    store = open_store(bucket)
    right = "(AccessDenied): check your rights there"
    for use, verb in (("entries", "listed"), ("check_writable", "written")):
        message = _error(StoreError, USES[use], store)
        assert message == f"'{bucket}' cannot be {verb} {right}"
    for use, verb in (("read", "read"), ("fetched", "read"), ("put", "written")):
        message = _error(StoreFileError, USES[use], store)
        assert message == f"'{bucket}/a.png' cannot be {verb} {right}"


@pytest.mark.usefixtures("impatient", "bucket")
@pytest.mark.parametrize("below", ["", "/in"])
def test_a_missing_bucket_ends_a_run_in_one_line(below: str) -> None:
    store = open_store(f"s3://no-such-bucket{below}")
    for use in USES.values():
        assert _error(StoreError, use, store) == (
            f"the bucket of 's3://no-such-bucket{below}' does not exist (NoSuchBucket): create "
            "it first, or check its name"
        )


def test_a_missing_file_is_that_ones_error(bucket: str) -> None:
    store = open_store(bucket)
    for use in ("head", "read", "fetched"):
        message = _error(StoreFileError, USES[use], store)
        assert message == f"the file '{bucket}/a.png' does not exist: check the URL"


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_gone_ends_a_run_in_one_line(bucket: str, proxy: CuttingProxy) -> None:
    store = open_store(bucket)
    store.put("a.png", b"data")
    proxy.close()
    for use in USES.values():
        message = _error(StoreError, use, store)
        assert message.startswith(f"there is no connection to '{bucket}' (EndpointConnectionError")
        assert message.endswith("check the network and the store's endpoint, and run it again")
        assert "\n" not in message


@pytest.mark.usefixtures("impatient")
def test_a_server_that_stops_in_the_midst_ends_a_run_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        forget_connections()
        store = open_store(f"s3://{server.new_bucket('short-lived')}")
        store.put("a.png", b"data")
        assert store.read("a.png") == b"data"
        server.stop()
        message = _error(StoreError, USES["read"], store)
        assert message.startswith("there is no connection to 's3://short-lived' (")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("use", ["read", "fetched"])
def test_a_connection_cut_within_a_file_ends_a_run_and_leaves_no_half(
    bucket: str, proxy: CuttingProxy, use: str
) -> None:
    store = open_store(bucket)
    store.put("a.png", bytes(300_000))
    proxy.cut_after = 100_000
    message = _error(StoreError, USES[use], store)
    assert message.startswith(f"there is no connection to '{bucket}' (")


def test_a_short_outage_ends_no_run(
    bucket: str, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        proxy.refusing = len(waits) < 3

    monkeypatch.setattr(remote.time, "sleep", wait)
    store = open_store(bucket)
    store.put("a.png", b"data")
    proxy.refusing = True
    assert store.read("a.png") == b"data"
    assert waits == [1.0, 2.0, 4.0]


def test_the_endpoint_may_come_from_fsspecs_configuration(
    bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.config import conf, set_conf_env

    monkeypatch.delenv("AWS_ENDPOINT_URL")
    set_conf_env(found := {}, {"FSSPEC_S3_ENDPOINT_URL": s3.endpoint})
    monkeypatch.setitem(conf, "s3", found["s3"])
    forget_connections()
    open_store(bucket).put("a.png", b"data")
    assert s3.keys(bucket[5:]) == ["a.png"]
