"""The zoo: a registry that holds together, a cache in its place, and archives of any content."""

from __future__ import annotations

import functools
import hashlib
import io
import re
import stat
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest

from lama_edge.errors import CheckpointError, LamaEdgeError, UsageError
from lama_edge.models.checkpoint import CHECKPOINT_SUFFIXES, EMBEDDED_NAME, load_checkpoint
from lama_edge.models.config import CONFIGS
from lama_edge.models.zoo import (
    ArchiveMember,
    ZooEntry,
    cache_folder,
    fetch,
    installed_path,
    required_path,
    unpack,
    zoo_entries,
    zoo_entry,
)

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux' own place")
ENTRIES = {entry.name: entry for entry in zoo_entries()}
WEIGHTS = b"weights" * 1000
CONFIG = b"generator: {}\n"
MEMBERS = (
    ArchiveMember("config.yaml"),
    ArchiveMember("models/best.ckpt", len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest()),
)
HONEST = {"big-lama/": b"", "big-lama/config.yaml": CONFIG, "big-lama/models/best.ckpt": WEIGHTS}


@dataclass
class Publisher:
    """Serves a folder's files on the loopback interface, and counts what it is asked."""

    folder: Path
    address: str
    requests: list[str]

    def publish(self, name: str, data: bytes, entry: ZooEntry) -> ZooEntry:
        """Return the entry with this file in place of the published one."""
        (self.folder / name).write_bytes(data)
        hashes = {
            algorithm: hashlib.new(algorithm, data).hexdigest()
            for algorithm in ("sha256", "md5")
            if getattr(entry, algorithm)
        }
        members = MEMBERS if entry.members else ()
        return replace(entry, address=f"{self.address}/{name}", members=members, **hashes)


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: Any) -> None:
            requests.append(self.path)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    folder = tmp_path / "published"
    folder.mkdir()
    handler = functools.partial(Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Publisher(folder, f"http://127.0.0.1:{server.server_port}", requests)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(folder))
    return folder


def zipped(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def one_line(error: LamaEdgeError) -> str:
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return str(error)


def test_the_embedded_model_comes_first_and_loads_by_its_name() -> None:
    first = zoo_entries()[0]
    assert (first.name, first.source) == (EMBEDDED_NAME, "embedded")
    path = required_path(first)
    assert path.is_file()
    assert fetch(first) == path
    checkpoint = load_checkpoint(EMBEDDED_NAME)
    assert (checkpoint.path, checkpoint.config) == (path, first.architecture)
    assert checkpoint.sha256 == first.sha256


def test_names_are_unique_and_can_be_typed() -> None:
    assert len(ENTRIES) == len(zoo_entries())
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) for name in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_every_entry_holds_together(entry: ZooEntry) -> None:
    assert type(entry.architecture) is CONFIGS[entry.architecture.kind]
    assert entry.purpose
    assert "\n" not in entry.purpose
    assert entry.licence in ("Apache-2.0", "unknown")
    for hashes, digits in (
        ((entry.sha256, *(m.sha256 for m in entry.members)), 64),
        ((entry.md5,), 32),
    ):
        assert all(re.fullmatch(f"[0-9a-f]{{{digits}}}", value) for value in hashes if value)
    assert (entry.source != "bring-your-own") == bool(entry.sha256 or entry.md5)
    for member in entry.members:
        path = PurePosixPath(member.path)
        assert not path.is_absolute()
        assert ".." not in path.parts


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES.values() if entry.address], ids=lambda entry: entry.name
)
def test_addresses_are_secure_and_end_in_a_file_that_can_be_loaded(entry: ZooEntry) -> None:
    parts = urlsplit(entry.address or "")
    assert parts.scheme == "https"
    assert parts.netloc in ("huggingface.co", "github.com")
    suffix = PurePosixPath(parts.path).suffix
    if entry.members:
        assert suffix == ".zip"
        assert {member.path for member in entry.members} == {"config.yaml", "models/best.ckpt"}
    else:
        assert suffix in CHECKPOINT_SUFFIXES


