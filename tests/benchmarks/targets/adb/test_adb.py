"""Devices reached by adb: which one, what it says of itself, files and programs there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from adb_device import SERIAL, AdbDevice

from lama_edge.benchmarks.targets.places.adb import AdbPlace, serial_of
from lama_edge.benchmarks.targets.places.android import read_sensors
from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError

pytestmark = pytest.mark.adb


def refused(serial: str = "") -> str:
    with pytest.raises(LamaEdgeError) as caught:
        AdbPlace(serial).open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_and_programs_come_and_go(device: AdbDevice, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "it's.sh").write_text("#!/bin/sh\necho ran; echo told >&2; exit 5\n")
    (folder / "inside" / "it's.sh").chmod(0o755)
    told: list[str] = []
    with AdbPlace("") as place:
        there = place.put(folder)
        assert there.endswith("/a folder")
        assert place.put(folder) == there
        ended = place.run([f"{there}/inside/it's.sh", "a b"], step=told.append)
        assert (ended.code, ended.output, ended.last_words) == (5, "ran\n", "told")
        assert told == ["told"]
        result = place.new_path("result")
        place.run(["sh", "-c", f"pwd; printf raw >{result}; exit 0"])
        place.fetch(result, tmp_path / "result", 1 << 20)
        assert (tmp_path / "result").read_text() == "raw"
        place.remove(there)
        assert not any("a folder" in file for file in device.files())
        assert place.run(["nosuch"]).code == 127
        assert place.run(["sh", "-c", "kill -9 $$"]).code == -9
    assert (device.files(), device.processes()) == ([], [])


def test_a_phone_says_what_it_is_and_nothing_of_whose(phone: AdbDevice) -> None:
    with AdbPlace(SERIAL) as place:
        facts, sensors = place.facts(), place.sensors()
    assert facts.pop("os").startswith("Android 16 (API 36), Linux ")
    assert facts == {"device": "Google Pixel 9", "chip": "Google Tensor G4"}
    assert sensors == {
        "battery": {"percent": 85.0, "status": "Charging"},
        "temperature_c": {"battery": 28.5, "CPU": 41.5},
        "throttled": True,
        "power_mode": "battery saver",
    }


def test_a_board_without_androids_commands_says_nothing_by_them(device: AdbDevice) -> None:
    with AdbPlace("") as place:
        assert (place.facts(), place.sensors()) == ({}, {})
        assert place.machine() == "x86_64"


def test_without_a_battery_there_is_none() -> None:
    assert read_sensors("present: false\nlevel: 0\nscale: 100\ntemperature: 0\n") == {}


def test_which_device(device: AdbDevice) -> None:
    assert refused("nosuch") == "adb has no device 'nosuch': look at `adb devices`"
    assert "`adb connect 192.0.2.1:5555`" in refused("192.0.2.1:5555")
    with device.beside("unauthorized") as other:
        assert "allow USB debugging in the dialogue" in refused(other)
        assert "and adb has 2; name one" in refused()
        with AdbPlace(SERIAL) as place:
            assert place.run(["true"]).code == 0
    device.adb("disconnect", other)
    with device.beside("old") as other:
        assert "Android 7 or later" in refused(other)
    device.adb("disconnect", other)
    device.unplug()
    assert "it is offline" in refused()
    device.adb("disconnect", SERIAL)
    assert "adb has no device: plug one in" in refused()


def test_a_device_that_may_not_be_opened_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no bus of USB here: this is adb's own line on one.
    state = "no permissions (user x is not in the plugdev group); see [http://developer]"
    adb = tmp_path / "adb"
    adb.write_text(f'#!/bin/sh\n[ "$1" = start-server ] || printf "List\\nXYZ\\t{state}\\n"\n')
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "join the group plugdev" in refused()


def test_no_adb_is_a_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingBackendError, match="apt-get install adb"):
        AdbPlace("").open()


@pytest.mark.parametrize(
    "address", ["adb", "adb:", "adb:/x", "adb://a/b", "adb://a b", "adb://-x;"]
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="no address of this kind"):
        serial_of(address)


def test_another_folder(device: AdbDevice) -> None:
    with AdbPlace("", "/data/elsewhere") as place:
        assert place.new_path("x").startswith("/data/elsewhere/")
    assert "Read-only file system" in refused_in("/usr/nowhere")
    assert device.processes() == []


def refused_in(folder: str) -> str:
    with pytest.raises(LamaEdgeError) as caught:
        AdbPlace("", folder).open()
    return str(caught.value)


def test_two_sessions_on_one_device(device: AdbDevice, caplog: pytest.LogCaptureFixture) -> None:
    with AdbPlace("") as place:
        assert "another measurement runs on this target" in refused()
        assert "another measurement" in refused_in("/data/elsewhere")
        assert place.run(["true"]).code == 0
    assert (device.files(), device.processes()) == ([], [])
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_no_room(start: Callable[..., AdbDevice], tmp_path: Path) -> None:
    device = start("x86_64", "1m")
    big = tmp_path / "model.onnx"
    big.write_bytes(bytes(3 << 20))
    with AdbPlace("") as place:
        with pytest.raises(LamaEdgeError, match=r"'model.onnx' cannot .*No space left.*free some"):
            place.put(big)
        assert not any("model" in file for file in device.files())
        assert place.run(["true"]).code == 0
    assert (device.files(), device.processes()) == ([], [])
