"""Machines reached over SSH, by the user's own configuration, keys, agent and known hosts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from lama_edge.benchmarks.targets.places.base import MOST_LINE, MOST_OUTPUT, Ended, too_much
from lama_edge.benchmarks.targets.places.remote import (
    LOST,
    Held,
    LostError,
    RemotePlace,
    Transport,
    UnreachedError,
)
from lama_edge.errors import LamaEdgeError, UsageError, needs_extra, one_line, parameter
from lama_edge.spec import Progress, untold

with needs_extra("ssh"):
    import asyncssh

_FORM = "ssh://[USER@]HOST[:PORT]"
_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>[^@:/\s]+)@)?(?P<host>\[[^]/@\s]+]|[^@:/\s\[\]-][^@:/\s\[\]]*)"
    r"(?::(?P<port>\d{1,5}))?/?"
)
_CONFIGURATIONS = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
_DEFAULT_PORT = 22
_FOLDER = "~/.cache/lama-edge"
# Of all who measure on the machine, whichever user they are.
_LOCK = "/tmp/lama-edge.lock"  # noqa: S108
_CONNECT_S = 30
_CLOSE_S = 5.0
_GRACE_S = 1.0
_CHUNK_BYTES = 1 << 18
_T = TypeVar("_T")


@dataclass(frozen=True)
class SshAddress:
    """What ``ssh://`` says; what it leaves out is up to the user's configuration.

    Attributes:
        host: a name, an address, or an alias of the configuration.
        port: None where it is not said.
        user: None where it is not said.
    """

    host: str
    port: int | None = None
    user: str | None = None

    @classmethod
    def of(cls, text: str) -> SshAddress:
        """Read an address.

        Raises:
            UsageError: when it is none.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or not 0 < int(match["port"] or _DEFAULT_PORT) < 1 << 16:
            raise UsageError(
                f"{parameter('target', text)} is no address of this kind: give {_FORM}, and what "
                "else the machine wants in ~/.ssh/config"
            )
        port = None if match["port"] is None else int(match["port"])
        return cls(match["host"].strip("[]"), port, match["user"])

    def words(self) -> str:
        """Return what to type after ``ssh``."""
        port = [] if self.port is None else ["-p", str(self.port)]
        return shlex.join([*port, self.host if self.user is None else f"{self.user}@{self.host}"])


class SshPlace(RemotePlace):
    """See `Place`."""

    name = "ssh"

    def __init__(self, address: SshAddress, folder: str | None = None) -> None:
        """Take a machine.

        Args:
            address: where it is.
            folder: where the session's folder is made there; None is ``~/.cache/lama-edge``.
        """
        names = (address.host, address.host.partition(".")[0], address.user or "")
        super().__init__(SshTransport(address), folder=folder or _FOLDER, lock=_LOCK, names=names)


class _HostKeys(asyncssh.SSHClient):
    """The user's known hosts, and what the server showed that is none of them.

    Attributes:
        refused: that key, with the host's name and port; None where it showed none.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [str(file) for file in files if file.is_file()]
        self.refused: tuple[asyncssh.SSHKey, str, int] | None = None
        self._expected: Sequence[asyncssh.SSHKey] = ()

    @property
    def expected(self) -> bool:
        """Whether a key of that host was known."""
        return bool(self._expected)

    def known(self, host: str, addr: str, port: int | None) -> Any:
        """Return the keys that a host may have, as asyncssh asks for them."""
        found = asyncssh.match_known_hosts(self._files or b"", host, addr, port)
        self._expected = found[0]
        return found

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Refuse a key that is not among those, and keep it."""
        self.show(host, port, key)
        return False

    def show(self, host: str, port: int, key: asyncssh.SSHKey | None) -> None:
        """Take a key that a host shows."""
        if key is not None and key not in self._expected:
            self.refused = key, host, port


