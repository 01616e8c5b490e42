"""Stores behind URLs, by fsspec and the package that it takes for the URL's scheme.

Credentials and endpoints come from where each package looks for them: for ``s3://`` from AWS's
variables and files (``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``, ``AWS_ENDPOINT_URL``), for all from
fsspec's configuration (``FSSPEC_S3_ENDPOINT_URL``, ``~/.config/fsspec/*.json``), which is read
when fsspec is imported.

A request that fails for want of a connection, or that a server asks to make again, is made again
after 1, 2 and 4 s, until 15 s are over, on top of what the packages do themselves: s3fs and
botocore alone try for some 5 s.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lama_edge.errors import LamaEdgeError, MissingBackendError, needs_extra
from lama_edge.files import is_left, temporary_name
from lama_edge.process import WatchedFolder
from lama_edge.stores.base import Entry, Kind, Store, StoreError, StoreFileError
from lama_edge.stores.telling import Failure, failure_of

T = TypeVar("T")
_WAITS_S = (1.0, 2.0, 4.0)
_LONGEST_S = 15.0
# Where a folder is a part of names alone, which needs no making, and what is put is there whole
# or not at all.
_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
_ATOMIC = _OBJECTS | {"hf"}
_PAGES = frozenset({"http", "https"})
_STAMPS = (
    *("ETag", "etag", "generation", "blob_id", "md5", "sha256"),
    *("LastModified", "last_modified", "mtime", "modified", "modify", "updated", "created"),
)
_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
_MAX_NAME_BYTES = 200  # of 255 that file systems have
_ADVICE = {
    "s3": "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "hf": "run hf auth login, or set HF_TOKEN",
}
_SAME_AS = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}


class RemoteStore(Store):
    """A folder, or a file, at a URL.

    Args:
        address: the URL. Credentials in it are used where its package takes them, and never
            shown.

    Raises:
        StoreError: when no package is known for its scheme, or it cannot connect.
        MissingBackendError: when fsspec, or that package, is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._scheme = address.partition("://")[0].lower()
        self._spelled, secret = _without_secrets(address)
        if secret and self._scheme in _ATOMIC:
            raise StoreError(
                f"the URL {self._spelled!r} has credentials in it, which are not taken from there: "
                f"{self._advice()}"
            )
        self._fs: Any = None
        self._root = ""
        self._fs, root = self._asked("", self._open, whole=True)
        # To fsspec each page is a file; a folder is what its URL says is one.
        self._root = root if self._scheme in _PAGES else root.rstrip("/")

    def __reduce__(self) -> tuple[type[RemoteStore], tuple[str]]:
        return RemoteStore, (self.address,)

    def _open(self) -> tuple[Any, str]:
        with needs_extra("cluster"):
            from fsspec.core import url_to_fs
        # Listings of these are never kept; others' are thrown away before each look.
        options = {"use_listings_cache": False} if self._scheme in _OBJECTS | _PAGES else {}
        try:
            fs, path = url_to_fs(self.address, **options)
        except ImportError as error:
            cause = error.__cause__ or error.__context__
            missing = getattr(error, "name", None) or getattr(cause, "name", None) or self._scheme
            package = str(missing).partition(".")[0]
            raise MissingBackendError(
                f"the package {package!r} is not installed, which {self._scheme}:// needs; "
                f"install it with: pip install {package}"
            ) from error
        except ValueError as error:
            if "rotocol not known" not in str(error):
                raise
            raise StoreError(
                f"{self._spelled!r} is no URL that fsspec knows: give such as s3://bucket/folder, "
                "or a folder of this machine"
            ) from error
        return fs, path

    def spell(self, name: str = "") -> str:
        """See `Store.spell`."""
        return f"{self._spelled.rstrip('/')}/{name}" if name else self._spelled

    def place(self, name: str = "") -> str:
        """See `Store.place`."""
        scheme = _SAME_AS.get(self._scheme, self._scheme)
        return f"{scheme}://{self._path(name).lstrip('/')}"

    def kind(self) -> Kind:
        """See `Store.kind`."""
        if self._scheme in _PAGES and self._root.endswith("/"):
            return "folder"
        info = self._info("", whole=True)
        if info is None:
            return "missing"
        return "folder" if info["type"] == "directory" else "file"

    def _info(self, name: str, *, whole: bool = False) -> dict[str, Any] | None:
        def asked() -> dict[str, Any]:
            self._fs.invalidate_cache()
            info: dict[str, Any] = self._fs.info(self._path(name))
            return info

        try:
            return self._asked(name, asked, whole=whole)
        except _MissingFileError:
            return None

    def entries(
        self, below: str = "", *, recursive: bool = False, left_out: Sequence[Store] = ()
    ) -> list[Entry]:
        """See `Store.entries`."""
        if not below and self.kind() != "folder":
            return []
        top = f"{self.place().rstrip('/')}/"
        others = tuple(f"{store.place().rstrip('/')}/" for store in left_out)
        others = tuple(place for place in others if place.startswith(top) and place != top)
        found = []
        for info in self._listed(below, recursive):
            name = self._name_of(info)
            if name is None or any(step[:1] in (".", "") for step in name.split("/")):
                continue
            if recursive and others and self.place(name).startswith(others):
                continue
            if below and not name.startswith(f"{below}/"):
                continue
            found.append(self._entry(name, info))
        return sorted(found, key=lambda entry: entry.name)

    def _listed(self, below: str, recursive: bool) -> list[dict[str, Any]]:
        path = self._path(below)

        def listed() -> list[dict[str, Any]]:
            self._fs.invalidate_cache()
            if recursive:
                return list(self._fs.find(path, detail=True).values())
            return list(self._fs.ls(path, detail=True))

        try:
            found = self._asked(below, listed, whole=True)
        except _MissingFileError:
            return []
        return [info for info in found if info["type"] == "file"]

    def _name_of(self, info: dict[str, Any]) -> str | None:
        """Return a listed file's name in the store; None where it is outside of it."""
        root = f"{self._root.strip('/')}/"
        path = str(info["name"]).lstrip("/")
        return path[len(root) :] if path.startswith(root) else None

    def _entry(self, name: str, info: dict[str, Any]) -> Entry:
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key)), "")
        return Entry(name, int(info.get("size") or 0), stamp.strip('"'))

    def find(self, name: str) -> Entry | None:
        """See `Store.find`."""

        info = self._info(name)
        if info is None or info["type"] != "file":
            return None
        return self._entry(name, info)

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """See `Store.fetched`."""
        with self._copy(name) as copy:
            self._asked(name, lambda: self._fs.get_file(self._path(name), str(copy)))
            yield copy

    def head(self, name: str, size_bytes: int) -> bytes:
        """See `Store.head`."""

        def asked() -> bytes:
            try:
                data: bytes = self._fs.cat_file(self._path(name), start=0, end=size_bytes)
            except Exception as error:
                if failure_of(error).meaning != "empty":
                    raise
                data = b""
            return data[:size_bytes]  # what pages are served by may know no ranges

        return self._asked(name, asked)

    def read(self, name: str) -> bytes:
        """See `Store.read`."""
        return bytes(self._asked(name, lambda: self._fs.cat_file(self._path(name))))

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        """See `Store.written`."""
        with self._copy(name) as copy:
            yield copy
            self._put(name, lambda path: self._fs.put_file(str(copy), path))

    def put(self, name: str, data: bytes) -> None:
        """See `Store.put`."""
        self._put(name, lambda path: self._fs.pipe_file(path, data))

    def _put(self, name: str, put: Callable[[str], object]) -> None:
        target = self._path(name)
        if self._scheme in _ATOMIC:
            self._asked(name, lambda: put(target), writing=True)
            return
        folder, _, last = target.rpartition("/")
        temporary = f"{folder}/{temporary_name(last)}"

        def moved() -> None:
            if folder:
                self._fs.makedirs(folder, exist_ok=True)
            put(temporary)
            self._fs.mv(temporary, target)

        try:
            self._asked(name, moved, writing=True)
        except BaseException:
            with suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        with suppress(_MissingFileError):
            self._asked(name, lambda: self._fs.rm_file(self._path(name)), writing=True)

    def check_writable(self) -> None:
        """See `Store.check_writable`."""
        probe = temporary_name("writable")
        path = f"{self._root}/{probe}"

        def tried() -> None:
            if self._scheme not in _ATOMIC:
                self._fs.makedirs(self._root, exist_ok=True)
            self._fs.pipe_file(path, b"")
            self._fs.rm_file(path)

        self._asked("", tried, whole=True, writing=True)

    def sweep(self, *, older_than_s: float) -> int:
        """See `Store.sweep`."""
        removed = 0
        for info in self._listed("", recursive=True):
            name = self._name_of(info)
            if name is None:
                continue
            last = name.rpartition("/")[2]
            if is_left(last, _age_s(info), older_than_s=older_than_s):
                self.remove(name)
                removed += 1
        return removed

    @contextmanager
    def _copy(self, name: str) -> Iterator[Path]:
        """Give a path for a copy, which goes with the block or with this process."""
        path = self._path(name)
        last = PurePosixPath(urlsplit(path).path if self._scheme in _PAGES else path).name
        try:
            folder = Path(tempfile.mkdtemp(dir=_room(os.getpid()).path))
        except (OSError, LamaEdgeError) as error:
            raise StoreError(self._no_room(name)) from error
        try:
            yield folder / _short(last)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if name else self._root

    def _asked(
        self, name: str, call: Callable[[], T], *, whole: bool = False, writing: bool = False
    ) -> T:
        """Return what a call of the store's client gives, after a short outage too.

        Args:
            name: the file that it is about.
            call: what may be done again.
            whole: whether it is about the whole store, and not this file.
            writing: whether it writes.
        """
        begin = time.monotonic()
        for wait_s in (*_WAITS_S, None):
            try:
                return call()
            except (StoreError, MissingBackendError):
                raise
            except Exception as error:
                failure = self._better(failure_of(error))
                lasts_s = time.monotonic() - begin
                if failure.meaning == "connection" and wait_s and lasts_s < _LONGEST_S:
                    time.sleep(wait_s)
                    continue
                raise self._told(failure, name, whole, writing) from error
        raise AssertionError("the last try ends the loop")

    def _better(self, failure: Failure) -> Failure:
        """Ask S3 again where it gave a number alone: answers to HEAD say no more."""
        bucket = self._path("").partition("/")[0]
        bare = (failure.meaning == "missing" and "/" not in self._root) or failure.word == "403"
        if not bare or not hasattr(self._fs, "call_s3"):
            return failure
        try:
            self._fs.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
        except Exception as error:
            said = failure_of(error)
            told = ("credentials", "container", "refused")
            return said if said.meaning in told else failure
        return failure

    def _told(self, failure: Failure, name: str, whole: bool, writing: bool) -> Exception:
        url, said = self.spell(name), f"({failure.word})"
        if failure.meaning == "credentials":
            return StoreError(
                f"the store {self._spelled!r} refuses the credentials {said}: {self._advice()}"
            )
        if failure.meaning == "container":
            return StoreError(
                f"the bucket of {self._spelled!r} does not exist {said}: "
                "create it first, or check its name"
            )
        if failure.meaning == "connection":
            return StoreError(
                f"there is no connection to {self._spelled!r} ({failure.detail}): check the "
                "network and the store's endpoint, and run it again"
            )
        if failure.meaning == "room":
            return StoreError(self._no_room(name))
        if failure.meaning == "missing" and not writing:
            return _MissingFileError(f"the file {url!r} does not exist: check the URL")
        verb = "written" if writing else "listed" if whole else "read"
        kind = StoreError if whole else StoreFileError
        what = self._spelled if whole else url
        advice = (
            "check your rights there" if failure.meaning == "refused" else "check what is there"
        )
        return kind(f"{what!r} cannot be {verb} {said}: {advice}")

    def _no_room(self, name: str) -> str:
        return (
            f"a copy of {self.spell(name)!r} cannot be made in {tempfile.gettempdir()!r}: free "
            "some room there, or name another folder with TMPDIR"
        )

    def _advice(self) -> str:
        scheme = _SAME_AS.get(self._scheme, self._scheme)
        return _ADVICE.get(scheme, "check those in the URL, or in fsspec's configuration")


