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
from ssh_server import SshServer, start_for


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SshServer]]:
    """Starts a server and makes this process one of its users."""
    servers: list[SshServer] = []

    def start(**settings: Any) -> SshServer:
        servers.append(start_for(monkeypatch, **settings))
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
