"""A fleet's file: what it says of devices, and what is refused with the place and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge.benchmarks.fleet.devices import Device, read_devices
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.errors import UsageError

PI = '[[device]]\nname = "pi"\ntarget = "local"\n'


def _write(folder: Path, text: str) -> Path:
    path = folder / "devices.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_device_is_a_table_with_a_name_and_a_target(tmp_path: Path) -> None:
    text = (
        f"{PI}\n[[device]]\n"
        'name = "pi-worker"\ntarget = "local"\nworker = "bundles/aarch64"\n'
        'remote-python = "venv/bin/python"\nmake-venv = true\nremote-folder = "/data/x"\n'
        'provider = "cpu"\nthreads = 4\n'
    )
    plain, full = read_devices(_write(tmp_path, text))
    assert plain == Device("pi", "local", TargetOptions())
    assert (plain.scheme, plain.provider, plain.threads) == ("local", None, None)
    options = TargetOptions(
        tmp_path / "bundles/aarch64", "venv/bin/python", True, remote_folder="/data/x"
    )
    assert full == Device("pi-worker", "local", options, "cpu", 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no device"),
        ("device = 3", "lists no device"),
        ("device = [3]", "device 1: it is 3 and no table"),
        ("[fleet]\nname = 'x'\n" + PI, "has 'fleet'; it takes [[device]] alone"),
        ("[[device]]\nname = 'pi", "is no TOML file"),
        ("[[device]]\nname = 'pi'\n", "device 1: it has no target"),
        ("[[device]]\ntarget = 'local'\n", "device 1: it has no name"),
        (PI + "threds = 2\n", "device 1: unknown key 'threds'; known: name, target, worker"),
        (PI + "threads = '2'\n", "device 1: threads is '2'; expected a whole number"),
        (PI + "threads = true\n", "device 1: threads is True; expected a whole number"),
        (PI + "threads = 0\n", "device 1: threads is 0; give 1 or more"),
        (PI + "make-venv = 1\n", "device 1: make-venv is 1; expected true or false"),
        (PI + "worker = ''\n", "device 1: worker is ''; expected a text"),
        (PI + PI.replace('"pi"', '"PI"'), "two devices named 'pi'"),
        (PI + "[[device]]\nname = '../pi'\ntarget = 'local'\n", "device 2: name is '../pi'; give"),
        (PI.replace("local", "gopher://pi"), "device 1: unknown target 'gopher://pi'; known: lo"),
        (PI.replace("local", "pi@board"), "; over SSH it is 'ssh://pi@board'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_devices(path)
    assert words in str(caught.value)
    assert repr(str(path)) in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read_devices(tmp_path / "absent.toml")
    path = tmp_path / "devices.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(UsageError, match="is no TOML file"):
        read_devices(path)
