"""`lama-edge doctor`: what works is told with figures, what does not by its cause and its mend."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lama_edge import cli
from lama_edge.benchmarks.documents.store import DOCTOR, check_document
from lama_edge.doctor import examination, probe, tools, tries
from lama_edge.doctor.trying import reinstalling, tried
from lama_edge.exporters.formats import record
from lama_edge.models import zoo
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.runtimes import registry
from lama_edge.runtimes.numpy.runner import NumpyRunner

_FORMATS = ("onnx:ONNX",)
_RUNTIMES = ("onnxruntime.record:ONNXRUNTIME", "numpy.record:NUMPY")


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One export and two runtimes, since each is a process."""
    formats = [f"lama_edge.exporters.formats.{name}" for name in _FORMATS]
    monkeypatch.setattr(record, "FORMATS", formats)
    monkeypatch.setattr(registry, "RUNTIMES", [f"lama_edge.runtimes.{name}" for name in _RUNTIMES])


def _examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Run the command; its document fits its schema, whatever is broken."""
    code = cli.main(["doctor", "--json"])
    return code, check_document(json.loads(capsys.readouterr().out), DOCTOR)


def _rows(document: dict[str, Any], runtime: str) -> dict[str, dict[str, Any]]:
    return {row["provider"]: row for row in document["runtimes"] if row["runtime"] == runtime}


def test_what_works_is_told_with_figures_and_nothing_personal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    code, document = _examined(capsys)
    assert (code, document["problems"]) == (0, [])
    ort, numpy = _rows(document, "onnxruntime"), _rows(document, "numpy")
    assert set(ort) == set(registry.load(registry.RUNTIMES[0]).providers)
    for row in (ort["cpu"], numpy["numpy"]):
        assert row["status"] == "works"
        assert row["max_abs_diff"] < 1e-5
        assert row["run_ms"] > 0
    assert numpy["numpy"]["version"] == np.__version__
    assert ort["dml" if sys.platform != "win32" else "coreml"]["status"] == "other system"
    assert [(row["format"], row["status"]) for row in document["exports"]] == [("onnx", "works")]
    assert document["environment"]["packages"]["numpy"] == np.__version__
    text = json.dumps(document)
    for secret in (socket.gethostname(), getpass.getuser(), str(Path.home()), str(tmp_path)):
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text), secret


def test_a_package_that_crashes_is_a_row_and_where_it_came_from_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "onnxruntime"
    fake.mkdir()
    (fake / "__init__.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path.parent)
    code, document = _examined(capsys)
    row = _rows(document, "onnxruntime")["cpu"]
    assert (code, row["status"]) == (2, "broken")
    assert "SIGABRT" in row["reason"]
    place = f"~/{tmp_path.name}/onnxruntime"
    assert row["reason"].endswith(f"'onnxruntime' is imported from {place}, where pip put nothing")
    assert row["fix"] == f"take {place} off PYTHONPATH, or out of the way"
    assert _rows(document, "numpy")["numpy"]["status"] == "works"
    assert "ONNX Runtime cpu" in {one["what"] for one in document["problems"]}
    assert cli.main(["doctor"]) == 2
    said = capsys.readouterr().out
    assert "what is installed and does not work:\n" in said
    assert "ONNX Runtime cpu" in said
    assert said.count("the process was killed by SIGABRT") == 1


def test_a_package_that_does_not_load_is_told_with_the_line_that_installs_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where pip put it, as after an install that broke off."""
    fake = tmp_path / "onnxruntime"
    fake.mkdir()
    (fake / "__init__.py").write_text("raise ImportError('libfoo.so.1: cannot open it')\n")
    facts = tmp_path / "onnxruntime-1.31.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.31.1\n")
    (facts / "top_level.txt").write_text("onnxruntime\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    row = _rows(_examined(capsys)[1], "onnxruntime")["cpu"]
    assert row["status"] == "broken"
    assert row["reason"] == "ImportError: libfoo.so.1: cannot open it"
    assert row["fix"] == "pip install --force-reinstall --no-deps onnxruntime==1.31.1"


@pytest.mark.parametrize("version", ["1.16.3", "1.17"])
def test_a_version_outside_the_range_is_told_with_what_mends_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    version: str,
) -> None:
    facts = tmp_path / f"onnxruntime-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}")
    monkeypatch.syspath_prepend(tmp_path)
    # What mends the version mends what comes of it.
    broken = {"outcome": "broken", "reason": "the process was killed by SIGSEGV"}
    if version == "1.16.3":
        monkeypatch.setattr(examination, "tried", lambda *_: broken)
        again = f"pip install --force-reinstall --no-deps onnxruntime=={version}"
        monkeypatch.setattr(examination, "reinstalling", lambda module: (None, again))
    code, document = _examined(capsys)
    found = [one for one in document["problems"] if one["what"] == f"onnxruntime {version}"]
    if version == "1.17":
        assert (code, found) == (0, [])
        return
    assert code == 2
    assert found == [
        {
            "status": "broken",
            "what": "onnxruntime 1.16.3",
            "reason": "lama-edge[onnx] asks for onnxruntime>=1.17",
            "fix": 'pip install "lama-edge[onnx]"',
        }
    ]
    (crash,) = [one for one in document["problems"] if one["what"] == "ONNX Runtime cpu"]
    assert crash["fix"] == 'pip install "lama-edge[onnx]"'


