"""The comparison end to end, in a shape that takes milliseconds."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
from same_process import without_processes

from lama_edge.benchmarks.documents.store import PEERS, DocumentError, check_document, load_document
from lama_edge.benchmarks.studies.peers import entries
from lama_edge.benchmarks.studies.peers.__main__ import main
from lama_edge.benchmarks.studies.peers.entries import Artifact, Peer
from lama_edge.benchmarks.studies.peers.measure import TOLERANCES, distance
from lama_edge.benchmarks.studies.peers.picture import image_and_mask
from lama_edge.benchmarks.studies.peers.run import PeersJob, Sampling, run_peers
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import ModelError, UsageError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.spec import Size

Document = dict[str, Any]
ONCE = Policy(1, 0.0, 1, 0.0)
# torch's default exporter is a package of its own.
OPTIONAL = {"torch-default-export": "onnxscript"}
NAMES = tuple(
    peer.name
    for peer in entries.chosen(None)[0]
    if peer.name not in OPTIONAL or importlib.util.find_spec(OPTIONAL[peer.name])
)
# torch's exporters and ExecuTorch's take half a minute each.
SLOW_NAMES = (
    "torch-default-export",
    "runtime-matrices",
    "lama-edge-executorch",
    "lama-edge-executorch-int8",
)
QUICK_NAMES = tuple(name for name in NAMES if name not in SLOW_NAMES)
DEADLY = """
import os, signal

def write(payload):
    open(payload["output"], "w").close()

