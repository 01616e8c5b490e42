"""ncnn models compute what torch does in ncnn: every family and border.

At square, oblong and odd-bottleneck sizes, inside holes that touch all four borders; and on the
pictures that the official implementation's own results were recorded for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

from torch_answers import CASES, HOT_SIZE, OBLONG, RECORDS, answer_of, record_of

from lama_edge.exporters.formats.onnx import ONNX
from lama_edge.judging.judge import judge, raw_outputs, run_case
from lama_edge.judging.metrics import differences
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import Runner, open_runner
from lama_edge.spec import Size

FP32_LARGEST_DIFFERENCE = 1e-4
FP16_LEAST_PSNR_DB = 55


@pytest.fixture
def opened(ncnn_model: Callable[..., Path]) -> Iterator[Callable[..., Runner]]:
    runners: list[Runner] = []

    def model(*choices: Any, **more: Any) -> Runner:
        runners.append(open_runner(ncnn_model(*choices, **more), threads=1))
        return runners[-1]

    yield model
    for runner in runners:
        runner.close()


def _judged(model: Runner, family: str, size: Size) -> ParityFigures:
    cases, wanted = answer_of(family, size)
    return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))


@pytest.mark.parametrize(("family", "size"), [*CASES, *OBLONG])
def test_fp32_computes_what_torch_does(opened: Any, family: str, size: Size) -> None:
    """Measured 1.5e-6 at most."""
    assert _judged(opened(family, size), family, size).max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(opened: Any, family: str, index: int) -> None:
    case, predicted, there = record_of(family, index)
    levels = run_case(opened(family, case.size), case).levels[there]
    hole = case.hole[there]
    found = differences(predicted[hole], levels[hole], rounded_sides=0)
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize(("family", "size"), [*CASES, ("hot", HOT_SIZE)])
def test_fp16_holds_where_every_result_is_rounded(
    ncnn_model: Callable[..., Path], family: str, size: Size
) -> None:
    """By the emulator, on the graph that the file is made of. Measured 68.7 dB at least."""
    source = ncnn_model(family, size, "fp16").with_name("source.onnx")
    with open_runner(source, provider=ONNX.judging_provider("fp16")) as emulator:
        figures = _judged(emulator, family, size)
    assert figures.psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize(("family", "size"), [*CASES, ("hot", HOT_SIZE)])
def test_fp16_is_near_to_torch(opened: Any, family: str, size: Size) -> None:
    """Measured 69.8 dB at least, with the hot checkpoint's values beyond a million in fp32.

    That the graph holds when every result is rounded is the emulator's to say, at the export.
    """
    assert _judged(opened(family, size, "fp16"), family, size).psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_known_pixels_come_back_bit_by_bit(opened: Any, precision: str) -> None:
    """In float32; a device that computes in fp16 rounds them to it, which keeps 8-bit levels."""
    (case,), _ = answer_of("fourier", CASES[1][1])
    assert run_case(opened("fourier", CASES[1][1], precision), case).known_changed == 0


def test_the_raw_fill_is_the_whole_picture(opened: Any) -> None:
    model = opened("fourier", CASES[1][1], composite=False)
    assert model.manifest.io.output.name == "predicted"
    (case,), (wanted,) = answer_of("fourier", CASES[1][1])
    assert np.abs(run_case(model, case).levels - wanted).max() <= 255 * FP32_LARGEST_DIFFERENCE


def test_any_mask_value_above_zero_is_hole(opened: Any) -> None:
    model = opened("fourier", CASES[0][1])
    rng = np.random.default_rng(3)
    image = rng.random((1, 3, 64, 64), dtype=np.float32)
    mask = np.zeros((1, 1, 64, 64), np.float32)
    mask[:, :, 20:40, 10:50] = 1
    wanted = model.run(image, mask)
    for value in (1e-6, 255):
        np.testing.assert_array_equal(model.run(image, np.float32(value) * mask), wanted)
    below = np.where(mask > 0, mask, np.float32(-3))
    np.testing.assert_array_equal(model.run(image, below), wanted)


def test_a_model_runs_again_and_again(opened: Any) -> None:
    model = opened("fourier", CASES[1][1])
    cases, _ = answer_of("fourier", CASES[1][1])
    first = raw_outputs(model, cases)
    for _ in range(3):
        np.testing.assert_array_equal(raw_outputs(model, cases), first)
