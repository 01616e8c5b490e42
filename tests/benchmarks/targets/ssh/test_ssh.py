"""Models measured over SSH, against a real server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from measuring import CPU, SHORT, picture
from places import DATA
from ssh_server import HERE, SshServer, make_key, reached

from lama_edge import cli
from lama_edge.benchmarks.documents.store import PARITY, load_document
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError, spelling_flags

pytestmark = pytest.mark.ssh


def test_a_model_gives_there_what_it_gives_here(server: SshServer, model: Path) -> None:
    with reached(server) as target:
        handle = target.push(model)
        found = target.describe(handle, CPU)
        measured, output = target.measure(handle, CPU, *picture(), SHORT)
        assert target.memory(handle, CPU, *picture()) > 1e6
        assert target.environment()["machine"]
        assert len(target.sleep([5, 5, 5])["slept_ms"]) == 2
    with open_target("local") as here:
        assert found.manifest == here.describe(here.push(model), CPU).manifest
        (expected,) = here.run(here.push(model), CPU, [picture()])
    assert (target.name, target.shares_machine, target.program) == ("ssh", False, "python")
    assert len(measured["samples_ms"]) == 2
    np.testing.assert_array_equal(output, expected)


def test_what_it_computed_is_judged_here(server: SshServer, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.json"
    command = ["parity", model, "--reference", DATA / "fourier", "--provider", "cpu"]
    where = ["--target", server.address, "--remote-python", sys.executable]
    assert cli.main([str(word) for word in (*command, *where, "--json-out", out)]) == 0
    document = load_document(out, PARITY)
    assert (document["target"], document["models"][0]["passed"]) == ("ssh", True)
    assert str(server.port) not in out.read_text()
    assert server.nothing_left()


def test_files_and_folders_travel_and_go(server: SshServer, tmp_path: Path) -> None:
    folder = tmp_path / "it's a $folder"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "data").write_bytes(bytes(range(256)) * 9999)
    (folder / "run").write_text("#!/bin/sh\necho $0; pwd; ls -A")
    (folder / "run").chmod(0o755)
    with reached(server) as target:
        place = target._place
        there = place.put(folder)
        assert place.put(folder) == there
        assert there.endswith("/it's a $folder")
        path, _, *files = place.run([f"{there}/run"]).output.splitlines()
        assert (path, files) == (f"{there}/run", [])
        place.fetch(f"{there}/inside/data", tmp_path / "back", 1 << 22)
        assert (tmp_path / "back").read_bytes() == (folder / "inside" / "data").read_bytes()
        with pytest.raises(LamaEdgeError, match="No such file"):
            place.fetch(f"{there}/nothing", tmp_path / "nothing", 1 << 20)
        result = place.new_path("result")
        assert place.run(["sh", "-c", f"echo 7 >{result}"]).code == 0
        place.remove(there)
        place.remove(result)
        place.remove("/etc/passwd")
        assert [name for name in server.files() if "files/" in name] == []
        assert place.put(folder) != there
        beside = place.put(folder / "run", [folder / "inside" / "data"])
        assert place.run(["ls", str(Path(beside).parent)]).output.split() == ["data", "run"]


def test_programs_there_speak_as_the_one_here_does(server: SshServer) -> None:
    said = []
    for spelling in (nullcontext(), spelling_flags()):
        with spelling, reached(server) as target:
            place = target._place
            program = "from lama_edge.errors import parameter; print(parameter('max_side', 8))"
            said.append(place.run([sys.executable, "-c", program]).output.strip())
    assert said == ["max_side=8", "--max-side 8"]


def test_a_program_tells_its_steps_its_code_and_its_last_words(server: SshServer) -> None:
    with reached(server) as target:
        steps: list[str] = []
        script = "echo one >&2; echo out; printf 'two\\nlast' >&2; exit 7"
        ended = target._place.run(["sh", "-c", script], step=steps.append)
        assert steps == ["one", "two", "last"]
        assert (ended.code, ended.output, ended.last_words) == (7, "out\n", "last")
        program = server.home / "a program"
        program.write_text("#!/bin/sh\necho here $1")
        program.chmod(0o755)
        assert target._place.run(["~/a program", "~"]).output == "here ~\n"
        program.unlink()
        assert target._place.run(["nothing-of-that-name"]).code == 127
        assert target._place.run(["/etc"]).code == 126
        assert target._place.run(["sh", "-c", "kill -9 $$"]).code == -9
        # What it leaves behind goes with it.
        target._place.run(["sh", "-c", "sleep 555 >/dev/null 2>&1 </dev/null & cd /; sleep 556 &"])
        assert not [words for words in server.programs() if words[-1] in ("555", "556")]


def test_the_users_configuration_counts(server: SshServer, tmp_path: Path) -> None:
    ssh = server.client / ".ssh"
    other = ssh / "id_ed25519"
    other.rename(tmp_path / "key")
    server.configure(f"    IdentityFile {tmp_path}/key\n    User root")
    with reached(server, address="ssh://box") as target:
        assert target._place.run(["id", "-un"]).output == "root\n"
    jump = f"Host behind\n    HostName 127.0.0.1\n    Port {server.port}\n    ProxyJump box\n"
    server.configure(f"    IdentityFile {tmp_path}/key\n{jump}    IdentityFile {tmp_path}/key")
    with reached(server, address="ssh://root@behind") as target:
        assert len(server.connections()) >= 2


def test_the_users_agent_counts(
    server: SshServer, agent: Callable[[Path], None], tmp_path: Path
) -> None:
    key = server.client / ".ssh" / "id_ed25519"
    agent(key)
    key.unlink()
    with reached(server) as target:
        assert target._place.machine()


def test_a_key_that_nobody_knows_is_refused_with_its_fingerprint(server: SshServer) -> None:
    known = server.client / ".ssh" / "known_hosts"
    known.unlink()
    with pytest.raises(LamaEdgeError) as caught, open_target(server.address, HERE):
        pass
    message = str(caught.value)
    assert server.fingerprint() in message
    assert f"ssh -p {server.port} 127.0.0.1" in message
    assert "unknown" in message
    assert not known.exists()
    assert server.nothing_left()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_that_changed_is_refused_and_not_taken(server: SshServer, kind: str) -> None:
    make_key(server.folder / "other", kind)
    server.know(server.folder / "other")
    with pytest.raises(LamaEdgeError) as caught, open_target(server.address, HERE):
        pass
    message = str(caught.value)
    assert server.fingerprint() in message
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in message
    assert "changed" in message
    assert server.nothing_left()


def test_who_has_no_key_there_is_told_what_to_do(server: SshServer) -> None:
    make_key(server.client / ".ssh" / "id_ed25519")
    with pytest.raises(LamaEdgeError, match=r"none of your keys .*without a password.*ssh-copy-id"):
        open_target(server.address, HERE).__enter__()
    assert server.nothing_left()


@pytest.mark.parametrize("address", ["ssh://127.0.0.1:1", "ssh://nowhere.invalid"])
def test_what_is_not_there_is_told_in_one_line(server: SshServer, address: str) -> None:
    with pytest.raises(LamaEdgeError, match=r"cannot be reached .*`ssh "):
        open_target(address, HERE).__enter__()


@pytest.mark.parametrize(
    "address",
    [
        *("ssh:", "ssh://", "ssh:box", "ssh://box/folder", "ssh://user:secret@box", "ssh://-box"),
        *("ssh://box:0", "ssh://box:65536", "ssh://box:", "ssh://a b", "ssh://::1"),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    pytest.importorskip("asyncssh")
    with pytest.raises(UsageError, match=r"give ssh://\[USER@\]HOST\[:PORT\]"):
        open_target(address, HERE)


def test_a_worker_goes_without_python() -> None:
    pytest.importorskip("asyncssh")
    options = TargetOptions(worker=Path(sys.executable), make_venv=True)
    with pytest.raises(UsageError, match="worker goes without"):
        open_target("ssh://box", options)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    monkeypatch.delitem(sys.modules, "lama_edge.benchmarks.targets.places.ssh", raising=False)
    with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[ssh\]"'):
        open_target("ssh://box")
