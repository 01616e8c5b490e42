"""Targets: how ``--target`` finds one, and this machine as the first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lama_edge.benchmarks.environment import available_cores, environment
from lama_edge.benchmarks.targets.base import Target, open_target
from lama_edge.benchmarks.targets.local import LocalTarget
from lama_edge.errors import ModelError, UsageError


def test_local_is_this_machine() -> None:
    target = open_target("local")
    assert isinstance(target, LocalTarget)
    assert isinstance(target, Target)
    assert target.name == "local"
    assert target.environment() == environment()
    assert 1 <= target.default_threads() == available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("address", ["ssh://pi", "", "LOCAL", "usb:3"])
def test_an_unknown_target_names_those_that_there_are(address: str) -> None:
    with pytest.raises(UsageError, match=f"unknown --target '{address}'; known: local"):
        open_target(address)


def test_local_takes_no_address() -> None:
    with pytest.raises(UsageError, match=r"'local://box7'.*takes nothing"):
        open_target("local://box7")


def test_what_cannot_be_opened_keeps_its_error(tmp_path: Path) -> None:
    """The task ran in another process; its refusal must still say what to do."""
    payload = {"provider": "auto", "threads": 1, "timeout_s": None}
    (tmp_path / "m.tflite").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no runtime opens .*known: \.onnx"):
        LocalTarget("local").describe({**payload, "model": str(tmp_path / "m.tflite")})