@pytest.mark.parametrize("home", ["folder", "/", None], ids=str)
def test_a_shadowing_folder_is_named_whatever_home_a_container_gives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    (tmp_path / "shadowing").mkdir()
    (tmp_path / "shadowing" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path) if home == "folder" else "/")
    if home is None:  # nor is the user in the list of users
        monkeypatch.delenv("HOME")
        monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.setattr("lama_edge.doctor.trying.without_names", str)
    shown = "~" if home == "folder" else str(tmp_path)
    assert reinstalling("shadowing")[1] == (
        f"take {shown}/shadowing off PYTHONPATH, or out of the way"
    )


def test_a_changed_embedded_model_is_told_and_nothing_is_tried_on_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = zoo.zoo_entries()[0]
    content = bytearray(zoo.required_path(entry).read_bytes())
    content[-1] ^= 1
    changed = tmp_path / str(entry.embedded)
    changed.parent.mkdir()
    changed.write_bytes(content)
    monkeypatch.setattr(zoo, "_FOLDER", tmp_path)
    code, document = _examined(capsys)
    assert (code, document["model"]["status"]) == (2, "broken")
    (problem,) = document["problems"]
    assert problem["fix"].startswith("pip install --force-reinstall --no-deps lama-edge==")
    assert {row["status"] for row in document["exports"]} == {"not tried"}
    assert _rows(document, "numpy")["numpy"]["status"] == "not tried"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sleep 30", "`adb version` did not end within 0.5 s"),
        ("echo no libusb >&2; exit 3", "`adb version` ended with code 3: no libusb"),
    ],
)
def test_an_adb_that_hangs_or_fails_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    adb = tmp_path / "adb"
    adb.write_text(f"#!/bin/sh\n{script}\n")
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(tools, "_ADB_SECONDS", 0.5)
    row = tools.TOOLS["adb"].look()
    assert (row["status"], row["reason"]) == ("broken", reason)
    assert "apt-get install adb" in row["fix"]


def test_what_hangs_is_stopped() -> None:
    answer = tried("lama_edge.doctor.tries:ssh", {}, timeout_s=0.01)
    assert answer["outcome"] == "broken"
    assert "did not finish within 0.01 s" in answer["reason"]


def test_what_computes_something_else_is_wrong_and_exits_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = probe.known
    monkeypatch.setattr(probe, "known", lambda case: known(case) + np.float32(1))
    model = str(zoo.required_path(zoo.zoo_entries()[0]))
    answer = tries.run({"runtime": "numpy", "provider": "numpy", "model": model})
    assert answer["outcome"] == "wrong"
    assert "differs from lama-tiny" in answer["reason"]
    assert examination.exit_code({"problems": [{"status": "broken"}, {"status": "wrong"}]}) == 1


def test_an_export_whose_package_is_missing_names_all_that_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without onnx nothing makes a model, and ONNX Runtime is told to want one; exit code 0."""
    for name in ("onnx", "onnx_ir"):
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('No module named {name}', name={name!r})\n"
        )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(examination, "_READY_MADE", "nothing")
    code, document = _examined(capsys)
    (export,) = document["exports"]
    fix = 'pip install "lama-edge[export,onnx]"'
    assert (code, export["status"], export["fix"]) == (0, "not installed", fix)
    row = _rows(document, "onnxruntime")["cpu"]
    assert (row["status"], row["fix"]) == ("not tried", fix)


def test_the_known_answer_is_what_the_reference_gives() -> None:
    """After new weights: python -m lama_edge.doctor.probe."""
    case = probe.probe()
    image = case.image.astype(np.float32).transpose(2, 0, 1)[None] / np.float32(255)
    mask = case.hole.astype(np.float32)[None, None]
    with NumpyRunner(load_checkpoint(), composite=False) as reference:
        levels = reference.run(image, mask)[0].transpose(1, 2, 0) * 255
    assert np.abs(levels - probe.known(case))[case.hole].max() < 255e-5
    assert levels[case.hole].std() > 10
