"""Export, judge, keep: what stands at the output path, and when."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hot_weights import heated
from PIL import Image

from lama_edge import pipeline
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    NotFiniteError,
    ParityError,
    UsageError,
)
from lama_edge.exporters.formats.onnx import file as onnx_format
from lama_edge.exporters.formats.record import Export, format_named
from lama_edge.exporters.precision import build
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.pipeline import STEPS, export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import IoForm, Size

# Exports in a forked child for each moment named, which kills itself there ("" is the whole run);
# prints its exit code, the hash of what is at the output path then, and the number of files.
KILLED = """
import hashlib, os, signal, sys
from pathlib import Path
from lama_edge import files
from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.runtimes.numpy import runner
from lama_edge.runtimes.onnxruntime import runner
from lama_edge.spec import Size

source, output, *moments = sys.argv[1:]
job = Export("onnx", source, Path(output), sizes=(Size(64, 64),), overwrite=True)
die = lambda *rest: os.kill(os.getpid(), signal.SIGKILL)
for moment in moments:
    if moment == "unlink":
        job.output.unlink()
        continue
    pid = os.fork()
    if pid == 0:
        if moment == "renaming":
            files._flush_to_disk = die
        export_model(job, lambda step: die() if step == moment else None)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    there = job.output.exists()
    digest = hashlib.sha256(job.output.read_bytes()).hexdigest() if there else "none"
    print(code, digest, len(list(job.output.parent.iterdir())))
"""


def test_the_file_carries_its_manifest_and_the_figures_measured_on_it(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.onnx"
    result = export_model(Export("onnx", golden_folder, path))
    with open_runner(path) as runner:
        assert runner.manifest == result.manifest
    parity = result.manifest.parity
    assert parity is not None
    assert parity.passed
    assert 0 < parity.max_abs_diff < 1e-5
    assert len(parity.sizes) > 3
    assert result.manifest.source.architecture["kind"] == "ffc_resnet"
    assert result.manifest.source.parameters == 135_571
    assert result.size_bytes == path.stat().st_size


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_two_exports_are_the_same_bytes(golden_folder: Path, tmp_path: Path, form) -> None:
    paths = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    for path in paths:
        export_model(Export("onnx", golden_folder, path, sizes=(Size(64, 72),), io=form))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_manifest_names_no_machine_person_path_or_time(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.onnx"
    export_model(Export("onnx", golden_folder, path, sizes=(Size(64, 72),)))
    text = onnx.load(path).metadata_props[0].value
    for secret in (str(tmp_path), str(golden_folder), os.uname().nodename, str(Path.home())):
        assert secret not in text
    assert str(time.gmtime().tm_year) not in json.dumps(json.loads(text)["source"])


def test_every_stage_is_announced_in_order(golden_folder: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    export_model(
        Export("onnx", golden_folder, tmp_path / "a.onnx", sizes=(Size(16, 16),)), seen.append
    )
    assert tuple(seen) == STEPS


def test_without_the_check_the_manifest_says_so(golden_folder: Path, tmp_path: Path) -> None:
    job = Export(
        "onnx", golden_folder, tmp_path / "a.onnx", sizes=(Size(16, 16),), check_parity=False
    )
    assert export_model(job).manifest.parity is None


@pytest.fixture
def biased(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports get a last convolution whose bias is off."""
    finish = onnx_format.finish

    def broken(graph):
        model = finish(graph)
        (bias,) = [t for t in model.graph.initializer if t.name == "head.conv.bias"]
        bias.raw_data = (np.frombuffer(bias.raw_data, np.float32) + np.float32(0.01)).tobytes()
        return model

    monkeypatch.setattr(onnx_format, "finish", broken)


