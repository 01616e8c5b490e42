"""MNN files compute what torch does in MNN: every family, form and border.

At square, oblong and odd-bottleneck sizes, inside holes that touch all four borders; and on the
pictures that the official implementation's own results were recorded for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("MNN")

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
W8_LEAST_PSNR_DB = 48
# Half of it is the rounding to whole levels.
MOST_LEVELS = 1
# One of each family.
FAMILIES = [CASES[1], CASES[4], CASES[7], CASES[9]]


@pytest.fixture
def opened(mnn_file: Callable[..., Path]) -> Iterator[Callable[..., Runner]]:
    runners: list[Runner] = []

    def model(*choices: Any, **more: Any) -> Runner:
        runners.append(open_runner(mnn_file(*choices, **more), threads=1))
        return runners[-1]

    yield model
    for runner in runners:
        runner.close()


def _judged(model: Runner, family: str, size: Size | None) -> ParityFigures:
    cases, wanted = answer_of(family, size)
    return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))


@pytest.mark.parametrize(("family", "size"), [*CASES, *OBLONG])
def test_fp32_computes_what_torch_does(opened: Any, family: str, size: Size) -> None:
    """Measured 1.2e-6 at most."""
    assert _judged(opened(family, size), family, size).max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("family", ["fourier", "regular", "dilated", "lama-tiny"])
def test_a_file_of_any_size_computes_what_torch_does_at_each(opened: Any, family: str) -> None:
    """Square, oblong and odd bottlenecks, down to the smallest size."""
    found = _judged(opened(family, None), family, None)
    assert len(found.sizes) == 5
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("family", "size"), FAMILIES)
def test_bytes_come_back_within_a_level(
    opened: Any, family: str, size: Size, precision: str
) -> None:
    (case,), (wanted,) = answer_of(family, size)
    output = run_case(opened(family, size, "uint8", precision), case)
    assert output.known_changed == 0
    assert np.abs(output.levels - np.clip(wanted, 0, 255))[case.hole].max() <= MOST_LEVELS


@pytest.mark.parametrize("precision", ["fp32", "fp16", "w8"])
def test_floats_outside_the_hole_come_back_bit_by_bit(opened: Any, precision: str) -> None:
    model = opened("fourier", CASES[1][1], "float", precision)
    assert run_case(model, answer_of("fourier", CASES[1][1])[0][0]).known_changed == 0


@pytest.mark.parametrize("io", ["float", "uint8"])
@pytest.mark.parametrize("size", [CASES[1][1], None])
def test_the_raw_fill_is_the_whole_picture(opened: Any, io: str, size: Size | None) -> None:
    model = opened("fourier", size, io, composite=False)
    assert model.manifest.io.output.name == "predicted"
    (case,), (wanted,) = answer_of("fourier", CASES[1][1])
    slack = 255 * FP32_LARGEST_DIFFERENCE if io == "float" else 0.5 + 0.03
    assert np.abs(run_case(model, case).levels - wanted).max() <= slack


@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(opened: Any, family: str, index: int) -> None:
    """Measured 1.3e-6 at most."""
    case, predicted, there = record_of(family, index)
    levels = run_case(opened(family, case.size), case).levels[there]
    hole = case.hole[there]
    found = differences(predicted[hole], levels[hole], rounded_sides=0)
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_any_mask_value_above_zero_is_hole(opened: Any, form: str) -> None:
    model = opened("fourier", CASES[0][1], form)
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    mask = np.zeros((1, 64, 64, 1), np.uint8)
    mask[:, 20:40, 10:50] = 255
    if form == "float":
        image, mask = ((x.transpose(0, 3, 1, 2) / 255).astype(np.float32) for x in (image, mask))
    faint = (mask * (1e-6 if form == "float" else 1 / 255)).astype(mask.dtype)
    assert set(np.unique(faint)) != set(np.unique(mask))
    np.testing.assert_array_equal(model.run(image, faint), model.run(image, mask))


@pytest.mark.parametrize(("family", "size"), [*FAMILIES, ("hot", HOT_SIZE)])
def test_fp16_holds_where_every_result_is_rounded(
    mnn_file: Callable[..., Path], family: str, size: Size
) -> None:
    """By the emulator, on the graph that the file is made of.

    Measured 68.7 dB at least; with the same graph, ncnn's tests do so at each size.
    """
    source = mnn_file(family, size, "float", "fp16").with_name("source.onnx")
    with open_runner(source, provider=ONNX.judging_provider("fp16")) as emulator:
        figures = _judged(emulator, family, size)
    assert figures.psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize(("family", "size"), [*CASES, ("hot", HOT_SIZE)])
def test_fp16_is_near_to_torch(opened: Any, family: str, size: Size) -> None:
    """Measured 68.8 dB at least, with the hot checkpoint's values beyond a million in fp32.

    The converter's own halves, with their digits cut off, give 58.6. That the graph holds when
    every result is rounded is the emulator's to say, at the export.
    """
    figures = _judged(opened(family, size, "float", "fp16"), family, size)
    assert figures.psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize("size", [*(size for family, size in CASES if family == "lama-tiny"), None])
def test_int8_weights_are_near_to_torch(opened: Any, size: Size | None) -> None:
    """Measured 52.3 dB; as the converter rounds by itself, with 0 between two levels, 37."""
    found = _judged(opened("lama-tiny", size, "float", "w8"), "lama-tiny", size)
    assert found.psnr_db >= W8_LEAST_PSNR_DB


def test_a_model_runs_again_and_again_and_at_sizes_in_turn(opened: Any) -> None:
    model = opened("fourier", None)
    cases, wanted = answer_of("fourier", None)
    first = raw_outputs(model, cases)
    for again in (raw_outputs(model, cases[::-1])[::-1], raw_outputs(model, cases)):
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len({answer.shape for answer in wanted}) > 1
