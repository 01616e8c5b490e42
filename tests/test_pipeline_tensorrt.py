"""Export to engines: built, judged as far as this machine can, and kept with what was found."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx")

from lama_edge import pipeline_tensorrt, pipeline_tensorrt_sources
from lama_edge.engines import ProfileSizes, manifest_path
from lama_edge.errors import MissingBackendError, ModelError, ParityError, UsageError
from lama_edge.export.tensorrt.options import BuildOptions, EnginePrecision, parse_profile
from lama_edge.files import sha256_of
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.nvidia import Gpu, current_gpu
from lama_edge.pipeline import OnnxExport, export_onnx
from lama_edge.pipeline_tensorrt import (
    CHECKPOINT_STAGES,
    ONNX_STAGES,
    export_tensorrt,
)
from lama_edge.pipeline_tensorrt_sources import TensorrtExport, judged_cases
from lama_edge.spec import Size, SizePolicy

RTX = BuildOptions(flavor="rtx", compute_capabilities=("8.6", "8.9"))
FIXED = parse_profile("64x72")
RANGE = parse_profile("64:72x104:128")
without_gpu = pytest.mark.skipif(
    current_gpu() is not None, reason="judges the engine where there is a GPU: see tests/gpu"
)


def _read(engine: Path) -> Manifest:
    return Manifest.from_json(manifest_path(engine).read_text(encoding="utf-8"))


@without_gpu
@pytest.mark.parametrize(
    ("precision", "judge"),
    [("fp32", "onnxruntime"), ("fp16", "emulator"), ("int8", "onnxruntime")],
)
def test_the_manifest_says_what_was_built_and_that_only_its_graph_was_judged(
    golden_folder: Path, tmp_path: Path, precision: EnginePrecision, judge: str
) -> None:
    engine = tmp_path / "golden.engine"
    seen: list[str] = []
    job = TensorrtExport(golden_folder, engine, (FIXED,), precision=precision, build=RTX)
    result = export_tensorrt(job, seen.append)
    manifest = _read(engine)
    assert manifest == result.manifest
    assert result.size_bytes == engine.stat().st_size
    assert manifest.format == {"name": "tensorrt", "flavor": "rtx"}
    assert manifest.precision == precision
    assert manifest.size.fixed == Size(64, 72)
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert manifest.parity.runtime.startswith(f"{judge} ")
    assert manifest.parity.sizes == ("64x72",)
    assert (manifest.numerics is None) == (precision == "fp32")
    build = manifest.engine
    assert build is not None
    assert build.judged == "source graph"
    assert build.engine_sha256 == sha256_of(engine)
    assert manifest.tools["tensorrt_rtx"] == build.tensorrt_version
    assert tuple(seen) == CHECKPOINT_STAGES
    assert sorted(path.name for path in tmp_path.iterdir()) == [engine.name, f"{engine.name}.json"]


@without_gpu
def test_a_range_is_judged_at_its_ends_and_its_best_size(
    golden_folder: Path, tmp_path: Path
) -> None:
    engine = tmp_path / "golden.engine"
    job = TensorrtExport(
        golden_folder, engine, (RANGE, FIXED), precision="fp32", io="uint8", build=RTX
    )
    manifest = export_tensorrt(job).manifest
    assert manifest.parity is not None
    assert manifest.parity.sizes == ("64x64", "72x64", "128x128", "72x104", "64x72")
    assert manifest.size == SizePolicy(None, 8, 64, 128)
    assert manifest.io.form == "uint8"
    assert manifest.engine is not None
    assert manifest.engine.profiles == (RANGE, FIXED)


def test_an_onnx_file_of_any_size_becomes_an_engine_of_a_range(
    golden_folder: Path, tmp_path: Path
) -> None:
    path, engine = tmp_path / "golden.onnx", tmp_path / "golden.engine"
    export_onnx(OnnxExport(golden_folder, path, check_parity=False))
    seen: list[str] = []
    job = TensorrtExport(path, engine, (RANGE,), build=RTX, check_parity=False)
    manifest = export_tensorrt(job, seen.append).manifest
    assert tuple(seen) == ONNX_STAGES
    assert manifest.precision == "fp32"
    assert manifest.parity is None
    assert manifest.engine is not None
    assert manifest.engine.judged is None
    assert manifest.engine.source_sha256 == sha256_of(path)


@without_gpu
def test_an_onnx_files_own_size_and_figures_are_taken_over(
    golden_folder: Path, tmp_path: Path
) -> None:
    path, engine = tmp_path / "golden.onnx", tmp_path / "golden.engine"
    exported = export_onnx(OnnxExport(golden_folder, path, size=Size(64, 72))).manifest
    job = TensorrtExport(path, engine, build=replace(RTX, tf32=True))
    manifest = export_tensorrt(job).manifest
    assert manifest.parity == exported.parity
    assert manifest.precision == "tf32"
    assert manifest.engine is not None
    assert manifest.engine.judged == "source graph"
    assert manifest.engine.profiles == (FIXED,)
    with pytest.raises(UsageError, match=r"--size 72x72: .* takes 64x72 \(height x width\) only"):
        export_tensorrt(replace(job, sizes=(parse_profile("72"),), overwrite=True))


def test_an_onnx_file_becomes_an_engine_without_torch_and_onnx(
    golden_folder: Path, tmp_path: Path
) -> None:
    path, engine = tmp_path / "golden.onnx", tmp_path / "golden.engine"
    export_onnx(OnnxExport(golden_folder, path, Size(64, 72), check_parity=False))
    words = ["export", "tensorrt", str(path), "-o", str(engine), "--flavor", "rtx"]
    program = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnx_ir', 'onnxruntime'): sys.modules[name] = None\n"
        f"from lama_edge.cli import main; sys.exit(main({words!r}))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert _read(engine).engine is not None


def test_onnx_files_that_no_engine_can_be_made_of_are_refused(
    golden_folder: Path, tmp_path: Path
) -> None:
    engine, path = tmp_path / "a.engine", tmp_path / "a.onnx"
    job = TensorrtExport(path, engine, build=RTX)
    with pytest.raises(ModelError, match=r"a.onnx' does not exist"):
        export_tensorrt(job)
    path.write_bytes(b"no graph at all")
    with pytest.raises(ModelError, match="damaged, or no ONNX file"):
        export_tensorrt(job)
    size = Size(64, 72)
    quantised = OnnxExport(golden_folder, path, size, precision="w8", check_parity=False)
    export_onnx(replace(quantised, overwrite=True))
    with pytest.raises(UsageError, match="is w8, quantised as ONNX Runtime likes it"):
        export_tensorrt(job)
    export_onnx(OnnxExport(golden_folder, path, size, dft="op", check_parity=False, overwrite=True))
    with pytest.raises(ModelError, match="this version has no operator DFT"):
        export_tensorrt(job)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.onnx"]


def test_a_graph_out_of_tolerance_is_not_kept_unless_forced(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = Tolerance(1e-12)
    for module in (pipeline_tensorrt, pipeline_tensorrt_sources):
        monkeypatch.setattr(module, "tolerance_of", lambda runtime, precision: impossible)
    monkeypatch.setattr(pipeline_tensorrt, "current_gpu", lambda: None)
    engine = tmp_path / "golden.engine"
    job = TensorrtExport(golden_folder, engine, (FIXED,), precision="fp32", build=RTX)
    with pytest.raises(ParityError, match="the tolerance is 1e-12"):
        export_tensorrt(job)
    assert list(tmp_path.iterdir()) == []
    parity = export_tensorrt(replace(job, keep_failed=True)).manifest.parity
    assert parity is not None
    assert parity.forced
    assert not parity.passed


def test_an_interrupted_build_leaves_the_engine_that_was_there(
    golden_folder: Path, tmp_path: Path
) -> None:
    engine = tmp_path / "golden.engine"
    engine.write_text("old")
    job = TensorrtExport(
        golden_folder,
        engine,
        (FIXED,),
        precision="fp32",
        build=RTX,
        overwrite=True,
        check_parity=False,
    )

    def interrupt(phase: str, done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_tensorrt(job, build_progress=interrupt)
    assert engine.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == [engine.name]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"output": Path("a.plan")}, r"must end in .engine"),
        ({"build": replace(RTX, tf32=True)}, "--tf32 is of no use for fp16"),
        ({"build": replace(RTX, tf32=True), "precision": "int8"}, "--tf32 is of no use for int8"),
        ({"precision": "fp32", "calibrate": Path()}, "--calibrate is of no use for fp32"),
        ({"io": "image"}, "Core ML's own"),
        ({"source": "a.onnx", "precision": "fp32"}, "--precision is settled in an ONNX file"),
        ({"source": "a.onnx", "io": "float"}, "--io is settled"),
        ({"source": "a.onnx", "composite": False}, "--no-composite is settled"),
        ({"source": "a.onnx", "calibrate": Path()}, "--calibrate is settled"),
        ({"sizes": (parse_profile("100"),)}, "multiples of 8"),
        ({"build": replace(RTX, workspace_mib=0)}, "--workspace 0"),
        ({"build": replace(RTX, compute_capabilities=("9.9",))}, "--compute-capability 9.9"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    golden_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    job = TensorrtExport(golden_folder, Path("a.engine"), build=RTX)
    with pytest.raises(UsageError, match=problem):
        export_tensorrt(replace(job, **changes))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_tensorrt_itself_is_named_when_it_is_missing(golden_folder: Path, tmp_path: Path) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        job = TensorrtExport(
            golden_folder, tmp_path / "a.engine", build=BuildOptions(flavor="tensorrt")
        )
        with pytest.raises(MissingBackendError, match="'tensorrt' is not installed"):
            export_tensorrt(job)
    else:
        pytest.skip("tensorrt is installed")


@pytest.mark.parametrize(
    ("gpu", "gpus", "runs"),
    [
        (None, (), False),
        ("8.6", ("8.6", "8.9"), True),
        ("8.7", ("8.6", "8.9"), False),
        ("8.9", (), True),
        ("9.0", (), False),
    ],
)
def test_an_engine_is_judged_where_a_gpu_runs_it(
    monkeypatch: pytest.MonkeyPatch, gpu: str | None, gpus: tuple[str, ...], runs: bool
) -> None:
    here = None if gpu is None else Gpu("a GPU", gpu)
    monkeypatch.setattr(pipeline_tensorrt, "current_gpu", lambda: here)
    library = pipeline_tensorrt.load_library("rtx")
    assert pipeline_tensorrt._runs_here(library, gpus) is runs


def test_pictures_to_judge_on_stay_within_the_profiles_and_small() -> None:
    size = SizePolicy(None, 8, 16)
    large = parse_profile("64x512:1024x1024:2048x2048")
    cases = judged_cases((large, RANGE), size)
    sizes = [(case.size.height, case.size.width) for case in cases]
    assert sizes == [(64, 512), (72, 512), (1024, 1024), (64, 64), (72, 64), (128, 128), (72, 104)]
    assert all(case.touches_border for case in cases)
    narrow = ProfileSizes(Size(64, 64), Size(64, 64), Size(64, 128))
    assert [str(case.size) for case in judged_cases((narrow,), size)] == ["64x64", "64x128"]
