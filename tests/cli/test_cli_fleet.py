"""`bench --fleet`: one result, one page, named failures, and what is missing the next time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_device import Toys, register

from lama_edge import cli
from lama_edge.benchmarks.documents.store import FLEET, load_document
from lama_edge.benchmarks.fleet import run as module
from lama_edge.benchmarks.targets.places.remote import LostError
from lama_edge.errors import LamaEdgeError
from lama_edge.spec import Size

DEVICES = """
[[device]]
name = "pi"
target = "toy://pi.local"

[[device]]
name = "phone"
target = "toy://R5CT10"
threads = 2
"""


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    return register(monkeypatch)


@pytest.fixture
def bench(
    exported: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Runs the command on the fleet."""
    model = exported("fourier", Size(32, 48))
    monkeypatch.chdir(tmp_path)
    Path("devices.toml").write_text(DEVICES)

    def run(*words: str) -> int:
        common = ("--fleet", "devices.toml", "--rounds", "1", "--min-seconds", "0")
        return cli.main(["bench", str(model), *common, *words])

    return run


OUTPUTS = ("--json-out", "f.json", "--report", "f.html")


def test_a_dead_device_is_a_named_failure_and_the_next_run_completes(
    toys: Toys, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> None:
        raise LostError("the connection to R5CT10 was lost")

    toys.measuring["toy://R5CT10"] = lost
    assert bench(*OUTPUTS) == 2
    out, err = capsys.readouterr()
    assert "pi (toy):" in out
    assert "8 ms" in out
    assert "phone (toy):\nno result: the connection to phone was lost" in out
    assert "lama-edge: error: phone: the connection to R5CT10 was lost" in err
    assert "are kept in 'f.json.d': the same command measures the others" in err
    assert [path.name for path in Path("f.json.d").iterdir()] == ["pi.json"]
    pi, phone = load_document(Path("f.json"), FLEET)["devices"]
    assert (pi["error"], phone["result"]) == (None, None)
    assert "1\u00a0device has no result: phone." in Path("f.html").read_text()
    assert "R5CT10" not in Path("f.json").read_text() + Path("f.html").read_text()

    toys.measuring.clear()
    toys.opened.clear()
    assert bench(*OUTPUTS) == 0
    assert toys.opened == ["toy://R5CT10"]
    assert not Path("f.json.d").exists()
    assert "no result" not in Path("f.html").read_text()
    threads = [
        device["result"]["runs"][0]["threads"]
        for device in load_document(Path("f.json"), FLEET)["devices"]
    ]
    assert threads == [3, 2]


def test_warnings_and_failed_rows_name_their_device(
    toys: Toys, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*OUTPUTS) == 0
    err = capsys.readouterr().err
    for name in ("pi", "phone"):
        # The seeded checkpoint is not lama-tiny and was not named.
        assert f"lama-edge: warning: {name}: " in err


def test_json_is_the_document(
    toys: Toys, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--json-out", "f.json", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == load_document(Path("f.json"), FLEET)
    assert "warning" not in err


def test_an_interrupted_fleet_says_what_is_kept(
    toys: Toys,
    bench: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def save_and_stop(*arguments: object, **options: object) -> None:
        Path("f.json.d").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run_fleet", save_and_stop)
    assert bench("--json-out", "f.json") == 130
    err = capsys.readouterr().err.splitlines()
    assert "kept in 'f.json.d'" in err[-2]
    assert err[-1] == "lama-edge: interrupted"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "--fleet keeps what is done beside its result: add --json-out FLEET.json"),
        (("--json-out", "f.json", "--target", "toy://x"), "leave out --target, --worker"),
        (("--json-out", "f.json", "--worker", "w"), "leave out --target, --worker"),
        (("--json-out", "f.json", "--make-venv"), "leave out --target, --worker"),
        (("--json-out", "f.json", "--rounds", "0"), "rounds is 0"),
    ],
)
def test_what_a_fleet_does_not_take_is_refused_before_anything_is_opened(
    toys: Toys,
    bench: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    error: str,
) -> None:
    assert bench(*words) == 2
    assert error in capsys.readouterr().err
    assert toys.opened == []


def test_two_results_are_compared_device_by_device(
    toys: Toys, bench: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    bench("--json-out", "whole.json")

    def dead() -> None:
        raise LamaEdgeError("nobody answers")

    toys.opening["toy://R5CT10"] = dead
    bench("--json-out", "half.json")
    capsys.readouterr()
    assert cli.main(["compare", "whole.json", "whole.json"]) == 0
    out = capsys.readouterr().out
    assert "pi: " in out
    assert "phone: " in out
    assert cli.main(["compare", "whole.json", "half.json"]) == 2
    out, err = capsys.readouterr()
    assert "pi: " in out
    assert "phone: it has no result in the new document: nobody answers" in err
    single = load_document(Path("whole.json"), FLEET)["devices"][0]["result"]
    Path("single.json").write_text(json.dumps(single))
    assert cli.main(["compare", "single.json", "whole.json"]) == 2
    assert "compare two of the same kind" in capsys.readouterr().err
