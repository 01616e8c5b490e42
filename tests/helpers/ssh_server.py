"""An OpenSSH server on loopback with a key of its own, for tests of machines reached over SSH.

It runs in a mount namespace of its own, with a /tmp that is small and empty: what lies there, and
what runs there, is the tests' alone, and can be counted afterwards.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from places import ROOT, lying_in

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.registry import open_target

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
MISSING = (
    "there is no sshd: apt-get install openssh-server"
    if SSHD is None
    else "sshd in a mount namespace of its own wants root"
    if os.name != "posix" or os.geteuid() != 0
    else None
)
_START_S = 20.0
_CHECKOUT = (ROOT, *ROOT.parents)
# The interpreter there that has lama-edge is the one that runs the tests.
HERE = TargetOptions(remote_python=sys.executable)


class SshServer:
    """The server, to be stopped by who starts it.

    Attributes:
        port: where it listens on 127.0.0.1.
        client: a home folder for its users, with a configuration that knows it as ``box``.
        home: the home folder of its own users.
    """

    def __init__(self, *, tmp_bytes: int = 1 << 28, settings: str = "") -> None:
        # Not in /tmp, which is another one over there.
        self.folder = Path(tempfile.mkdtemp(prefix="lama-edge-sshd-", dir="/var/tmp"))
        self.client, self.home = self.folder / "client", self.folder / "home"
        for folder in (self.client / ".ssh", self.home):
            folder.mkdir(parents=True)
        self._tmp_bytes, self._settings = tmp_bytes, settings
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"ssh://127.0.0.1:{self.port}"

    def start(self) -> SshServer:
        """Start it, known to its users, who have a key there."""
        make_key(self.folder / "host")
        make_key(self.client / ".ssh" / "id_ed25519")
        public = self.client / ".ssh" / "id_ed25519.pub"
        shutil.copy(public, self.folder / "authorized_keys")
        self.know(self.folder / "host")
        self.configure()
        variables = f"HOME={self.home} OMP_NUM_THREADS=1"
        (self.folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv {variables}\n"
            f"{self._settings}\n"
        )
        (self.folder / "checkout").mkdir()
        mounts = (
            f"mount --bind {ROOT} {self.folder}/checkout && "
            f"mount -t tmpfs -o size={self._tmp_bytes} tmpfs /tmp && mount -t tmpfs tmpfs /run && "
            f"mkdir -p {ROOT} && mount --move {self.folder}/checkout {ROOT} && "
            f"mkdir /run/sshd && exec {SSHD} -D -e -f {self.folder}/sshd_config"
        )
        with (self.folder / "log").open("wb") as log:
            self.server = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounts],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """End it and all that runs in its namespace."""
        _each(self.processes(), psutil.Process.kill)
        self.server.kill()
        self.server.wait()
        shutil.rmtree(self.folder)

    @property
    def tmp(self) -> Path:
        """Its /tmp, as seen from here."""
        return Path(f"/proc/{self.server.pid}/root/tmp")

    def configure(self, more: str = "") -> None:
        """Write the configuration of its users."""
        (self.client / ".ssh" / "config").write_text(
            f"Host box\n    HostName 127.0.0.1\n    Port {self.port}\n{more}\n"
        )

    def know(self, key: Path) -> None:
        """Let its users know the server by a key."""
        words = key.with_suffix(".pub").read_text().split()[:2]
        known = self.client / ".ssh" / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {' '.join(words)}\n")

    def fingerprint(self) -> str:
        """Return the fingerprint of its key."""
        command = ["ssh-keygen", "-l", "-f", self.folder / "host.pub"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.split()[1]

    def processes(self) -> list[psutil.Process]:
        """Return what runs in its namespace, but for the server itself."""
        own = Path(f"/proc/{self.server.pid}/ns/mnt").readlink()
        found = []
        for process in psutil.process_iter():
            try:
                there = Path(f"/proc/{process.pid}/ns/mnt").readlink()
            except OSError:
                continue
            if there == own and process.pid != self.server.pid:
                found.append(process)
        return found

    def connections(self) -> list[psutil.Process]:
        """Return the server's processes of connections."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    found.append(process)
        return found

    def cut(self) -> None:
        """Cut its connections."""
        _each(self.connections(), psutil.Process.kill)

    def silence(self) -> None:
        """Let its connections fall silent."""
        _each(self.connections(), psutil.Process.suspend)

    def programs(self) -> list[list[str]]:
        """Return the command lines of what users run there."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if not process.name().startswith("sshd") and process.cmdline():
                    found.append(process.cmdline())
        return found

    def files(self) -> list[str]:
        """Return what lies in its /tmp and its home."""
        # A checkout in /tmp is to be seen over there as well.
        brought = [name for name in lying_in(self.tmp) if Path("/tmp", name) not in _CHECKOUT]
        return sorted([*brought, *lying_in(self.home)])

    def nothing_left(self, within_s: float = 10.0) -> bool:
        """Return whether soon nothing runs there any more, and nothing lies there."""
        until = time.monotonic() + within_s
        while self.programs() or set(self.files()) - {".cache"}:
            if time.monotonic() > until:
                print(f"left: {self.programs()} {self.files()}")
                return False
            time.sleep(0.1)
        return True

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                said = (self.folder / "log").read_text()
                assert self.server.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.05)


def _each(processes: list[psutil.Process], do: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # which ended meanwhile
            do(process)


def start_for(patch: pytest.MonkeyPatch, **settings: Any) -> SshServer:
    """Start a server and make this process one of its users; skips the test where that fails."""
    pytest.importorskip("asyncssh", reason='no asyncssh: pip install "lama-edge[ssh]"')
    if MISSING is not None:
        pytest.skip(MISSING)
    server = SshServer(**settings).start()
    patch.setenv("HOME", str(server.client))
    patch.delenv("SSH_AUTH_SOCK", raising=False)
    return server


def make_key(path: Path, kind: str = "ed25519") -> None:
    """Make a pair of keys without a passphrase, in the place of the one that is there."""
    path.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@contextmanager
def reached(
    server: SshServer, options: TargetOptions = HERE, address: str | None = None
) -> Iterator[Any]:
    """Open a target there, and look afterwards whether something was left."""
    with open_target(address or server.address, options) as target:
        yield target
    assert server.nothing_left()
