"""A target is a stranger: what it says is one clear line, takes bounded room, is shown as text."""

from __future__ import annotations

import json
import re
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stranger import stranger

from lama_edge import cli
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.targets.answers import read_answer
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.places import base, local
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import LamaEdgeError
from lama_edge.process import CrashError
from lama_edge.spec import Size

CPU = Opening("cpu", threads=1, timeout_s=60)
TWICE = Policy(1, 0, 2, 0)
MOST_MESSAGE = 1500


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(64, 96))


@contextmanager
def targeted(path: Path, task: str, **how: str) -> Iterator[Target]:
    worker = stranger(path / "worker", task, **how)
    with open_target("local", TargetOptions(worker=worker)) as target:
        yield target


def asked(target: Target, model: Path, task: str, step: Callable[[str], None] = len) -> Any:
    handle = target.push(model)
    image = np.zeros((1, 3, 64, 96), np.float32)
    mask = np.ones((1, 1, 64, 96), np.float32)
    if task == "describe":
        return target.describe(handle, CPU)
    if task == "sustain":
        return target.sustain(handle, CPU, image, mask, 0.1, step)
    if task == "memory":
        return target.memory(handle, CPU, image, mask)
    return target.measure(handle, CPU, image, mask, TWICE, step)


SPOILT = {
    "no JSON": ("describe", "answer = 'hello'", "cannot be used: Expecting value"),
    "deep": ("describe", "answer = '[' * 100000 + ']' * 100000", "cannot be used"),
    "deep object": ("describe", """answer = '{"a":' * 100000 + '1' + '}' * 100000""", "be used"),
    "a number": ("describe", "answer = 7", "is no lama_edge.worker document"),
    "another task": ("describe", "answer['task'] = 'run'; result.clear()", "answered 'run' to"),
    "not a number": ("describe", "result['load_ms'] = float('nan')", "its load_ms is nan"),
    "infinite": ("measure", "result['round']['samples_ms'][0] = float('inf')", "samples_ms is inf"),
    "huge": ("memory", "result['peak_memory_bytes'] = 10**400", "peak_memory_bytes is a number of"),
    "negative": ("measure", "result['round']['samples_ms'][0] = -1", "does not fit the schema"),
    "no samples": ("measure", "result['round']['samples_ms'] = []", "does not fit the schema"),
    "too few samples": ("measure", "result['round']['samples_ms'] = [1.0]", "did not do the runs"),
    "absurd samples": ("measure", "result['round']['samples_ms'] = [1e9] * 2", "clock counted"),
    "absurd load": ("describe", "result['load_ms'] = 1e12", "clock counted 1e\\+09 s"),
    "absurd warm-up": ("measure", "result['round']['warmup_ms'].append(1e9)", "clock counted"),
    "another first run": ("measure", "result['round']['first_run_ms'] = 1e6", "did not do"),
    "times that run back": ("sustain", "result['sustained']['at_s'][-1:] = [-0.0, 0, 1, 0]",
                            "did not tell when each"),
    "an end far away": ("sustain", "result['sustained']['watched'][-1]['at_s'] = 1e6", "counted"),
    "a short output": ("measure", "open(job['output'], 'wb').write(b'1234')", "has 4 bytes where"),
    "a long output": ("measure", "os.truncate(job['output'], 1 << 40)", "larger than 73728 bytes"),
    "no output": ("measure", "os.remove(job['output'])", "cannot read"),
    "another source": ("describe", "old = json.loads(model['manifest']); old['source']['sha256'] = "
                     "'1' * 64; model['manifest'] = json.dumps(old)", "described another model"),
    "another model's": ("measure", "model['manifest'] = '{}'", "manifest"),
}  # fmt: skip


