"""What is in a program: one delegate, a manifest, and nothing of the machine that made it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from executorch_programs import Programs
from same_process import call

from lama_edge import cli, pipeline
from lama_edge.containers.executorch import read_manifest_text
from lama_edge.errors import MissingBackendError, ParityError, UsageError
from lama_edge.export.formats.executorch import lowering
from lama_edge.export.formats.record import Export
from lama_edge.judging.tolerances import Tolerance
from lama_edge.pipeline import STEPS, export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.spec import Size

SIZE = Size(64, 64)
FAMILY = "regular"
CHECKPOINT = Path(__file__).parents[3] / "data" / FAMILY
CASTS = "dim_order_ops._to_dim_order_copy.default"


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower here: a process of its own imports torch and ExecuTorch once more."""
    monkeypatch.setattr(lowering, "run_isolated", call)


def test_a_program_is_lowered_in_a_process_of_its_own_judged_and_stamped(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    seen: list[str] = []
    within: list[str] = []
    job = Export("executorch", CHECKPOINT, path, sizes=(SIZE,))
    result = export_model(job, seen.append, lambda what, done: within.append(what))
    manifest = result.manifest
    assert manifest_of(path) == manifest
    with open_runner(path) as runner:
        assert runner.manifest == manifest
    about = {"name": "executorch", "backend": "xnnpack", "delegates": 1, "outside": "nothing"}
    assert manifest.format == about
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert manifest.parity.runtime.startswith("executorch ")
    assert manifest.io.batch == 1
    assert manifest.tools.keys() >= {"executorch", "torch", "lama-edge", "numpy"}
    assert (tuple(seen), within) == (STEPS, ["trace", "lower", "write"])
    assert [one.name for one in tmp_path.iterdir()] == ["a.pte"]


def test_apps_ask_the_program_for_its_manifest(program: Programs) -> None:
    from executorch.runtime import Runtime

    path = program(FAMILY, SIZE)
    loaded = Runtime.get().load_program(path)
    assert loaded.method_names == {"forward", "lama_edge", "lama_edge_sha256"}
    method = loaded.load_method("lama_edge")
    assert method is not None
    (text,) = method.execute([])
    assert text.rstrip() == read_manifest_text(path)


def test_two_exports_are_the_same_bytes(program: Programs, tmp_path: Path) -> None:
    one = program(FAMILY, SIZE)
    other = Programs(_Folders(tmp_path))(FAMILY, SIZE)  # type: ignore[arg-type]
    assert one.read_bytes() == other.read_bytes()


class _Folders:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mktemp(self, name: str) -> Path:
        return self._folder


def test_the_program_names_no_machine_person_or_path(program: Programs) -> None:
    content = program(FAMILY, SIZE).read_bytes()
    for secret in (str(CHECKPOINT.parents[2]), os.uname().nodename, str(Path.home()) + "/"):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    ("io", "precision", "delegates", "outside"),
    [
        ("float", "int8", 1, "nothing"),
        ("uint8", "fp32", 1, f"{CASTS} 3"),
        ("float", "fp16", 3, f"{CASTS} 2"),
    ],
)
def test_what_is_outside_the_delegates_is_known(
    program: Programs, io: Any, precision: str, delegates: int, outside: str
) -> None:
    about = manifest_of(program(FAMILY, SIZE, io, precision)).format
    assert (about["delegates"], about["outside"]) == (delegates, outside)


def test_the_export_and_inspect_say_what_is_outside(
    tmp_path: Path, in_this_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pte"
    words = ["export", "executorch", str(CHECKPOINT), "-o", str(path), "--size", "64"]
    assert cli.main([*words, "--io", "uint8"]) == 0
    assert f"xnnpack: 1 delegate; outside: {CASTS} 3" in capsys.readouterr().out
    assert cli.main(["inspect", str(path)]) == 0
    assert f"backend xnnpack, delegates 1, outside {CASTS} 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("backend", "precision"), [("coreml", "fp16"), ("vulkan", "fp32"), ("vulkan", "fp16")]
)
def test_other_backends_take_all_but_the_casts(
    program: Programs, backend: str, precision: str
) -> None:
    if backend == "coreml":
        pytest.importorskip("coremltools")
    path = program(FAMILY, SIZE, "float", precision, backend=backend)
    about = manifest_of(path).format
    assert about["backend"] == backend
    assert set(str(about["outside"]).split(", ")) <= {"nothing", f"{CASTS} 2"}
    with pytest.raises(MissingBackendError, match=f"is for ExecuTorch's backend '{backend}'"):
        open_runner(path)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is near enough."""
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: Tolerance(0.0))


@pytest.mark.usefixtures("strict", "in_this_process")
def test_a_program_out_of_tolerance_is_not_kept_or_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    path.write_bytes(b"what was there before")
    job = Export("executorch", CHECKPOINT, path, sizes=(SIZE,), overwrite=True)
    with pytest.raises(ParityError, match="differs from numpy-fp32"):
        export_model(job)
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]
    export_model(replace(job, keep_failed=True))
    parity = manifest_of(path).parity
    assert parity is not None
    assert parity.forced
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"output": "a.tflite"}, r"must end in \.pte"),
        ({"sizes": (None,)}, "--size dynamic is no size of an ExecuTorch program"),
        ({"sizes": (SIZE, Size(72, 72))}, "holds one size and 2 were given"),
        ({"precision": "w8"}, "choose one of: fp32, fp16, int8"),
        (
            {"precision": "int8", "options": {"backend": "vulkan"}},
            "--precision int8 is computed by XNNPACK alone: leave --backend vulkan out",
        ),
        ({"options": {"backend": "qnn"}}, "choose one of: xnnpack, coreml, vulkan"),
        ({"io": "image"}, "use --io float or uint8"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(
    unchanged_folder: Path, choices: dict[str, Any], message: str
) -> None:
    output = unchanged_folder / choices.pop("output", "a.pte")
    with pytest.raises(UsageError, match=message):
        export_model(Export("executorch", "no such checkpoint", output, **choices))