@pytest.mark.usefixtures("biased")
def test_a_model_out_of_tolerance_is_not_kept(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.onnx"
    path.write_text("what was there before")
    with pytest.raises(ParityError, match="differs from numpy-fp32"):
        export_model(Export("onnx", golden_folder, path, overwrite=True))
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("biased")
def test_a_model_kept_although_it_failed_says_so_in_its_manifest(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.onnx"
    job = Export("onnx", golden_folder, path, sizes=(Size(64, 72),), keep_failed=True)
    assert export_model(job).kept_failed
    with open_runner(path) as runner:
        parity = runner.manifest.parity
    assert parity is not None
    assert parity.forced
    assert not parity.passed


def test_no_model_that_passes_is_marked(golden_folder: Path, tmp_path: Path) -> None:
    job = Export(
        "onnx", golden_folder, tmp_path / "a.onnx", sizes=(Size(16, 16),), keep_failed=True
    )
    parity = export_model(job).manifest.parity
    assert parity is not None
    assert not parity.forced


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("form", ["float", "uint8"])
def test_the_first_value_that_is_not_finite_is_named(
    golden_checkpoint: Checkpoint,
    unchanged_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: IoForm,
    force: bool,
) -> None:
    hot = heated(golden_checkpoint, local=1.0, global_=1.0, spectral=1e4)
    monkeypatch.setattr(pipeline, "load_checkpoint", lambda reference, **_: hot)
    monkeypatch.setattr(
        build, "branch_exponents", lambda model, groups, ranges, size: np.zeros(groups.count)
    )
    job = Export(
        "onnx",
        None,
        unchanged_folder / "a.onnx",
        sizes=(Size(64, 72),),
        io=form,
        precision="fp16",
        keep_failed=force,
    )
    with pytest.raises(NotFiniteError, match=r"spectral\.reduce \(Conv\) is the first value"):
        export_model(job)


def test_fp16_is_judged_by_the_executor_that_rounds(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    result = export_model(Export("onnx", golden_folder, path, precision="fp16"))
    with open_runner(path) as runner:
        assert runner.manifest == result.manifest
    parity = result.manifest.parity
    assert parity is not None
    assert parity.passed
    assert parity.least_psnr_db == 55
    assert parity.runtime.startswith("emulator ")
    assert result.manifest.numerics is not None
    assert result.manifest.numerics["calibration_pictures"] == 10


def test_ranges_are_measured_on_the_users_pictures(golden_folder: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (90, 80), "teal").save(pictures / f"{name}.png")
    job = Export("onnx", golden_folder, tmp_path / "a.onnx", precision="fp16", calibrate=pictures)
    numerics = export_model(job).manifest.numerics
    assert numerics is not None
    assert numerics["calibration_pictures"] == 3 + 2  # and the flat ones


def test_pictures_for_a_precision_that_needs_none_are_refused(unchanged_folder: Path) -> None:
    job = Export("onnx", "any", unchanged_folder / "a.onnx", calibrate=unchanged_folder)
    with pytest.raises(UsageError, match="calibrate is of no use for fp32"):
        export_model(job)


def test_fp16_and_the_dft_operator_do_not_go_together(
    golden_folder: Path, unchanged_folder: Path
) -> None:
    job = Export(
        "onnx", golden_folder, unchanged_folder / "a.onnx", precision="fp16", options={"dft": "op"}
    )
    with pytest.raises(UsageError, match="float32 only; leave dft out"):
        export_model(job)


def test_a_full_disk_is_told_in_one_line_and_nothing_stays(
    golden_folder: Path, unchanged_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(target: Path, *_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(Path, "replace", full)
    job = Export("onnx", golden_folder, unchanged_folder / "a.onnx", sizes=(Size(64, 64),))
    with pytest.raises(UsageError, match=r"a\.onnx' cannot be written \(No space left on device\)"):
        export_model(job)


def test_without_a_temporary_folder_an_export_says_so(
    unchanged_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(unchanged_folder / "gone"))
    with pytest.raises(
        LamaEdgeError, match=r"temporary folder \(No such file or directory\).*TMPDIR"
    ):
        export_model(Export("onnx", None, unchanged_folder / "a.onnx"))


@pytest.mark.parametrize(
    ("form", "name", "needs", "precision"),
    [
        ("coreml", "0.onnx", "coremltools", "fp32"),
        ("executorch", "source.onnx", "executorch", "fp32"),
        ("litert", "source.onnx", "ai_edge_litert", "fp16"),
        ("mnn", "source.onnx", "MNN", "fp32"),
        ("ncnn", "source.onnx", "pnnx", "fp32"),
        ("openvino", "source.onnx", "openvino", "fp32"),
        ("openvino", "half.onnx", "openvino", "w8"),
        ("tensorrt", "source.onnx", "tensorrt_rtx", "fp32"),
    ],
)
def test_a_full_temporary_folder_is_told_of_and_not_the_output(
    golden_folder: Path, tmp_path: Path, form: str, name: str, needs: str, precision: str
) -> None:
    """Another output, or room beside this one, would be of no use."""
    pytest.importorskip(needs)
    scratch, folder = tmp_path / "scratch", tmp_path / "out"
    for made in (scratch, folder):
        made.mkdir()
    (scratch / name).symlink_to("/dev/full")
    output = folder / f"a{format_named(form).suffix}"
    job = Export(form, golden_folder, output, sizes=(Size(64, 64),), precision=precision)
    message = r"temporary folder \(No space left on device\): free some room there"
    with pytest.raises(LamaEdgeError, match=message):
        export_model(job, scratch=scratch)
    assert list(folder.iterdir()) == []


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "golden.onnx"
    path.write_text("old")
    with pytest.raises(UsageError, match="overwrite=True"):
        export_model(Export("onnx", "no such checkpoint", path))
    assert path.read_text() == "old"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("form", "output", "there"), [("ncnn", "a.param", "a.xml"), ("openvino", "a.xml", "a.param")]
)
def test_a_model_whose_weights_would_take_the_place_of_anothers_is_refused(
    tmp_path: Path, form: str, output: str, there: str, overwrite: bool
) -> None:
    """Both formats put weights into a ``.bin`` of the model's stem."""
    files = {there: "a model", "a.bin": "its weights"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=rf"a\.bin' would be replaced and belongs to '{there}'"):
        export_model(Export(form, None, tmp_path / output, overwrite=overwrite))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_a_missing_runtime_is_named_with_what_to_install(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for module in ("library", "runner"):
        monkeypatch.delitem(sys.modules, f"lama_edge.runtimes.onnxruntime.{module}", raising=False)
    with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[onnx\]"'):
        export_model(Export("onnx", golden_folder, tmp_path / "a.onnx", sizes=(Size(16, 16),)))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_export_never_leaves_a_partial_file(golden_folder: Path, tmp_path: Path) -> None:
    """SIGKILL at each step; big-lama's is killed at moments spread over the run (slow)."""
    path = tmp_path / "golden.onnx"
    moments = ["", "write", "parity", "save", "renaming", "unlink", "save", "renaming", ""]
    command = [sys.executable, "-c", KILLED, str(golden_folder), str(path), *moments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    codes, digests, files = zip(*map(str.split, result.stdout.splitlines()), strict=True)
    assert codes == ("0", *["-9"] * 6, "0")
    finished = digests[0]
    assert digests == (*[finished] * 5, "none", "none", finished)
    # What was written lay beside the output when it was killed, and the next run removed it.
    assert files == ("1", "1", "2", "2", "2", "1", "1", "1")
    assert list(tmp_path.iterdir()) == [path]


def test_an_option_that_the_format_has_not_is_refused_with_those_it_has(
    unchanged_folder: Path,
) -> None:
    job = Export("onnx", None, unchanged_folder / "a.onnx", options={"target": "iOS16"})
    with pytest.raises(UsageError, match="has no option 'target'; it has: for, batch, dft, opset"):
        export_model(job)
    with pytest.raises(UsageError, match="gpus is not known; choose one of: any, cpu, gpu, web"):
        export_model(replace(job, options={"for": "gpus"}))
