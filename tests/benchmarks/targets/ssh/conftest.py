"""A server on loopback, reached as its users do: by their own folder of keys and settings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ssh_server
from ssh_server import SshServer


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SshServer]]:
    """Starts a server and makes this process one of its users."""
    pytest.importorskip("asyncssh", reason='no asyncssh: pip install "lama-edge[ssh]"')
    if ssh_server.MISSING is not None:
        pytest.skip(ssh_server.MISSING)
    servers: list[SshServer] = []

    def start(**settings: Any) -> SshServer:
        servers.append(SshServer(**settings).start())
        monkeypatch.setenv("HOME", str(servers[-1].client))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(start: Callable[..., SshServer]) -> SshServer:
    return start()


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Gives a key to an agent of this test's."""
    started = subprocess.run(["ssh-agent", "-c"], check=True, capture_output=True, text=True)
    socket, pid = re.findall(r"setenv SSH_\w+ (\S+);", started.stdout)

    def add(key: Path) -> None:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True)

    yield add
    os.kill(int(pid), signal.SIGTERM)


@pytest.fixture(scope="session")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier")
