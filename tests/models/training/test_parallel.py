"""Several training processes: the same weights in each, and a failure that ends them all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from lama_edge.models.training.parallel import ALONE

# Starting a process takes seconds, for torch's import alone.
pytestmark = pytest.mark.slow
TIMEOUT_S = 300

TRAIN = """
import dataclasses, sys
import torch
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.training.data.pool import DataSettings, Scenes
from lama_edge.models.training.losses.discriminator import DiscriminatorConfig
from lama_edge.models.training.loop import train
from lama_edge.models.training.parallel import run_group
from lama_edge.models.training.settings import TrainSettings
from lama_edge.models.training.state import new_state

SETTINGS = TrainSettings(
    steps=3, generator=FfcResnetConfig(ngf=4, n_blocks=1), warmup_steps=1,
    discriminator=DiscriminatorConfig(4, 2), adversarial_from=1,
)
DATA = DataSettings(seed=7, crop_pixels=32, batch_size=2, small_steps=0, pool_pictures=4)

def work(group):
    torch.set_num_threads(1)
    state = new_state(SETTINGS, seed=1)
    values = []
    train(state, SETTINGS, DATA, report=lambda _, v: values.append(v), source=Scenes(), group=group)
    networks = (state.generator, state.average, state.adversary.discriminator)
    torch.save(
        {"values": values, "tensors": [dict(n.state_dict()) for n in networks]},
        f"{sys.argv[1]}/rank-{group.rank}.pt",
    )
"""
CRASH = """
import os, signal
from lama_edge.errors import LamaEdgeError, PictureError
from lama_edge.models.training.parallel import run_group
import torch, sys

def work(group):
    if group.rank == 1 and sys.argv[1] == "error":
        raise PictureError("seven pictures are too few")
    if group.rank == 1 and sys.argv[1] == "bug":
        raise ZeroDivisionError("of something")
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    while True:
        group.mean(1.0)
"""
ENDLESS = """
import os, pathlib, sys
from lama_edge.models.training.parallel import run_group

def work(group):
    pathlib.Path(sys.argv[1], f"pid-{group.rank}").write_text(str(os.getpid()))
    while True:
        group.mean(1.0)
"""
MAIN = """
if __name__ == "__main__":
    try:
        run_group(work, 2)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


def python(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "script.py"
    path.write_text(script + MAIN)
    return subprocess.run(
        [sys.executable, str(path), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


def test_two_processes_see_different_batches_and_end_with_the_same_weights(tmp_path):
    finished = python(TRAIN, tmp_path, str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    first, other = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["values"] != other["values"]
    for one, two in zip(first["tensors"], other["tensors"], strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("error", "the training stopped: seven pictures are too few"),
        ("bug", "the training stopped: process 1: ZeroDivisionError: of something"),
        ("kill", "the training stopped: "),
    ],
)
def test_a_process_that_fails_ends_the_others_with_its_message(tmp_path, how, message):
    finished = python(CRASH, tmp_path, how)
    assert finished.returncode == 1
    assert f"TrainingError: {message}" in finished.stderr.splitlines()[-1]


def test_one_process_is_its_own_mean():
    tensor = torch.tensor([1.0, 2.0])
    ALONE.average([tensor])
    assert tensor.tolist() == [1.0, 2.0]
    assert ALONE.mean(0.1) == 0.1


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ENDLESS + MAIN)
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)])
    try:
        notes = [tmp_path / f"pid-{rank}" for rank in range(2)]
        deadline = time.monotonic() + TIMEOUT_S
        while not all(note.exists() and note.read_text() for note in notes):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        parent.kill()
        parent.wait()
    for pid in (int(note.read_text()) for note in notes):
        while psutil.pid_exists(pid):
            assert time.monotonic() < deadline
            time.sleep(0.1)
