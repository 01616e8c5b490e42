"""What is in a program: one delegate, a manifest, and nothing of the machine that made it."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from executorch_programs import Programs

from lama_edge import cli, pipeline
from lama_edge.containers.executorch import read_manifest_text
from lama_edge.errors import MissingBackendError, ParityError, UsageError
from lama_edge.exporters.formats import record
from lama_edge.exporters.formats.executorch import EXECUTORCH, lowering
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.spec import Size

SIZE = Size(64, 88)
FAMILY = "regular"
CHECKPOINT = Path(__file__).parents[3] / "data" / FAMILY
CASTS = "dim_order_ops._to_dim_order_copy.default"


def test_a_program_is_lowered_in_a_process_of_its_own_judged_and_stamped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pte"
    words = ["export", "executorch", str(CHECKPOINT), "-o", str(path), "--size", str(SIZE)]
    assert cli.main([*words, "--io", "uint8"]) == 0
    assert f"xnnpack: 1 delegate; outside: {CASTS} 3" in capsys.readouterr().out
    assert cli.main(["inspect", str(path)]) == 0
    assert f"backend xnnpack, delegates 1, outside {CASTS} 3" in capsys.readouterr().out
    assert cli.main(["support", str(path)]) == 0
    assert capsys.readouterr().out == f"xnnpack: delegates 1; outside: {CASTS} 3\n"
    manifest = manifest_of(path)
    with open_runner(path) as runner:
        assert runner.manifest == manifest
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert manifest.parity.runtime.startswith("executorch ")
    assert manifest.io.batch == 1
    assert manifest.tools.keys() >= {"executorch", "torch", "lama-edge", "numpy"}
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


def test_two_exports_are_the_same_bytes(program: Programs) -> None:
    other = program.anew(FAMILY, SIZE)
    assert other.read_bytes() == program(FAMILY, SIZE).read_bytes()


def test_the_program_names_no_path(program: Programs) -> None:
    content = program(FAMILY, SIZE).read_bytes()
    for secret in (str(CHECKPOINT.parents[2]), tempfile.gettempdir(), f"{Path.home()}/"):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    ("io", "precision", "delegates", "outside"),
    [
        ("float", "fp32", 1, "nothing"),
        ("float", "int8", 1, "nothing"),
        ("uint8", "fp32", 1, f"{CASTS} 3"),
        ("float", "fp16", 3, f"{CASTS} 2"),
    ],
)
def test_what_is_outside_the_delegates_is_known(
    program: Programs, io: Any, precision: str, delegates: int, outside: str
) -> None:
    manifest = manifest_of(program(FAMILY, SIZE, io, precision))
    about, told = manifest.format, list(EXECUTORCH.summary(manifest))
    assert (about["delegates"], about["outside"]) == (delegates, outside)
    # Sums in fp16 are not seen on every processor.
    assert ("judge the program on one as well" in told[-1]) == (precision == "fp16")


@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("coreml", "fp32"),
        pytest.param("vulkan", "fp32", marks=pytest.mark.slow),
        pytest.param("vulkan", "fp16", marks=pytest.mark.slow),
    ],
)
def test_other_backends_take_all_but_the_casts(
    program: Programs, backend: str, precision: str
) -> None:
    if backend == "coreml":
        pytest.importorskip("coremltools")
    path = program(FAMILY, SIZE, "float", precision, backend=backend)
    manifest = manifest_of(path)
    about = manifest.format
    assert about["backend"] == backend
    assert ("coremltools" in manifest.tools) == (backend == "coreml")
    assert set(str(about["outside"]).split(", ")) <= {"nothing", f"{CASTS} 2"}
    with pytest.raises(MissingBackendError, match=f"is for ExecuTorch's backend '{backend}'"):
        open_runner(path)


@pytest.mark.parametrize(
    ("missing", "backend", "extras"),
    [
        ("executorch", "xnnpack", "export,executorch"),
        ("torch", "xnnpack", "export,executorch"),
        ("coremltools", "coreml", "export,executorch,coreml"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install_before_any_work(
    unchanged_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    backend: str,
    extras: str,
) -> None:
    def version(name: str) -> str:
        if name == missing:
            raise PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(record, "version", version)
    job = Export(
        "executorch", "no such checkpoint", unchanged_folder / "a.pte", options={"backend": backend}
    )
    wanted = f"'{missing}' is not installed; install it with: pip install \"lama-edge[{extras}]\""
    with pytest.raises(MissingBackendError, match=re.escape(wanted)):
        export_model(job)


def test_a_program_that_cannot_be_written_is_told_by_the_outputs_name_in_one_line(
    program: Programs, tmp_path: Path
) -> None:
    path, full = program(FAMILY, SIZE), tmp_path / ".a.pte"
    full.symlink_to("/dev/full")
    payload = {
        "source": str(path.with_name("source.onnx")),
        "manifest": manifest_of(path).to_json(),
        "target": str(full),
        "output": "models/a.pte",
    }
    message = (
        r"^the output 'models/a\.pte' cannot be written \(No space left on device\): free some"
    )
    with pytest.raises(UsageError, match=message):
        lowering.lower_task(payload, lambda step: None)


@pytest.fixture
def lowered(program: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program is at hand, and need not be lowered again."""
    whole = program(FAMILY, SIZE)

    def copied(
        source: Path, manifest: Manifest, target: Path, output: Path, progress: Any
    ) -> dict[str, Any]:
        # Errors name the output, and no name that nobody gave.
        assert (output.parent, output == target) == (target.parent, False)
        target.write_bytes(whole.read_bytes())
        return {"delegates": 1, "outside": "nothing"}

    monkeypatch.setattr(lowering, "lower_in_fresh_process", copied)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is near enough."""
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: Tolerance(0.0))


@pytest.mark.usefixtures("lowered")
def test_a_program_that_nothing_here_runs_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.pte"
    words = ["export", "executorch", str(CHECKPOINT), "-o", str(path), "--size", str(SIZE)]
    assert cli.main([*words, "--backend", "vulkan"]) == 0
    assert "judged: source graph, program not run" in capsys.readouterr().out
    assert cli.main(["inspect", str(path)]) == 0
    assert "judged source graph" in capsys.readouterr().out


@pytest.mark.usefixtures("strict", "lowered")
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
        ({"sizes": (None,)}, "size='dynamic' is no size of an ExecuTorch program"),
        ({"precision": "w8"}, "choose one of: fp32, fp16, int8"),
        (
            {"precision": "int8", "options": {"backend": "vulkan"}},
            "precision='int8' is computed by XNNPACK alone: leave backend='vulkan' out",
        ),
        (
            {"precision": "fp16", "options": {"backend": "coreml"}},
            "the padding of Core ML's converter takes no fp16; use precision='fp32'",
        ),
        ({"options": {"backend": "qnn"}}, "choose one of: xnnpack, coreml, vulkan"),
        ({"io": "image"}, "use io='float' or 'uint8'"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(
    unchanged_folder: Path, choices: dict[str, Any], message: str
) -> None:
    output = unchanged_folder / choices.pop("output", "a.pte")
    with pytest.raises(UsageError, match=message):
        export_model(Export("executorch", "no such checkpoint", output, **choices))