class _MissingFileError(StoreFileError):
    """A file that is not there."""


@lru_cache(maxsize=1)
def _room(process: int) -> WatchedFolder:
    """Return the folder of a process's copies: a picture may kill it."""
    folder = WatchedFolder()
    atexit.register(folder.close)
    return folder


def _without_secrets(address: str) -> tuple[str, bool]:
    """Return a URL without user and password and without its query, and whether it had the first.

    A part before an ``@`` without a colon is a container's name or a user's, and stays.
    """
    scheme, _, rest = address.partition("://")
    bare = re.sub(r"\?[^?]*=.*$", "", rest)
    first = bare.partition("/")[0]
    port = re.fullmatch(r"[^@]*:\d*", first)
    if ":" in first and "@" in bare and not port:
        return f"{scheme}://{bare.partition('@')[2]}", True
    return f"{scheme}://{bare}", False


def _short(name: str) -> str:
    """Return a name that file systems take, of the same suffix."""
    while len(name.encode()) > _MAX_NAME_BYTES:
        name = name[1:]
    return name


def _age_s(info: dict[str, Any]) -> float:
    """Return how long ago a listed file was written, in seconds; 0 where nothing says so."""
    for key in _TIMES:
        when = info.get(key)
        if isinstance(when, datetime):
            return time.time() - when.timestamp()
        if isinstance(when, int | float):
            return time.time() - when
        if isinstance(when, str):
            with suppress(ValueError):
                return time.time() - datetime.fromisoformat(when).timestamp()
    return 0.0
