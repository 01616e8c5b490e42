"""What C++ and Python take beside the model: the page, and what Python measures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from lama_edge.benchmarks.studies.cpp_overhead import (
    LANGUAGES,
    OVERHEAD,
    PICTURES,
    THREADS,
    give_back,
    main,
    measure_python,
)
from lama_edge.benchmarks.studies.cpp_overhead import PAGE as GENERATED
from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.models.config import BIG_LAMA

RESULT, PAGE = ROOT / "benchmarks/results/cpp.json", ROOT / "docs/how-to/cpp.md"


def test_the_page_holds_the_committed_figures() -> None:
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    assert document["config"] == BIG_LAMA.to_dict()
    seen = {(one["title"], one["threads"], one["language"]) for one in document["measured"]}
    cases = (*OVERHEAD, *PICTURES)
    assert seen == {(c.title, t, name) for c in cases for t in THREADS for name in LANGUAGES}
    assert main(["--check", "--json-out", str(RESULT), "--page", str(PAGE)]) == 0


def test_the_tables_take_medians_over_pairs() -> None:
    def row(table: str, language: str, bare: list[float], whole: list[float]) -> dict[str, object]:
        key = {"table": table, "title": "one", "language": language, "threads": 1}
        return {**key, "bare_ms": bare, "inpaint_ms": whole}

    measured = [
        row("overhead", "C++", [100.0, 200.0, 100.0], [101.0, 204.0, 103.0]),
        row("overhead", "Python", [100.0] * 3, [110.0] * 3),
        row("pictures", "C++", [1.0, 2.0, 1.0], [11.0, 22.0, 31.0]),
        row("pictures", "Python", [10.0] * 3, [90.0] * 3),
    ]
    environment = {"chip": "a chip", "cores": 2, "packages": {"onnxruntime": "1"}}
    text = GENERATED.text({"environment": environment, "measured": measured})
    ten = "10.0 % (10.0 to 10.0)"
    assert (
        f"| one | 1 | 100.0 ms | 103.0 ms | 2.0 % (1.5 to 2.5) | 100.0 ms | 110.0 ms | {ten} |"
    ) in text
    assert "| one | 1 | 20.0 ms (15.0 to 25.0) | 80.0 ms (80.0 to 80.0) | 0.25 |" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--rounds", "0"], UsageError.exit_code, "--rounds is 0; give 1 or more"),
        (
            ["--program", "none"],
            MissingBackendError.exit_code,
            "there is no program 'none': make cpp-overhead",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    words: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    words = ["--measure", "--page", str(PAGE), "--json-out", str(result), *words]
    assert main(words) == code
    assert capsys.readouterr().err.endswith(f"{message}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_python_measures_each_pair_with_a_model_that_gives_back(
    form: str, exported: Callable[..., Path], tmp_path: Path
) -> None:
    model = tmp_path / "given-back.onnx"
    give_back(exported("fourier", io=form), model)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
    picture.tofile(tmp_path / "picture")
    np.full((48, 64), 255, np.uint8).tofile(tmp_path / "mask")
    payload = {
        "model": str(model),
        **{name: str(tmp_path / name) for name in ("picture", "mask", "result")},
        "size": [48, 64],
        "seen": [48, 64],
        "strategy": "full",
        "threads": 1,
        "pairs": 3,
        "warm_up_pairs": 1,
    }
    found = measure_python(payload)
    assert found["windows"] == 1
    assert len(found["bare_ms"]) == len(found["inpaint_ms"]) == 3
    assert min(*found["bare_ms"], *found["inpaint_ms"]) > 0
    assert (tmp_path / "result").read_bytes() == picture.tobytes()
