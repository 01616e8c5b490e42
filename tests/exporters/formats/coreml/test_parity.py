"""Saved packages compute what torch does: every family and lama-tiny, every form, every border.

At square, oblong and odd-bottleneck sizes (72 / 8 and 88 / 8 are odd), inside holes that touch
all four borders, where a fault in a padding shows; and on the pictures that the official
implementation's own results were recorded for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools")

from torch_answers import CASES, HOT_SIZE, RECORDS, record_of

from lama_edge.forms import to_model
from lama_edge.judging.judge import judge, run_case
from lama_edge.judging.metrics import differences
from lama_edge.judging.ranges import NEURAL_ENGINE_LARGEST
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import ParityFigures
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.spec import Size

FP32_LARGEST_DIFFERENCE = 1e-4
FP16_LEAST_PSNR_DB = 60
# Half of it is the rounding to whole levels.
MOST_LEVELS = 1
# Between whole levels, where a fill that is 60 dB off is a level off in one value of five.
PICTURE_PSNR_DB = 55


@pytest.fixture(scope="module")
def figures(packaged: Any, torch_answer: Any) -> Callable[..., ParityFigures]:
    """Judges a package against torch."""

    def judged(family: str, size: Size | None, *more: Any) -> ParityFigures:
        cases, wanted = torch_answer(family, size)
        with CoremlEmulatedRunner(packaged(family, size, *more).path) as model:
            return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))

    return judged


@pytest.mark.parametrize(("family", "size"), CASES)
def test_fp32_computes_what_torch_does(figures: Any, family: str, size: Size) -> None:
    """Measured 1.3e-6 at most."""
    assert figures(family, size).max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize(("family", "size"), CASES)
def test_fp16_is_near_to_torch(figures: Any, family: str, size: Size) -> None:
    """Measured 68.8 dB at least; against the official results below, 67.6."""
    assert figures(family, size, "float", "fp16").psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("family", "size"), CASES)
def test_pictures_come_back_within_a_level(
    packaged: Any, torch_answer: Any, family: str, size: Size, precision: str
) -> None:
    (case,), (wanted,) = torch_answer(family, size)
    with CoremlEmulatedRunner(packaged(family, size, "image", precision).path) as model:
        assert model.manifest.io.form == "image"
        output = run_case(model, case)
    assert output.known_changed == 0
    assert np.abs(output.levels - np.clip(wanted, 0, 255))[case.hole].max() <= MOST_LEVELS


def test_a_package_of_any_size_computes_what_torch_does_at_each(figures: Any) -> None:
    """Square, oblong and odd bottlenecks, down to the smallest size."""
    found = figures("fourier", None)
    assert len(found.sizes) == 5
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE
    assert figures("fourier", None, "image", "fp16", "iOS18").psnr_db >= PICTURE_PSNR_DB


@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(packaged: Any, family: str, index: int) -> None:
    case, predicted, there = record_of(family, index)
    hole = case.hole[there]
    found = {}
    for precision in ("fp32", "fp16"):
        with CoremlEmulatedRunner(packaged(family, case.size, "float", precision).path) as model:
            levels = run_case(model, case).levels[there]
        found[precision] = differences(predicted[hole], levels[hole], rounded_sides=0)
    assert found["fp32"].max_abs_diff <= FP32_LARGEST_DIFFERENCE
    assert found["fp16"].psnr_db is not None
    assert found["fp16"].psnr_db >= FP16_LEAST_PSNR_DB


def test_a_hot_checkpoint_is_near_to_torch_in_fp16(figures: Any) -> None:
    """Its values pass a million in fp32, and plain fp16 holds them nowhere. Measured 70.1 dB."""
    assert figures("hot", HOT_SIZE, "float", "fp16").psnr_db >= FP16_LEAST_PSNR_DB


def test_no_value_of_a_hot_package_passes_what_the_neural_engine_holds(packaged: Any) -> None:
    package = packaged("hot", HOT_SIZE, "float", "fp16")
    drawn = calibration_cases(package.manifest.size, sizes=[HOT_SIZE])
    beyond = []

    def look(name: str, op: str, value: Any) -> None:
        if not np.all(np.abs(value.astype(np.float32)) <= NEURAL_ENGINE_LARGEST):
            beyond.append(name)

    with CoremlEmulatedRunner(package.path) as model:
        io = model.manifest.io
        for case in drawn:
            image, mask = to_model(io, case.image, case.hole)
            model.program.run({io.image.name: image, io.mask.name: mask}, observe=look)
    assert beyond == []