def die(payload):
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def job(**options: Any) -> PeersJob:
    usual: dict[str, Any] = {
        "config": FfcResnetConfig(ngf=8, n_blocks=1),
        "size": Size(64, 64),
        "threads": 1,
        "entries": (),
        "sampling": Sampling(1, ONCE),
        "section_sampling": Sampling(1, ONCE),
        "limit_policy": ONCE,
    }
    return PeersJob(**{**usual, **options})


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the progress of `measured` was."""
    return []


@pytest.fixture(scope="module")
def measured(told: list[str]) -> Document:
    """All sections and most entries, measured in two rounds in this process."""
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        return run_peers(
            job(
                entries=QUICK_NAMES,
                sampling=Sampling(2, ONCE),
                growth=(Size(64, 64), Size(64, 128)),
                dynamic=(Size(64, 64),),
            ),
            told.append,
        )


def test_entries_are_measured_and_compute_the_generator(measured: Document) -> None:
    check_entries(measured, QUICK_NAMES, rounds=2)


@pytest.mark.slow
def test_every_entry_is_measured_in_a_process_of_its_own() -> None:
    check_entries(run_peers(job(entries=NAMES)), NAMES, rounds=1)


def check_entries(measured: Document, names: tuple[str, ...], rounds: int) -> None:
    assert [row["name"] for row in measured["entries"]] == list(names)
    for row in measured["entries"]:
        assert row["error"] is None, row
        assert len(row["samples_s"]) == rounds
        if row["name"] == entries.LIMIT:
            assert row["limit"]["gflop"] > 0
            assert row["peak_bytes"] is row["file_bytes"] is row["runtime"] is None
        else:
            assert row["max_abs_diff"] < (1e-4 if row["precision"] == "fp32" else 0.5)
            assert row["precision"] == ("int8" if row["name"].endswith("-int8") else "fp32")
            assert min(row["peak_bytes"], row["file_bytes"], row["first_run_s"]) > 0


def test_ratios_are_over_lama_edge_and_over_the_first_of_a_section(measured: Document) -> None:
    ours = next(row for row in measured["entries"] if row["name"] == entries.OURS)
    for row in measured["entries"]:
        assert row["ratio"] == pytest.approx(row["median_s"] / ours["median_s"])
    small, large = measured["growth"]
    assert small["ratio"] == 1
    assert large["ratio"] == pytest.approx(large["median_s"] / small["median_s"] / 2)
    fixed, dynamic = measured["dynamic"]
    assert dynamic["ratio"] == pytest.approx(dynamic["median_s"] / fixed["median_s"])
    assert dynamic["name"] == "lama-edge-cpu-dynamic-64x64"


def test_no_file_lies_where_another_ones_weights_do() -> None:
    files = {peer.artifact.file for peer in entries.PEERS if peer.artifact is not None}
    stems = [Path(file).stem for file in (*files, entries.REFERENCE.file)]
    assert len(stems) == len(set(stems))


def test_rounds_interleave_the_entries(measured: Document, told: list[str]) -> None:
    order = [line.split(",")[0] for line in told if line.endswith(" of 2")]
    assert order == [*QUICK_NAMES, *QUICK_NAMES]


def test_a_file_is_prepared_once_and_shared(measured: Document, told: list[str]) -> None:
    prepared = [line for line in told if line.startswith("preparing")]
    assert len(prepared) == len(set(prepared))


def test_a_document_must_fit_its_schema(measured: Document) -> None:
    check_document(measured, PEERS)
    broken = json.loads(json.dumps(measured))
    broken["entries"][0]["median_s"] = None
    with pytest.raises(DocumentError, match="median_s"):
        check_document(broken, PEERS)


def test_a_crash_is_a_row_and_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_tasks.py").write_text(DEADLY, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    artifact = Artifact("deadly.bin", "deadly_tasks:write")
    unmade = Artifact("unmade.bin", "deadly_tasks:die")
    deadly = (
        Peer("dies", "dies while it is measured", "torch", artifact, task="deadly_tasks:die"),
        Peer("unmade", "dies while it is prepared", "torch", unmade),
    )
    eager = next(peer for peer in entries.PEERS if peer.name == "torch-eager")
    monkeypatch.setattr(entries, "PEERS", (*deadly, eager))
    rows = run_peers(job(entries=None, sampling=Sampling(2, ONCE)))["entries"]
    for row in rows[:2]:
        assert "SIGSEGV" in row["error"]
        assert row["median_s"] is None
    assert rows[2]["error"] is None
    assert len(rows[2]["samples_s"]) == 2


def test_a_wrong_result_is_an_error_and_no_time(tmp_path: Path) -> None:
    import numpy as np

    size = Size(64, 64)
    reference = tmp_path / "r.npy"
    wanted = np.zeros((1, 3, 64, 64), np.float32)
    np.save(reference, wanted)
    known = image_and_mask(size)[1] == 0
    in_known = wanted + np.float32(0.5) * known

    def judged(output: Any, precision: str = "fp32") -> tuple[float, float | None]:
        return distance(output, str(reference), size, TOLERANCES[precision])

    assert judged(in_known) == judged(in_known.transpose(0, 2, 3, 1)) == (0, None)
    assert judged(wanted + np.float32(0.1), "int8") == (pytest.approx(0.1), pytest.approx(20))
    with pytest.raises(ModelError, match=r"not the generator's: .* 5\.00e-01"):
        judged(wanted + np.float32(0.5))
    with pytest.raises(ModelError, match=r"6\.0 dB of at least"):
        judged(wanted + np.float32(0.5), "int8")
    with pytest.raises(ModelError, match="NaN"):
        judged(wanted * np.float32("nan"), "int8")


def test_an_absent_package_leaves_its_entry_out_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openvino = next(peer for peer in entries.PEERS if peer.name == "lama-edge-openvino")
    absent = Peer(**{**vars(openvino), "needs": ("numpy", "no_such_package")})
    monkeypatch.setattr(entries, "PEERS", (absent,))
    found = run_peers(job(entries=None))
    assert found["entries"] == []
    assert found["left_out"] == [{"name": "lama-edge-openvino", "needs": "no_such_package"}]


def test_the_command_writes_its_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    out = tmp_path / "peers.json"
    words = ["--blocks", "1", "--ngf", "8", "--size", "64", "--threads", "1", "--rounds", "1",
             "--entries", "lama-edge-cpu", "--json-out", str(out)]  # fmt: skip
    assert main(words) == 0
    (row,) = load_document(out, PEERS)["entries"]
    assert row["name"] == "lama-edge-cpu"
    assert "lama-edge" in capsys.readouterr().out


def test_files_are_made_ahead_and_measured_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    kept = tmp_path / "kept"
    words = ["--blocks", "1", "--ngf", "8", "--size", "64", "--threads", "1", "--rounds", "1",
             "--entries", "lama-edge-openvino", "--files", str(kept)]  # fmt: skip
    assert main([*words, "--prepare"]) == 0
    assert "round" not in capsys.readouterr().err
    there = {file: file.read_bytes() for file in kept.iterdir() if file.is_file()}
    assert {file.suffix for file in there} == {".safetensors", ".npy", ".xml", ".bin", ".json"}
    assert main(words) == 0
    assert "preparing" not in capsys.readouterr().err
    assert {file: file.read_bytes() for file in kept.iterdir()} == there
    assert main([*words, "--blocks", "2"]) == UsageError.exit_code
    assert "another architecture" in capsys.readouterr().err
    (kept / "made-by.json").unlink()
    assert main(words) == UsageError.exit_code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prepare"], "--files"),
        (["--entries", "carve"], "unknown entry 'carve'"),
        (["--size", "dynamic"], "needs a size"),
        (["--size", "60"], "multiples of 8"),
        (["--rounds", "0"], "rounds is 0"),
        (["--threads", "0"], "threads is 0"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_measured(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == UsageError.exit_code
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("lama-edge: error: ")
    assert message in error