class SshTransport(Transport):
    """See `Transport`; the connection lives in a thread of its own."""

    def __init__(self, address: SshAddress) -> None:
        """Take where the machine is."""
        self._address = address
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._lost: str | None = None

    def open(self) -> None:
        """See `Transport.open`."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=(self._loop,), daemon=True).start()
        self._connection = self.wait(self._connect())

    def close(self) -> None:
        """See `Transport.close`."""
        if self._loop is not None:
            with contextlib.suppress(TimeoutError, LostError):
                self.wait(self._disconnect(), _CLOSE_S)
            self.post(self._loop.stop)
            self._loop = None

    def post(self, act: Callable[..., object], *words: object) -> None:
        """Do something in the connection's thread, whatever comes of it."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it was closed since
                self._loop.call_soon_threadsafe(act, *words)

    def abort(self, reason: str) -> None:
        """See `Transport.abort`."""
        self._lost = self._lost or reason
        if self._connection is not None:
            self.post(self._connection.abort)

    def execute(
        self,
        script: str,
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """See `Transport.execute`."""
        return self.wait(self._execute(script, step), timeout_s)

    def hold(self, script: str, *words: str) -> Held:
        """See `Transport.hold`."""
        return _SshHeld(self, self.wait(self._start(script, *words)))

    def push(self, local: Path, remote: str) -> None:
        """See `Transport.push`."""
        self.wait(self._push(local, remote))

    def pull(self, remote: str, local: Path, most_bytes: int) -> None:
        """See `Transport.pull`."""
        self.wait(self._pull(remote, local, most_bytes))

    def wait(self, work: Coroutine[Any, Any, _T], timeout_s: float | None = None) -> _T:
        """Return what a coroutine gives in the connection's thread.

        Args:
            work: what to wait for; it is cancelled when this call ends by an exception.
            timeout_s: for how long, in seconds; None is for ever.

        Raises:
            TimeoutError: when time ran out.
            LostError: when the connection broke off meanwhile.
        """
        if self._loop is None:
            work.close()
            raise LostError(self._lost or LOST)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except futures.TimeoutError as error:
            if future.done():  # the system gave up on the connection
                raise LostError(self._lost or LOST) from error
            future.cancel()
            # In Python 3.10 it is another one.
            raise TimeoutError from error
        except (OSError, asyncssh.Error) as error:
            raise LostError(self._lost or f"{LOST} ({one_line(error)})") from error
        except BaseException:
            future.cancel()
            raise

    async def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()

    async def _connect(self) -> asyncssh.SSHClientConnection:
        address = self._address
        asked: dict[str, Any] = {
            "config": [path for path in map(Path.expanduser, _CONFIGURATIONS) if path.is_file()]
        }
        if address.port is not None:
            asked["port"] = address.port
        if address.user is not None:
            asked["username"] = address.user
        keys = _HostKeys(())
        try:
            settings = asyncssh.SSHClientConnectionOptions(host=address.host, **asked)
            # None where the user wants none, and empty where nothing is said.
            named: Any = settings.known_hosts
            files = () if named is None else named or _KNOWN_HOSTS
            keys = _HostKeys([Path(file).expanduser() for file in files])
            return await asyncssh.connect(
                address.host,
                client_factory=lambda: keys,
                known_hosts=keys.known,
                connect_timeout=_CONNECT_S,
                agent_forwarding=False,
                request_pty=False,
                **asked,
            )
        except asyncssh.PermissionDenied as error:
            raise UnreachedError(
                f"{address.host!r} takes none of your keys ({one_line(error)}): let "
                f"`ssh {address.words()}` work without a password first, by ssh-copy-id or an agent"
            ) from error
        except (OSError, ValueError, asyncio.TimeoutError, asyncssh.Error) as error:
            if keys.expected and keys.refused is None:
                # Only keys of the kinds that were known were asked for, and it may have none.
                asked.pop("username", None)
                with contextlib.suppress(OSError, ValueError, asyncio.TimeoutError, asyncssh.Error):
                    key = await asyncssh.get_server_host_key(address.host, **asked)
                    keys.show(settings.host, settings.port, key)
            raise UnreachedError(self._unreached(keys, error)) from error

    def _unreached(self, keys: _HostKeys, error: BaseException) -> str:
        """Say why there is no connection, and what to do about it."""
        address = self._address
        if keys.refused is None:
            return (
                f"{address.host!r} cannot be reached ({one_line(error)}): look at it with "
                f"`ssh {address.words()}`"
            )
        key, host, port = keys.refused
        found = f"{key.get_algorithm()} {key.get_fingerprint()}"
        if not keys.expected:
            return (
                f"the host key of {address.host!r} is unknown ({found}): if it is that machine's, "
                f"accept it by connecting once with `ssh {address.words()}`"
            )
        name = host if port == _DEFAULT_PORT else f"[{host}]:{port}"
        return (
            f"the host key of {address.host!r} has changed (now {found}), and another machine may "
            "pose as it: if you know why, forget the old one with "
            f"`ssh-keygen -R {shlex.quote(name)}` and accept this one with `ssh {address.words()}`"
        )

    async def _execute(self, script: str, step: Progress) -> Ended:
        process = await self._start(self.session + script)
        last, output, room = "", [], MOST_OUTPUT

        async def results() -> None:
            nonlocal room
            while chunk := await process.stdout.read(_CHUNK_BYTES):
                output.append(chunk)
                room -= len(chunk)
                if room < 0:
                    raise too_much("what was printed", MOST_OUTPUT)

        async def steps() -> None:
            nonlocal last
            async for line in process.stderr:
                cut = line[:MOST_LINE].rstrip("\r\n")
                step(cut)
                last = cut.strip() or last

        reading, seen = asyncio.gather(results(), steps()), -1
        try:
            process.stdin.write_eof()
            # What it started itself may hold its output open when it has ended.
            while not reading.done() and (process.returncode is None or len(output) > seen):
                seen = len(output)
                await asyncio.wait([reading], timeout=_GRACE_S)
            if not reading.cancel():
                await reading
                await process.wait()
        finally:
            # Without waiting for its end over there.
            reading.cancel()
            process.close()
        if process.returncode is None:
            raise LostError(self._lost or LOST)
        return Ended(process.returncode, "".join(output), last)

    async def _start(self, script: str, *words: str, **options: Any) -> Any:
        if self._lost is not None or self._connection is None:
            raise LostError(self._lost or LOST)
        # The login shell, whichever it is, only hands the script to a standard one.
        command = shlex.join(["exec", "sh", "-c", script, *words])
        options = options or {"encoding": "utf-8", "errors": "replace"}
        return await self._connection.create_process(command, **options)

    async def _push(self, local: Path, remote: str) -> None:
        folder, name = shlex.quote(str(PurePosixPath(remote).parent)), shlex.quote(remote)
        script = f"{self.session}mkdir -p {folder} && cat >{name}"
        with _opened(local, "rb") as file:
            async with await self._start(script, encoding=None) as process:
                # It ends before it has read all where it cannot write, and says why.
                with contextlib.suppress(BrokenPipeError, ConnectionError):
                    while chunk := file.read(_CHUNK_BYTES):
                        process.stdin.write(chunk)
                        await process.stdin.drain()
                    process.stdin.write_eof()
                await _finished(process)

    async def _pull(self, remote: str, local: Path, most_bytes: int) -> None:
        script = f"{self.session}cat {shlex.quote(remote)}"
        with _opened(local, "wb") as file:
            process = await self._start(script, encoding=None)
            try:
                process.stdin.write_eof()
                while chunk := await process.stdout.read(_CHUNK_BYTES):
                    if file.tell() + len(chunk) > most_bytes:
                        raise too_much("the output", most_bytes)
                    file.write(chunk)
                await _finished(process)
            finally:
                # Without waiting for its end over there.
                process.close()


class _SshHeld(Held):
    """See `Held`."""

    def __init__(self, transport: SshTransport, process: Any) -> None:
        self._transport, self._process = transport, process

    def send(self, line: str) -> None:
        """See `Held.send`."""
        self._transport.post(self._process.stdin.write, f"{line}\n")

    def lines(self) -> Iterator[str]:
        """See `Held.lines`."""
        with contextlib.suppress(LostError):
            while line := self._transport.wait(self._process.stdout.readline()):
                yield line.rstrip("\n")

    def close(self) -> None:
        """See `Held.close`."""
        self._transport.post(self._process.close)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Do a loop's work until it is stopped."""
    try:
        loop.run_forever()
    finally:
        loop.close()


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """Open a file of this machine; what is wrong with it is no matter of the connection's."""
    try:
        with path.open(mode) as file:
            yield file
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):
            raise
        raise LamaEdgeError(f"cannot use {str(path)!r}: {error.strerror or error}") from error


async def _finished(process: Any) -> None:
    """Wait for a process that has to succeed.

    Raises:
        LamaEdgeError: with its last words.
    """
    last, room = b"", MOST_OUTPUT
    async for line in process.stderr:
        last, room = line[:MOST_LINE].strip() or last, room - len(line)
        if room < 0:
            raise too_much("what was printed", MOST_OUTPUT)
    await process.wait()
    if process.returncode is None:
        raise LostError(LOST)
    if process.returncode != 0:
        said = last.decode(errors="replace")
        raise LamaEdgeError(said or f"exit code {process.returncode}")
