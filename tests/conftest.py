"""Shared fixtures: the golden checkpoint, generators with seeded weights."""

from __future__ import annotations

import gc
import os
import secrets

# Two workers share two cores, and the nets are small: torch's and NumPy's threads, here and in the
# processes that tests start, would wait for each other longer than they work. Read on import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests, and programs that they start, may use ONNX Runtime without lama-edge, which turns this off.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from places import DATA

from lama_edge.kernels import threads as kernel_threads
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.seeded import seeded_checkpoint
from lama_edge.spec import IoForm, Precision, Size, SizePolicy

if TYPE_CHECKING:
    from s3_server import S3Server

# Whose tests look at times or start what must end within one: never beside one another.
TIMED = (
    "tests/benchmarks/bench/",
    "tests/benchmarks/targets/",
    "tests/test_mutations.py",
    "tests/test_process.py",
)
# Half a minute each, so that no worker begins one when the other has nothing left to do.
LONGEST = (
    "tests/test_mutations.py",
    "tests/runtimes/onnxruntime/test_tiles.py",
    "tests/test_packaging.py",
    "tests/exporters/formats/tensorrt/test_build.py",
    "tests/benchmarks/studies/peers/test_run.py",
)
GOLDEN_CASES = 3
THREADS, KERNEL_THREADS = torch.get_num_threads(), kernel_threads._count


@pytest.fixture(scope="session", autouse=True)
def _own_lock() -> Iterator[None]:
    """Let tests that run at once measure at once: nobody looks at their figures."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """Spare collections of garbage, of which the stopwatch does many, all that was imported."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give workers whole files, whose fixtures are made once then, in the order collected."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "timed" if nodeid.startswith(TIMED) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


@dataclass(frozen=True)
class GoldenCase:
    """A picture with the official implementation's results on it.

    Attributes:
        image: uint8 [H,W,3].
        hole: bool [H,W].
        predicted: float32 [H,W,3], raw generator output, 0 to 1.
        inpainted: float32 [H,W,3], composited, 0 to 1.
    """

    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    predicted: NDArray[np.float32]
    inpainted: NDArray[np.float32]


@pytest.fixture(autouse=True)
def threads_of_the_process() -> Iterator[None]:
    """Leaves torch's and the kernels' as they were, whatever a test asked of a model."""
    yield
    if torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)
    if kernel_threads._count != KERNEL_THREADS:
        kernel_threads.set_threads(KERNEL_THREADS)


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The official checkpoint folder that the golden results belong to."""
    return DATA / "fourier"


@pytest.fixture(scope="session")
def golden_checkpoint(golden_folder: Path) -> Checkpoint:
    return load_checkpoint(golden_folder)


@pytest.fixture(params=range(GOLDEN_CASES))
def golden_case(request: pytest.FixtureRequest, golden_folder: Path) -> GoldenCase:
    with np.load(golden_folder / "cases.npz") as cases:
        index = request.param
        return GoldenCase(
            cases[f"image_{index}"],
            cases[f"mask_{index}"] > 0,
            cases[f"predicted_{index}"].transpose(1, 2, 0),
            cases[f"inpainted_{index}"].transpose(1, 2, 0),
        )


@pytest.fixture(scope="session")
def make_checkpoint() -> Callable[..., Checkpoint]:
    """Draws a checkpoint of any architecture, with natural activations; see the function."""
    return seeded_checkpoint


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a checkpoint to an ONNX file, once for each choice of options and unjudged.

    The file is the others' too: a test that changes it copies it.
    """
    from lama_edge.exporters.formats.record import Export
    from lama_edge.pipeline import export_model

    folder, made = tmp_path_factory.mktemp("exported"), {}

    def export(
        family: str | None = "fourier",
        size: Size | None = None,
        *,
        io: IoForm = "float",
        precision: Precision = "fp32",
        composite: bool = True,
        **options: object,
    ) -> Path:
        key = (family, size, io, precision, composite, *sorted(options.items()))
        if key not in made:
            path = folder / f"{family or 'lama-tiny'}-{len(made)}.onnx"
            job = Export(
                "onnx",
                None if family is None else DATA / family,
                path,
                sizes=() if size is None else (size,),
                io=io,
                precision=precision,
                composite=composite,
                check_parity=False,
                options=options,
            )
            export_model(job)
            path.chmod(0o444)
            made[key] = path
        return made[key]

    return export


@pytest.fixture(scope="session")
def coreml_package(
    golden_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Exports the golden checkpoint to a Core ML package, once for each choice of options."""
    pytest.importorskip("coremltools")
    from same_process import call

    from lama_edge.exporters.formats.coreml import conversion
    from lama_edge.exporters.formats.record import Export
    from lama_edge.pipeline import export_model

    folder, made = tmp_path_factory.mktemp("packages"), {}

    def package(*sizes: Size | None, io: str = "float", precision: str = "fp32") -> Path:
        key = (sizes, io, precision)
        if key not in made:
            path = folder / f"{len(made)}.mlpackage"
            job = Export(
                "coreml",
                golden_folder,
                path,
                sizes=sizes,
                io=io,
                precision=precision,
                check_parity=False,
            )
            with pytest.MonkeyPatch.context() as patch:
                # A process of its own takes three seconds longer.
                patch.setattr(conversion, "run_isolated", call)
                export_model(job)
            made[key] = path
        return made[key]

    return package


@pytest.fixture(scope="session")
def openvino_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a family's checkpoint to an OpenVINO model, once for each choice and unjudged.

    The files are the others' too: a test that changes them copies them.
    """
    pytest.importorskip("openvino")
    from torch_answers import source_of

    from lama_edge import pipeline
    from lama_edge.exporters.formats.record import Export

    folder, made = tmp_path_factory.mktemp("openvino"), {}
    measured: dict[object, object] = {}
    measure = pipeline.measured_ranges

    def ranges(
        checkpoint: Checkpoint, size: SizePolicy, precision: Precision, pictures: None
    ) -> Any:
        # Those for fp16 are measured at one size, whatever the model's.
        key = (checkpoint.sha256, precision, size if precision == "int8" else None)
        if key not in measured:
            measured[key] = measure(checkpoint, size, precision, pictures)
        return measured[key]

    def export(
        family: str = "fourier",
        size: Size | None = None,
        *,
        io: IoForm = "float",
        precision: Precision = "fp32",
        composite: bool = True,
    ) -> Path:
        key = (family, size, io, precision, composite)
        if key not in made:
            path = folder / f"{family}-{len(made)}.xml"
            job = Export(
                "openvino",
                source_of(family, folder),
                path,
                sizes=(size,),
                io=io,
                precision=precision,
                composite=composite,
                check_parity=False,
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pipeline, "measured_ranges", ranges)
                pipeline.export_model(job)
            for file in (path, path.with_suffix(".bin")):
                file.chmod(0o444)
            made[key] = path
        return made[key]

    return export


@pytest.fixture
def unchanged_folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder that the test must leave empty."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server on loopback, which checks who asks."""
    from s3_server import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, where this process finds the server and may use it."""
    from s3_server import forget_connections

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    forget_connections()
    yield f"s3://{s3.new_bucket(f'bucket-{secrets.token_hex(4)}')}"
    forget_connections()