@pytest.mark.parametrize(("task", "spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_what_no_program_of_ours_answers_is_refused_in_a_line(
    model: Path, tmp_path: Path, task: str, spoil: str, said: str
) -> None:
    with targeted(tmp_path, task, spoil=spoil) as target:
        with pytest.raises(LamaEdgeError, match=said) as caught:
            asked(target, model, task)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < MOST_MESSAGE


FLOODS = {
    "answers": ("while True: os.write(1, b'x' * 65536)", "printed is larger than"),
    "a line of steps": ("for _ in range(3000): os.write(2, b'x' * 65536)\nsys.exit(7)", "code 7"),
    "lines of steps": ("for _ in range(200000): os.write(2, b'step\\n')\nsys.exit(7)", "code 7"),
}


@pytest.mark.parametrize(("before", "said"), FLOODS.values(), ids=FLOODS)
def test_a_flood_takes_bounded_room_and_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, said: str
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(local, "MOST_OUTPUT", 1 << 20)
    longest = 0

    def step(line: str) -> None:
        nonlocal longest
        longest = max(longest, len(line))

    with targeted(tmp_path, "measure", before=before) as target:
        tracemalloc.start()
        try:
            with pytest.raises(CrashError, match=said):
                asked(target, model, "measure", step)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()
    assert longest <= base.MOST_LINE
    assert list(temporary.iterdir()) == []


def test_what_a_refusal_says_is_short_and_plain(model: Path, tmp_path: Path) -> None:
    before = """
        print("lama-edge-worker: error: \\x1b[2J\\x1b]0;gone\\x07" + "so " * 5000, file=sys.stderr)
        sys.exit(2)
    """
    spoilt = targeted(tmp_path, "describe", before=before)
    with spoilt as target, pytest.raises(LamaEdgeError) as caught:
        asked(target, model, "describe")
    assert str(caught.value).startswith("?[2J?]0;gone?so so")
    assert len(str(caught.value)) < MOST_MESSAGE


EVIL = "<script>alert(1)</script>\x1b[31m\r\nred\x07\u202e"
NAMED = f"""
for place in [result, model] if model else [result["environment"], result["sensors"]]:
    for key, value in place.items():
        if key in ("runtime", "provider", "version", "device", "chip", "os", "machine", "python"):
            place[key] = {EVIL!r} + str(value)
        if key in ("notes", "parts"):
            place[key] = [{EVIL!r}] if key == "notes" else []
        if key == "packages":
            place[key] = {{{EVIL!r}: {EVIL!r}, "../../../etc/passwd": "1"}}
        if key == "temperature_c":
            place[key] = {{{EVIL!r}: 41.5}}
        if key in ("governor", "power_mode"):
            place[key] = {EVIL!r}
        if key == "placement":
            place[key] = {{"providers": {{{EVIL!r}: 3}}, "fell_back": [{EVIL!r}]}}
answer["tool"] = "lama-edge " + {EVIL!r}
"""


@pytest.mark.parametrize("task", ["machine", "describe"])
def test_names_that_are_markup_or_orders_to_a_terminal_are_shown_as_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    worker = stranger(tmp_path / "worker", task, spoil=NAMED)
    document, page = tmp_path / "out" / "bench.json", tmp_path / "out" / "bench.html"
    document.parent.mkdir()
    options = ["--rounds=1", "--min-runs=1", "--min-seconds=0", "--threads=1"]
    outputs = ["--json-out", str(document), "--report", str(page)]
    cli.main(["bench", str(model), "--worker", str(worker), *options, *outputs])
    printed = capsys.readouterr()
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
    for text in (printed.out, printed.err, page.read_text()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    found = json.dumps(load_bench(document), ensure_ascii=False)
    assert "<script>alert(1)</script>?[31m red??" in found
    assert sorted(path.name for path in document.parent.iterdir()) == ["bench.html", "bench.json"]


def test_names_of_the_machine_and_its_user_are_in_no_environment_note_or_error(
    tmp_path: Path,
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"schema_version": 1, "task": "machine"}')
    with LocalPlace() as place:
        answer = json.loads(place.run([*PythonProgram().command(), str(request)]).output)
    answer["result"]["environment"] |= {"device": "box of ada", "os": "Boxer, ada@box.example.org"}
    answer["result"]["environment"]["packages"] = {"numpy": "1+ada"}
    found = read_answer(json.dumps(answer), {"ada", "box", "box.example.org"})
    environment = found["result"]["environment"]
    assert environment["device"] == "… of …"
    assert environment["os"] == "Boxer, …@…"
    assert environment["packages"] == {"numpy": "1+…"}
