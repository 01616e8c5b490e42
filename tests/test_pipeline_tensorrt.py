"""Export to engines: built, judged as far as this machine can, and kept with what was found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx")


from lama_edge import pipeline
from lama_edge.engines import ProfileSizes, load_library
from lama_edge.errors import MissingBackendError, ModelError, ParityError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.formats.tensorrt import build
from lama_edge.exporters.formats.tensorrt.options import (
    BuildOptions,
    judged_sizes,
    parse_profile,
)
from lama_edge.files import beside, sha256_of
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.nvidia import Gpu, current_gpu
from lama_edge.pipeline import STEPS, export_model
from lama_edge.spec import Precision, Size, SizePolicy

RTX = {"flavor": "rtx", "compute_capability": ("8.6", "8.9")}
FIXED = parse_profile("64x72")
RANGE = parse_profile("64:72x104:128")
without_gpu = pytest.mark.skipif(
    current_gpu() is not None, reason="judges the engine where there is a GPU: see tests/gpu"
)


def _read(engine: Path) -> Manifest:
    return Manifest.from_json(beside(engine).read_text(encoding="utf-8"))


@without_gpu
@pytest.mark.parametrize(
    ("precision", "judge"),
    [("fp32", "onnxruntime"), ("fp16", "emulator"), ("int8", "onnxruntime")],
)
def test_the_manifest_says_what_was_built_and_that_only_its_graph_was_judged(
    golden_folder: Path, tmp_path: Path, precision: Precision, judge: str
) -> None:
    engine = tmp_path / "golden.engine"
    seen: list[str] = []
    job = Export(
        "tensorrt", golden_folder, engine, sizes=(FIXED,), precision=precision, options=RTX
    )
    result = export_model(job, seen.append)
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
    assert tuple(seen) == STEPS
    assert sorted(path.name for path in tmp_path.iterdir()) == [engine.name, f"{engine.name}.json"]


@without_gpu
def test_a_range_is_judged_at_its_ends_and_its_best_size(
    golden_folder: Path, tmp_path: Path
) -> None:
    engine = tmp_path / "golden.engine"
    job = Export(
        "tensorrt",
        golden_folder,
        engine,
        sizes=(RANGE, FIXED),
        precision="fp32",
        io="uint8",
        options=RTX,
    )
    manifest = export_model(job).manifest
    assert manifest.parity is not None
    assert manifest.parity.sizes == ("64x64", "72x64", "128x128", "72x104", "64x72")
    assert manifest.size == SizePolicy(None, 8, 64, 128)
    assert manifest.io.form == "uint8"
    assert manifest.engine is not None
    assert manifest.engine.profiles == (RANGE, FIXED)


def test_an_onnx_file_of_any_size_becomes_an_engine_of_a_range(
    exported: Callable[..., Path], tmp_path: Path
) -> None:
    path, engine = exported(), tmp_path / "golden.engine"
    seen: list[str] = []
    job = Export("tensorrt", path, engine, sizes=(RANGE,), options=RTX, check_parity=False)
    manifest = export_model(job, seen.append).manifest
    assert tuple(seen) == ("source", "graph", "write")
    assert manifest.graph_sha256 is None
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
    exported = export_model(Export("onnx", golden_folder, path, sizes=(Size(64, 72),))).manifest
    job = Export("tensorrt", path, engine, options={**RTX, "tf32": True})
    manifest = export_model(job).manifest
    assert manifest.parity == exported.parity
    assert manifest.precision == "tf32"
    assert manifest.engine is not None
    assert manifest.engine.judged == "source graph"
    assert manifest.engine.profiles == (FIXED,)
    with pytest.raises(UsageError, match=r"size='72x72': .* takes 64x72 \(height x width\) only"):
        export_model(replace(job, sizes=(parse_profile("72"),), overwrite=True))


def test_an_onnx_file_becomes_an_engine_without_torch_and_onnx(
    exported: Callable[..., Path], tmp_path: Path
) -> None:
    path, engine = exported("fourier", Size(64, 72)), tmp_path / "golden.engine"
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
    job = Export("tensorrt", path, engine, options=RTX)
    with pytest.raises(ModelError, match=r"a.onnx' does not exist"):
        export_model(job)
    path.write_bytes(b"no graph at all")
    with pytest.raises(ModelError, match="damaged, or no ONNX file"):
        export_model(job)
    size = Size(64, 72)
    quantised = Export(
        "onnx", golden_folder, path, sizes=(size,), precision="w8", check_parity=False
    )
    export_model(replace(quantised, overwrite=True))
    with pytest.raises(UsageError, match="is w8, quantised as ONNX Runtime likes it"):
        export_model(job)
    export_model(
        Export(
            "onnx",
            golden_folder,
            path,
            sizes=(size,),
            check_parity=False,
            overwrite=True,
            options={"dft": "op"},
        )
    )
    with pytest.raises(ModelError, match="this version has no operator DFT"):
        export_model(job)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.onnx"]


def test_a_graph_out_of_tolerance_is_not_kept_unless_forced(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = Tolerance(1e-12)
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: impossible)
    monkeypatch.setattr(build, "current_gpu", lambda: None)
    engine = tmp_path / "golden.engine"
    job = Export("tensorrt", golden_folder, engine, sizes=(FIXED,), precision="fp32", options=RTX)
    with pytest.raises(ParityError, match="the tolerance is 1e-12"):
        export_model(job)
    assert list(tmp_path.iterdir()) == []
    parity = export_model(replace(job, keep_failed=True)).manifest.parity
    assert parity is not None
    assert parity.forced
    assert not parity.passed


def test_an_interrupted_build_leaves_the_engine_that_was_there(
    golden_folder: Path, tmp_path: Path
) -> None:
    engine = tmp_path / "golden.engine"
    engine.write_text("old")
    job = Export(
        "tensorrt",
        golden_folder,
        engine,
        sizes=(FIXED,),
        precision="fp32",
        options=RTX,
        overwrite=True,
        check_parity=False,
    )

    def interrupt(phase: str, done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_model(job, within=interrupt)
    assert engine.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == [engine.name]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"output": Path("a.plan")}, r"must end in .engine"),
        ({"options": {**RTX, "tf32": True}}, "tf32 is of no use for fp16"),
        ({"options": {**RTX, "tf32": True}, "precision": "int8"}, "tf32 is of no use for int8"),
        ({"precision": "fp32", "calibrate": Path()}, "calibrate is of no use for fp32"),
        ({"io": "image"}, "io='image' is no form of a TensorRT engine: use io='float' or 'uint8'"),
        ({"source": "a.onnx", "precision": "fp32"}, "precision is settled in an ONNX file"),
        ({"source": "a.onnx", "io": "float"}, "io is settled"),
        ({"source": "a.onnx", "composite": False}, "composite=False is settled"),
        ({"source": "a.onnx", "calibrate": Path()}, "calibrate is settled"),
        ({"sizes": (parse_profile("100"),)}, "multiples of 8"),
        ({"options": {**RTX, "compute_capability": ("9.9",)}}, "compute_capability='9.9'"),
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
    job = Export("tensorrt", golden_folder, Path("a.engine"), options=RTX)
    with pytest.raises(UsageError, match=problem):
        export_model(replace(job, **changes))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_tensorrt_itself_is_named_when_it_is_missing(golden_folder: Path, tmp_path: Path) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        job = Export(
            "tensorrt",
            golden_folder,
            tmp_path / "a.engine",
            options={"flavor": "tensorrt"},
        )
        with pytest.raises(MissingBackendError, match="'tensorrt' is not installed"):
            export_model(job)
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
    monkeypatch.setattr(build, "current_gpu", lambda: here)
    options = BuildOptions("rtx", compute_capabilities=gpus)
    assert build.runs_here(load_library("rtx"), options) is runs


def test_pictures_to_judge_on_stay_within_the_profiles_and_small() -> None:
    large = parse_profile("64x512:1024x1024:2048x2048")
    sizes = [(size.height, size.width) for size in judged_sizes((large, RANGE), 8)]
    assert sizes == [(64, 512), (72, 512), (1024, 1024), (64, 64), (72, 64), (128, 128), (72, 104)]
    narrow = ProfileSizes(Size(64, 64), Size(64, 64), Size(64, 128))
    assert [str(size) for size in judged_sizes((narrow,), 8)] == ["64x64", "64x128"]
