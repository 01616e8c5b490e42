"""The environment: what it was measured on, and nothing about whose it is."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import socket
from pathlib import Path

import numpy as np
import psutil
import pytest

from lama_edge.benchmarks.targets.tasks import environment as module
from lama_edge.benchmarks.targets.tasks.environment import anonymous, available_cores, environment


def _plant(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_it_says_what_this_machine_is() -> None:
    found = environment()
    assert found["packages"]["numpy"] == np.__version__
    assert found["memory_bytes"] == psutil.virtual_memory().total
    assert found["python"] == platform.python_version()
    assert found["machine"] == platform.machine()
    assert platform.release().partition("-")[0] in found["os"]
    assert found["chip"]
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)


def test_it_holds_nothing_personal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = json.dumps(environment())
    for secret in (socket.gethostname(), getpass.getuser(), str(Path.home()), str(tmp_path)):
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text), secret
    assert os.sep not in text.replace("GNU/Linux", "")


def test_a_kernel_is_told_by_its_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-alice-pc")
    assert environment()["os"].endswith("Linux 6.1.0")


@pytest.mark.parametrize(
    ("vendor", "product", "expected"),
    [
        ("Dell Inc.", "Latitude 7420", "Dell Inc. Latitude 7420"),
        ("HP", "HP EliteBook 840", "HP EliteBook 840"),
        ("System manufacturer", "System Product Name", None),
        ("To Be Filled By O.E.M.", "B450 Pro4", "B450 Pro4"),
        ("", "", None),
    ],
)
def test_a_board_is_named_and_generic_names_are_dropped(
    tmp_path: Path, vendor: str, product: str, expected: str | None
) -> None:
    root = _plant(
        tmp_path,
        sys__class__dmi__id__sys_vendor=vendor + "\n",
        sys__class__dmi__id__product_name=product + "\n",
        sys__class__dmi__id__product_serial="S3R1AL\n",
    )
    found = environment(root)
    assert found["device"] == expected
    assert "S3R1AL" not in json.dumps(found)


def test_a_single_board_computer_is_named_by_its_device_tree(tmp_path: Path) -> None:
    root = _plant(tmp_path)
    tree = root / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    (tree / "compatible").write_bytes(b"nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    (tree / "serial-number").write_bytes(b"S3R1AL\0")
    found = environment(root)
    assert found["device"] == "NVIDIA Jetson Orin Nano Developer Kit"
    assert found["chip"].startswith("nvidia,tegra234")
    assert "S3R1AL" not in json.dumps(found)


def test_graphics_processors_are_part_of_the_chip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines that differ in their GPU only must not count as the same."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert environment()["chip"].endswith(" + NVIDIA L4")
    tool.write_text("#!/bin/sh\necho 'no driver'; exit 9\n", encoding="utf-8")
    assert "driver" not in environment()["chip"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_cores_that_may_not_be_used_are_not_counted() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open '/home/al ice/models/f.onnx': no", "cannot open 'f.onnx': no"),
        ("cannot open 'models/f.onnx'", "cannot open 'f.onnx'"),
        (r"cannot open 'C:\Users\alice\f.onnx'", "cannot open 'f.onnx'"),
        ("File /opt/alice/lib/x.so is broken", "File x.so is broken"),
        ("File ~/lib/x.so: broken", "File x.so: broken"),
        ("multiples of 8, 3 MB/s, GNU/Linux", "multiples of 8, 3 MB/s, GNU/Linux"),
        ("it doesn't fit: 1/2 isn't 2", "it doesn't fit: 1/2 isn't 2"),
        ("asked by alice on box7 (box7.lan)", "asked by … on … (…)"),
        ("malice and box71", "malice and box71"),
    ],
)
def test_messages_lose_paths_and_names(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.setattr(module.socket, "gethostname", lambda: "box7.lan")
    monkeypatch.setattr(module.getpass, "getuser", lambda: "alice")
    assert anonymous(text) == expected
