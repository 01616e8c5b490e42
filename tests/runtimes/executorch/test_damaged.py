"""Damaged programs are refused before ExecuTorch reads them, or caught by parity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from executorch_programs import Programs
from torch_answers import answer_of

from lama_edge.containers.executorch import write_manifest
from lama_edge.errors import ModelError, ParityError
from lama_edge.judging.judge import judge, require_parity
from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.spec import Size

SIZE = Size(64, 88)
Damage = Callable[[bytearray], None]


def _flip(at: float) -> Damage:
    def flip(content: bytearray) -> None:
        content[int(at * len(content))] ^= 1

    return flip


def _cut(content: bytearray) -> None:
    del content[len(content) // 2 :]


def _swap(content: bytearray) -> None:
    half = len(content) // 2
    content[:] = content[half:] + content[:half]


def _zeros(content: bytearray) -> None:
    content[4096:8192] = bytes(4096)


def _table(content: bytearray) -> None:
    content[:4] = b"\xff\xff\xff\x7f"


def _program(content: bytearray) -> None:
    content[16:24] = b"\xff" * 8


def _segments(content: bytearray) -> None:
    content[24:32] = b"\xff" * 8


def _longer(content: bytearray) -> None:
    content += b"\0"


DAMAGES: dict[str, Damage] = {
    "half of it": _cut,
    "halves swapped": _swap,
    "a page of zeros": _zeros,
    "a root table beyond the end": _table,
    "a program beyond the end": _program,
    "weights beyond the end": _segments,
    "a bit of the program": _flip(0.02),
    "a bit of the weights": _flip(0.7),
    "a byte more": _longer,
}


@pytest.fixture(scope="module")
def whole(program: Programs) -> Path:
    return program("regular", SIZE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_program_is_refused(whole: Path, tmp_path: Path, damage: str) -> None:
    content = bytearray(whole.read_bytes())
    DAMAGES[damage](content)
    path = tmp_path / "a.pte"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.pte"):
        open_runner(path)


def test_weights_that_were_changed_and_sealed_anew_are_caught_by_parity(
    whole: Path, tmp_path: Path
) -> None:
    content = np.frombuffer(bytearray(whole.read_bytes()), np.uint8)
    content[content.size * 3 // 4 : content.size * 3 // 4 + 20000] ^= 64
    path = tmp_path / "a.pte"
    path.write_bytes(content.tobytes())
    with pytest.raises(ModelError, match="changed since its export"):
        open_runner(path)
    write_manifest(path, manifest_of(whole).to_json())
    cases, wanted = answer_of("regular", SIZE)
    with open_runner(path) as runner, pytest.raises(ParityError):
        require_parity(
            judge(runner, cases, wanted, reference_name="torch", tolerance=Tolerance(1e-4))
        )