def test_an_unknown_name_names_similar_ones() -> None:
    with pytest.raises(UsageError, match="did you mean lama-large-512px"):
        zoo_entry("lama_large_512px")
    with pytest.raises(UsageError) as caught:
        zoo_entry("nothing\nlike it")
    said = one_line(caught.value)
    assert "did you mean" not in said
    assert "models list" in said


def test_an_entry_as_plain_data_rebuilds_its_architecture() -> None:
    data = zoo_entry("lama-dilated").to_dict()
    assert data["source"] == "bring-your-own"
    assert data["architecture"]["kind"] == "pix2pixhd_multidilated"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, "home/.cache/lama-edge", marks=LINUX),
        pytest.param({"XDG_CACHE_HOME": "{tmp}/xdg"}, "xdg/lama-edge", marks=LINUX),
        pytest.param({"XDG_CACHE_HOME": "relative"}, "home/.cache/lama-edge", marks=LINUX),
        ({"LAMA_EDGE_CACHE": "{tmp}/own"}, "own"),
        ({"LAMA_EDGE_CACHE": "~/own"}, "home/own"),
    ],
)
def test_the_cache_is_where_it_was_in_the_first_version(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name in ("LAMA_EDGE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    assert cache_folder() == tmp_path / expected


def test_an_archive_is_fetched_unpacked_and_removed(publisher: Publisher, cache: Path) -> None:
    entry = publisher.publish("big-lama.zip", zipped(HONEST), zoo_entry("big-lama"))
    assert installed_path(entry) is None
    with pytest.raises(CheckpointError, match="models fetch big-lama"):
        required_path(entry)
    folder = fetch(entry)
    assert folder == installed_path(entry) == required_path(entry) == cache / "big-lama"
    assert (folder / "config.yaml").read_bytes() == CONFIG
    assert (folder / "models" / "best.ckpt").read_bytes() == WEIGHTS
    assert not list(cache.rglob("*.zip"))
    assert fetch(entry) == folder
    assert len(publisher.requests) == 1


def test_a_damaged_copy_is_fetched_again(publisher: Publisher, cache: Path) -> None:
    entry = publisher.publish("big-lama.zip", zipped(HONEST), zoo_entry("big-lama"))
    (fetch(entry) / "models" / "best.ckpt").write_bytes(b"damaged")
    assert (fetch(entry) / "models" / "best.ckpt").read_bytes() == WEIGHTS
    assert len(publisher.requests) == 2


def test_a_single_file_is_fetched_under_its_own_name(publisher: Publisher, cache: Path) -> None:
    entry = publisher.publish("big-lama.pt", WEIGHTS, zoo_entry("big-lama-torchscript"))
    seen: list[tuple[int, int | None]] = []
    path = fetch(entry, progress=lambda done, total: seen.append((done, total)))
    assert path == installed_path(entry) == cache / "big-lama-torchscript" / "big-lama.pt"
    assert path.read_bytes() == WEIGHTS
    assert seen == [(len(WEIGHTS), len(WEIGHTS))]


def test_an_md5_alone_needs_consent(publisher: Publisher) -> None:
    entry = publisher.publish("anime.pt", WEIGHTS, zoo_entry("anime-manga-big-lama"))
    with pytest.raises(UsageError, match="--accept-md5") as caught:
        fetch(entry)
    one_line(caught.value)
    assert not publisher.requests
    assert fetch(entry, accept_md5=True).read_bytes() == WEIGHTS


def test_a_wrong_file_is_not_installed(publisher: Publisher) -> None:
    entry = publisher.publish("big-lama.pt", WEIGHTS, zoo_entry("big-lama-torchscript"))
    (publisher.folder / "big-lama.pt").write_bytes(b"another")
    with pytest.raises(CheckpointError, match="sha256"):
        fetch(entry)
    assert installed_path(entry) is None


def test_a_checkpoint_without_an_address_is_brought_by_the_user() -> None:
    entry = zoo_entry("lama-fourier")
    assert installed_path(entry) is None
    for act in (fetch, required_path):
        with pytest.raises(CheckpointError, match="from its authors") as caught:
            act(entry)
        one_line(caught.value)


def with_declared_size(size: int) -> bytes:
    """Return the honest archive, its config.yaml claiming another uncompressed size."""
    data = bytearray(zipped(HONEST))
    for signature, offset, name_at in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        name = b"big-lama/config.yaml"
        at = next(
            match.start()
            for match in re.finditer(re.escape(signature), bytes(data))
            if data[match.start() + name_at :].startswith(name)
        )
        data[at + offset : at + offset + 4] = size.to_bytes(4, "little")
    return bytes(data)


def corrupted() -> bytes:
    """Return the honest archive with one byte of its compressed config.yaml changed."""
    data = bytearray(zipped(HONEST))
    start = bytes(data).index(b"big-lama/config.yaml") + len(b"big-lama/config.yaml")
    data[start + 3] ^= 0xFF
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "path escape": (lambda: zipped({**HONEST, "../../evil": b"x"}), "'../../evil'"),
    "absolute path": (lambda: zipped({**HONEST, "/etc/evil": b"x"}), "'/etc/evil'"),
    "backslashes": (lambda: zipped({**HONEST, "..\\evil": b"x"}), "evil"),
    "drive": (lambda: zipped({**HONEST, "C:evil": b"x"}), "'C:evil'"),
    "symbolic links": (lambda: zipped(HONEST, stat.S_IFLNK | 0o777), "no regular file"),
    "huge declared size": (lambda: with_declared_size(0xFFFFFFF0), "4294967280 bytes"),
    "wrong declared size": (lambda: with_declared_size(5), "cannot be unpacked"),
    "bomb": (lambda: zipped({**HONEST, "big-lama/config.yaml": bytes(2 << 20)}), "2097152 bytes"),
    "missing member": (lambda: zipped({"big-lama/config.yaml": CONFIG}), "0 times, not once"),
    "two checkpoints": (
        lambda: zipped({**HONEST, "config.yaml": CONFIG, "models/best.ckpt": WEIGHTS}),
        "2 times, not once",
    ),
    "members apart": (
        lambda: zipped({"a/config.yaml": CONFIG, "b/models/best.ckpt": WEIGHTS}),
        "0 times, not once",
    ),
    "member twice": (lambda: zipped({**HONEST, "big-lama/./config.yaml": CONFIG}), "0 times"),
    "folder for a member": (
        lambda: zipped({"config.yaml/": b"", "models/best.ckpt": WEIGHTS}),
        "no regular file",
    ),
    "another size": (lambda: zipped({**HONEST, "big-lama/models/best.ckpt": b"x"}), "1 bytes"),
    "other weights": (
        lambda: zipped({**HONEST, "big-lama/models/best.ckpt": b"x" * len(WEIGHTS)}),
        "sha256",
    ),
    "too many files": (lambda: zipped({str(i): b"" for i in range(1001)}), "1001 files"),
    "cut off": (lambda: zipped(HONEST)[:-30], "cannot be unpacked"),
    "flipped byte": (corrupted, "cannot be unpacked"),
    "no archive": (lambda: b"<html>", "cannot be unpacked"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_leaves_nothing(case: str, tmp_path: Path) -> None:
    build, expected = HOSTILE[case]
    archive, folder = tmp_path / "inner" / "a.zip", tmp_path / "inner" / "zoo" / "big-lama"
    folder.parent.mkdir(parents=True)
    archive.write_bytes(build())
    with pytest.raises(CheckpointError) as caught:
        unpack(archive, folder, MEMBERS)
    assert expected in one_line(caught.value)
    left = {path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()}
    assert left == {archive}
    assert not folder.exists()


def test_members_may_lie_at_the_top_and_others_are_left_alone(tmp_path: Path) -> None:
    archive, folder = tmp_path / "a.zip", tmp_path / "big-lama"
    files = {"config.yaml": CONFIG, "models/best.ckpt": WEIGHTS, "models/last.ckpt": b"x"}
    files["models/config.yaml"] = b"another"
    archive.write_bytes(zipped(files))
    unpack(archive, folder, MEMBERS)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.yaml", "models/best.ckpt"}


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "big-lama"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    folder.symlink_to(elsewhere)
    archive = tmp_path / "a.zip"
    archive.write_bytes(zipped(HONEST))
    unpack(archive, folder, MEMBERS)
    assert not folder.is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
