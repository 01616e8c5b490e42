"""Devices of a fleet that SSH does not reach, or reaches twice; documents name nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ssh_server import HERE, SshServer, make_key, start_for

from lama_edge.benchmarks.bench.run import Bench
from lama_edge.benchmarks.fleet.devices import Device
from lama_edge.benchmarks.fleet.kept import Kept
from lama_edge.benchmarks.fleet.run import Fleet, run_fleet
from lama_edge.benchmarks.targets.places.base import BUSY
from lama_edge.spec import Size

pytestmark = pytest.mark.ssh


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    server = start_for(monkeypatch)
    yield server
    server.stop()


def test_no_address_user_or_port_of_the_configuration_gets_into_the_document(
    server: SshServer, exported: Callable[..., Path], tmp_path: Path
) -> None:
    server.configure(
        "Host dead\n    HostName 127.0.0.1\n    Port 1\n"
        f"Host stranger\n    HostName localhost\n    Port {server.port}\n    User pat-smith\n"
    )
    known = server.client / ".ssh" / "known_hosts"
    words = (server.folder / "host.pub").read_text().split()[:2]
    make_key(server.folder / "other")
    server.know(server.folder / "other")
    known.write_text(f"{known.read_text()}[localhost]:{server.port} {' '.join(words)}\n")
    devices = tuple(
        Device(name, f"ssh://{alias}", HERE)
        for name, alias in (("a", "box"), ("b", "dead"), ("c", "stranger"))
    )
    job = Bench((exported("fourier", Size(32, 48)),), rounds=1, min_seconds=0.0)
    result = run_fleet(Fleet(devices, job, Kept(tmp_path / "f.json.d")))
    assert [device["error"] for device in result.document["devices"]] == [
        "the host key of 'a' has changed",
        "'b' cannot be reached",
        "'c' takes none of your keys",
    ]
    assert (result.exit_code, result.complete) == (2, False)
    text = json.dumps(result.document)
    secrets = ("127.0.0.1", "localhost", str(server.port), "pat-smith", "SHA256", "box", "dead")
    assert [word for word in secrets if word in text] == []
    # Who sits at the terminal is told all of it.
    said = [str(device.failure) for device in result.devices]
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in said[0]
    assert server.fingerprint() in said[0]
    assert "pat-smith" in said[2]
    assert server.nothing_left()


def test_one_device_under_two_addresses_is_measured_once_at_a_time(
    server: SshServer, exported: Callable[..., Path], tmp_path: Path
) -> None:
    devices = tuple(
        Device(name, address, HERE)
        for name, address in (("alias", "ssh://box"), ("number", server.address))
    )
    job = Bench((exported("fourier", Size(32, 48)),), rounds=1, min_seconds=5.0, prove=False)
    fleet = Fleet(devices, job, Kept(tmp_path / "f.json.d"))
    first = run_fleet(fleet)
    assert sorted(str(device["error"]) for device in first.document["devices"]) == ["None", BUSY]
    assert (first.exit_code, first.complete) == (2, False)
    again = run_fleet(fleet)
    assert (again.exit_code, again.complete) == (0, True)
    assert server.nothing_left()
