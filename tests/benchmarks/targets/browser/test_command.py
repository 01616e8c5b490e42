"""The command line around a page: what it says, what it refuses, rows by provider."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_page import Visitors, site
from same_process import without_processes

from lama_edge import cli
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.browser import invitation
from lama_edge.benchmarks.targets.browser import target as module
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.spec import Size

QUICK = ("--rounds", "1", "--min-runs", "2", "--min-seconds", "0")


@pytest.fixture
def visitors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitors]:
    without_processes(monkeypatch)
    with site(tmp_path / "site", monkeypatch) as ort:
        found = Visitors(ort, monkeypatch)
        opened = module.invite

        def invite(address: str, fingerprint: str | None) -> None:
            invitation.invite(address, fingerprint)
            opened(address, fingerprint)

        monkeypatch.setattr(module, "invite", invite)
        yield found


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(64, 48))


def test_a_command_says_where_its_page_is_and_gives_a_table(
    visitors: Visitors, model: Path, golden_folder: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    words = (
        "bench", model, "--target", "browser", "--ort-web", visitors.options.ort_web,
        "--provider", "webgpu", "--provider", "wasm", "--provider", "wasm", "--threads", "2",
        "--reference", golden_folder, *QUICK, "--json-out", out, "--report", page,
    )  # fmt: skip
    assert cli.main([str(word) for word in words]) == 0
    said = capsys.readouterr()
    assert re.search(
        r"^lama-edge: the page is at http://127\.0\.0\.1:\d+/bench/#token=\S{20,}$", said.err, re.M
    )
    assert "lama-edge: waiting for a page" in said.err
    assert "SHA-256" not in said.err
    rows = [line.split() for line in said.out.splitlines()[1:]]
    assert [row[5] for row in rows] == ["webgpu", "wasm"]
    assert all("passed" in row for row in rows)
    assert [run["provider"] for run in load_bench(out)["runs"]] == ["webgpu", "wasm"]
    # The token is nobody's who reads the result.
    token = visitors.address.partition("=")[2]
    assert token not in out.read_text() + page.read_text() + said.out
    assert "Pocket 9" in page.read_text()


def test_providers_repeat_on_this_machine_too(
    model: Path, golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    without_processes(monkeypatch)
    out = tmp_path / "r.json"
    words = (
        "bench", model, "--provider", "cpu", "--provider", "emulated", *QUICK,
        "--reference", golden_folder, "--json-out", out,
    )  # fmt: skip
    assert cli.main([str(word) for word in words]) == 0
    runs = load_bench(out)["runs"]
    assert [run["provider"] for run in runs] == ["cpu", "emulated"]
    # Two rows of one name are told apart.
    warned = re.findall(r"at 64x48 on (\w+): only 2 samples", capsys.readouterr().err)
    assert warned == ["cpu", "emulated"]


def test_a_provider_of_pages_runs_nothing_elsewhere(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_processes(monkeypatch)
    assert cli.main(["bench", str(model), *QUICK, "--provider", "wasm"]) in (2, 3)
    assert "wasm" in capsys.readouterr().err


def test_a_row_that_failed_says_under_which_provider(
    model: Path, golden_folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    without_processes(monkeypatch)
    words = ("bench", model, "--provider", "cpu", "--provider", "wasm", *QUICK)
    assert cli.main([str(word) for word in (*words, "--reference", golden_folder)]) in (2, 3)
    (failed,) = [line for line in capsys.readouterr().out.splitlines() if " failed " in line]
    assert " wasm " in failed


@pytest.mark.parametrize("command", [("bench", *QUICK), ("parity",)])
def test_a_provider_that_no_page_has_is_refused_before_a_page_is_awaited(
    visitors: Visitors, model: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    words = [command[0], str(model), *command[1:], "--target", "browser", "--provider", "cpu"]
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "a page has no provider 'cpu': give auto, webgpu or wasm; wasm is the processor" in said
    assert "waiting for a page" not in said


PAGE_OPTIONS = {
    "lan": TargetOptions(lan=True),
    "port": TargetOptions(port=8123),
    "ort": TargetOptions(ort_web=Path("dist")),
}


@pytest.mark.parametrize("address", ["local", "ssh://board", "adb://"])
@pytest.mark.parametrize("options", PAGE_OPTIONS.values(), ids=PAGE_OPTIONS)
def test_what_is_said_of_a_page_goes_with_a_page_alone(
    address: str, options: TargetOptions
) -> None:
    with pytest.raises(UsageError, match="lan, ort_web and port go with target='browser'"):
        open_target(address, options)


OTHER_OPTIONS = {
    "worker": TargetOptions(worker=Path("w")),
    "python": TargetOptions(remote_python="python3"),
    "venv": TargetOptions(make_venv=True),
    "folder": TargetOptions(remote_folder="/tmp"),
}


@pytest.mark.parametrize("options", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
def test_a_page_takes_nothing_that_is_said_of_other_machines(options: TargetOptions) -> None:
    with pytest.raises(UsageError, match="do not go with target='browser'"):
        open_target("browser", options)


def test_a_page_has_no_address() -> None:
    with pytest.raises(UsageError, match="takes nothing after its name; --port"):
        open_target("browser://phone")


def test_without_onnx_runtime_web_the_command_ends_with_3(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lama_edge_ort_web", None)
    with pytest.raises(MissingBackendError):
        open_target("browser")
    assert cli.main(["bench", str(model), "--target", "browser"]) == 3
    said = capsys.readouterr().err
    assert "make web" in said
    assert "--ort-web DIR" in said


def test_a_fleet_has_no_page_and_one_provider(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, out = tmp_path / "devices.toml", tmp_path / "fleet.json"
    common = ["bench", str(model), "--fleet", str(fleet), "--json-out", str(out)]
    fleet.write_text('[[device]]\nname = "phone"\ntarget = "browser"\n')
    assert cli.main(common) == 2
    assert "device 1: a page waits for a person" in capsys.readouterr().err
    fleet.write_text('[[device]]\nname = "here"\ntarget = "local"\n')
    for more in (("--lan",), ("--port", "8123"), ("--ort-web", "dist")):
        assert cli.main([*common, *more]) == 2
        assert "leave out --target" in capsys.readouterr().err
    assert cli.main([*common, "--provider", "cpu", "--provider", "cuda"]) == 2
    assert "--fleet takes one --provider" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("terminal", "fingerprint"), [(True, "AB:CD"), (True, None), (False, "A")])
def test_a_code_is_shown_on_a_terminal_for_a_page_on_the_network(
    terminal: bool, fingerprint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", shown)
    invitation.invite("https://10.1.2.3:4567/bench/#token=abc", fingerprint)
    said = shown.getvalue()
    assert "https://10.1.2.3:4567/bench/#token=abc" in said
    assert ("\u2580" in said or "\u2584" in said) == (terminal and fingerprint is not None)
    assert ("SHA-256" in said) == (fingerprint is not None)
    assert json.dumps(said)
