"""Downloads one file over HTTP: resumed after a break, named as asked only once verified."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from lama_edge.errors import CheckpointError, UsageError, reason, shown

# Called with the bytes that are there, and those there will be (None where nobody said).
Progress = Callable[[int, "int | None"], None]

STALL_TIMEOUT_S = 30.0
_CHUNK_BYTES = 1 << 18
# The largest published checkpoint has 0.4 GB.
_MAX_BYTES = 2 << 30
_ATTEMPTS = 5


class _BrokenOffError(CheckpointError):
    """The connection ended before the file did; what arrived is kept."""


class _RangeRefusedError(CheckpointError):
    """The server does not continue where the partial file ends."""


@dataclass(frozen=True)
class _Job:
    url: str
    target: Path
    algorithm: str
    digest: str
    size: int | None
    progress: Progress | None
    timeout_s: float

    @property
    def part(self) -> Path:
        """What has arrived so far."""
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def state(self) -> Path:
        """Where `part` comes from, to tell whether it may be continued."""
        return self.target.with_name(f"{self.target.name}.part.json")

    @property
    def max_bytes(self) -> int:
        """More bytes than this are not this file."""
        return _MAX_BYTES if self.size is None else self.size


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    timeout_s: float = STALL_TIMEOUT_S,
) -> Path:
    """Download a file, unless it is there already, and check its hash before giving it its name.

    What arrived is kept as ``<target>.part`` when the connection breaks or the user interrupts,
    and the next call continues there. Proxies are taken from the environment, as urllib does.

    Args:
        url: an http or https address; redirects lead to no other scheme.
        target: where the verified file shall stand; missing folders are made.
        sha256: published hash in lower-case hexadecimal; decides where both are given.
        md5: published hash in lower-case hexadecimal; one of the two is needed.
        size: exact size in bytes, where published; else files above 2 GiB are refused.
        progress: called with the bytes that are there and those there will be, or None.
        timeout_s: seconds without an answer or a byte after which the server counts as stalled.

    Returns:
        `target`.

    Raises:
        UsageError: for another scheme, or when no hash is given.
        CheckpointError: when the file cannot be had, or is not the one that was published.
    """
    algorithm, digest = ("sha256", sha256) if sha256 else ("md5", md5)
    if not digest:
        raise UsageError(f"{shown(url)} has no published hash: it would be used unchecked")
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise UsageError(f"{shown(url)} cannot be downloaded: give an http or https address")
    job = _Job(url, target, algorithm, digest.lower(), size, progress, timeout_s)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _sole_writer(target):
            if not _is_published(job, target):
                _receive(job)
                _verify(job)
                job.part.replace(target)
                job.state.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(f"{str(target)!r} cannot be written: {reason(error)}") from error
    return target


def _receive(job: _Job) -> None:
    """Bring `job.part` to its full length, resuming as long as each attempt brings it further."""
    for attempts_left in reversed(range(_ATTEMPTS)):
        before = _size_of(job.part)
        try:
            _transfer(job)
            return
        except _BrokenOffError:
            if not attempts_left or _size_of(job.part) <= before:
                raise


def _transfer(job: _Job) -> None:
    start, validator = _resume_point(job)
    if start == job.size:
        return
    try:
        response = _open(job, start, validator)
    except _RangeRefusedError:
        # Also the answer to a part that is whole already, when nobody knew its size.
        if _is_published(job, job.part):
            return
        start = 0
        response = _open(job, start, None)
    with response:
        if response.status != http.client.PARTIAL_CONTENT:
            start = 0
        total = _announced_bytes(job, response, start)
        if not start:
            job.part.unlink(missing_ok=True)
        state = {"url": job.url, "validator": _validator(response)}
        job.state.write_text(json.dumps(state), encoding="utf-8")
        _copy(job, response, start, total)


def _resume_point(job: _Job) -> tuple[int, str | None]:
    """Return how many bytes can be kept, and what If-Range says (the server's name for them)."""
    try:
        state = json.loads(job.state.read_text(encoding="utf-8"))
        known, validator = state["url"] == job.url, state["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None
    size = _size_of(job.part)
    return (size, validator) if known and 0 < size <= job.max_bytes else (0, None)


def _validator(response: http.client.HTTPResponse) -> str | None:
    etag = response.headers.get("ETag")
    # RFC 9110 13.1.5: If-Range takes no weak tag.
    strong = etag is not None and not etag.startswith("W/")
    return etag if strong else response.headers.get("Last-Modified")


def _open(job: _Job, start: int, validator: str | None) -> http.client.HTTPResponse:
    headers = {"User-Agent": "lama-edge"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    request = urllib.request.Request(job.url, headers=headers)  # noqa: S310 (checked by `download`)
    try:
        answer = _opener().open(request, timeout=job.timeout_s)
    except HTTPError as error:
        error.close()
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _RangeRefusedError(f"{shown(job.url)} has no byte {start}") from error
        raise CheckpointError(
            f"{shown(job.url)} cannot be downloaded: {_http_advice(error)}"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CheckpointError(
            f"{shown(job.url)} cannot be downloaded: {_network_advice(error, job)}"
        ) from error
    response = cast(http.client.HTTPResponse, answer)
    content_range = response.headers.get("Content-Range", "")
    if response.status == http.client.PARTIAL_CONTENT and not re.match(
        rf"bytes {start}-", content_range
    ):
        response.close()
        raise _RangeRefusedError(
            f"{shown(job.url)} cannot be downloaded: asked for the bytes from {start} on, its "
            f"server sends {shown(content_range)}"
        )
    return response


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows no other scheme, wherever a redirect may lead."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _announced_bytes(job: _Job, response: http.client.HTTPResponse, start: int) -> int | None:
    """Return the size of the whole file, or None where nobody says; refuse another file's size."""
    length = response.headers.get("Content-Length", "")
    if not re.fullmatch(r"[0-9]{1,18}", length):
        return job.size
    total = start + int(length)
    if total > job.max_bytes or job.size not in (None, total):
        expected = f"at most {_MAX_BYTES}" if job.size is None else str(job.size)
        raise CheckpointError(
            f"{shown(job.url)} has {total} bytes where {expected} were expected: its publisher "
            "replaced the file, and it was not downloaded"
        )
    return total


def _copy(job: _Job, response: http.client.HTTPResponse, start: int, total: int | None) -> None:
    done = start
    with job.part.open("ab") as file:
        while (total is None or done < total) and done <= job.max_bytes:
            wanted = _CHUNK_BYTES if total is None else min(_CHUNK_BYTES, total - done)
            try:
                chunk = response.read1(wanted)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _broken_off(job, done, _network_advice(error, job)) from error
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            if job.progress:
                job.progress(done, total)
    if done > job.max_bytes:
        job.part.unlink()
        raise CheckpointError(
            f"{shown(job.url)} has over {job.max_bytes} bytes: no checkpoint has so many, and "
            "what had arrived was deleted"
        )
    if total is not None and done < total:
        raise _broken_off(job, done, f"the server closed the connection, {total} were promised")


def _broken_off(job: _Job, done: int, why: str) -> _BrokenOffError:
    return _BrokenOffError(
        f"the download of {shown(job.url)} broke off after {done} bytes ({why}); they are kept: "
        "run the same command again to continue"
    )


def _verify(job: _Job) -> None:
    found = _hash_of(job.part, job.algorithm)
    if found != job.digest:
        job.part.unlink()
        raise CheckpointError(
            f"the file from {shown(job.url)} has {job.algorithm} {found}, published is "
            f"{job.digest}: it was deleted; run the same command again, and if that does not "
            "help, its publisher has replaced it"
        )
    with job.part.open("rb+") as file:
        os.fsync(file.fileno())


def _is_published(job: _Job, path: Path) -> bool:
    return path.is_file() and _hash_of(path, job.algorithm) == job.digest


def _hash_of(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _http_advice(error: HTTPError) -> str:
    if 300 <= error.code < 400:
        return f"its redirect leads nowhere that is allowed ({reason(error)})"
    advice = {
        401: "it is not public",
        403: "access is refused",
        404: "it is no longer there",
        407: "the proxy wants a login (see https_proxy)",
        410: "it is no longer there",
    }.get(error.code, "try again later")
    return f"HTTP {error.code}, {advice}; or get the file elsewhere and give its path"


def _network_advice(error: Exception, job: _Job) -> str:
    inner = error.reason if isinstance(error, URLError) else error
    cause = inner if isinstance(inner, Exception) else error
    if isinstance(cause, TimeoutError):
        return f"nothing came for {job.timeout_s:g} s: try again later"
    if isinstance(cause, socket.gaierror):
        return "its host is not known here: check the network and the proxy (https_proxy)"
    if isinstance(cause, ssl.SSLError):
        return f"{reason(cause)}: check the clock and the certificates (SSL_CERT_FILE)"
    return f"{reason(cause)}: check the network and the proxy (https_proxy)"


@contextmanager
def _sole_writer(target: Path) -> Iterator[None]:
    """Keep a second process from writing to a partial file that this one is about to verify."""
    # Left behind on purpose: a lock file that is deleted can be locked twice.
    with target.with_name(f".{target.name}.lock").open("ab") as file:
        if not _try_lock(file):
            raise CheckpointError(
                f"another process is downloading {str(target)!r}: wait until it is done"
            )
        yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
