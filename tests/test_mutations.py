"""Damaged and hostile files end in one line and exit code 2, quickly and without a trace.

Every case damages one valid input by a seeded chance and runs the real command on it. A failed
case is reproduced by its id: ``pytest "tests/test_mutations.py::…[fourier.ckpt-7]"``. Thousands of
further seeds: ``python tests/mutation_campaign.py``.
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from damaged_cases import (
    KINDS,
    MODELS,
    OTHER_MODELS,
    PACKAGES,
    command_server,
    content_of,
    lay_out,
    make_originals,
    problem_of,
    run,
)
from mutations import damaged

FAST_SEEDS, ALL_SEEDS = 2, 13
LIMIT_S = 10.0
CASES = [
    pytest.param(
        kind, seed, id=f"{kind}-{seed}", marks=[pytest.mark.slow] if seed >= FAST_SEEDS else []
    )
    for kind in KINDS
    for seed in range(ALL_SEEDS)
]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    with command_server() as process:
        yield process


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_originals(tmp_path_factory.mktemp("originals"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_undamaged_files_work(
    kind: str, server: subprocess.Popen[str], originals: dict[str, Path], tmp_path: Path
) -> None:
    words, output = lay_out(kind, originals[kind].read_bytes(), originals, tmp_path)
    outcome = run(server, words, tmp_path / "log", limit_s=LIMIT_S)
    assert (outcome.exit_code, problem_of(outcome, limit_s=LIMIT_S)) == (0, None), outcome
    if output is not None:
        content_of(output)


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_a_damaged_file_is_one_line_or_harmless(
    kind: str,
    seed: int,
    server: subprocess.Popen[str],
    originals: dict[str, Path],
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    words, output = lay_out(
        kind, damaged(kind, originals[kind].read_bytes(), rng), originals, tmp_path
    )
    outcome = run(server, words, tmp_path / "log", limit_s=LIMIT_S)
    assert problem_of(outcome, limit_s=LIMIT_S) is None, outcome
    if output is not None:
        assert list(output.parent.iterdir()) == ([output] if outcome.exit_code == 0 else [])
        if outcome.exit_code == 0:
            content_of(output)
    if words[0] == "export" or kind in (*MODELS, *PACKAGES, *OTHER_MODELS):
        model = words[2] if words[0] == "export" else words[1]
        outcome = run(server, ["inspect", model], tmp_path / "inspect_log", limit_s=LIMIT_S)
        assert problem_of(outcome, limit_s=LIMIT_S) is None, outcome
