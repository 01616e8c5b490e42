"""Programs compute in ExecuTorch what torch does: every family, every form, every border.

To lower one takes from ten seconds to minutes, so that most of the combinations are slow tests.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from executorch_programs import Programs
from torch_answers import CASES, HOT_SIZE, RECORDS, answer_of, record_of

from lama_edge.judging.judge import judge, run_case
from lama_edge.judging.metrics import differences
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size

FP32_LARGEST_DIFFERENCE = 1e-4
FP16_LEAST_PSNR_DB = 55
INT8_LEAST_PSNR_DB = 38
# Half of it is the rounding to whole levels.
MOST_LEVELS = 1

QUICK = [("regular", Size(64, 88)), ("fourier", Size(72, 104))]


def _slow(cases: list[tuple[str, Size]], quick: list[tuple[str, Size]]) -> list[object]:
    marks = {True: (), False: (pytest.mark.slow,)}
    return [pytest.param(*case, marks=marks[case in quick]) for case in cases]


def figures(path: Path, family: str, size: Size, provider: str = "cpu") -> ParityFigures:
    cases, wanted = answer_of(family, size)
    with open_runner(path, provider=provider) as model:
        return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))


@pytest.mark.parametrize(("family", "size"), _slow(CASES, QUICK))
def test_fp32_computes_what_torch_does(program: Programs, family: str, size: Size) -> None:
    """Measured 1.6e-6 at most."""
    found = figures(program(family, size), family, size)
    print(f"{family} {size}: {found.max_abs_diff}")
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize(("family", "size"), _slow(CASES, QUICK[:1]))
def test_bytes_come_back_within_a_level(program: Programs, family: str, size: Size) -> None:
    (case,), (wanted,) = answer_of(family, size)
    with open_runner(program(family, size, "uint8")) as model:
        output = run_case(model, case)
    assert output.known_changed == 0
    assert np.abs(output.levels - np.clip(wanted, 0, 255))[case.hole].max() <= MOST_LEVELS


@pytest.mark.parametrize(("family", "size"), _slow([*CASES, ("hot", HOT_SIZE)], QUICK[:1]))
def test_fp16_holds_where_every_result_is_rounded_and_in_executorch(
    program: Programs, family: str, size: Size
) -> None:
    """XNNPACK computes in fp16 where the processor can; the emulator rounds every result."""
    path = program(family, size, "float", "fp16")
    emulated = figures(path.with_name("source.onnx"), family, size, "emulated")
    run = figures(path, family, size)
    print(f"{family} {size}: emulated {emulated.psnr_db} dB, ExecuTorch {run.psnr_db} dB")
    for found in (emulated, run):
        assert found.psnr_db is not None
        assert found.psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize(
    ("family", "size"),
    _slow([("regular", Size(64, 88)), ("lama-tiny", Size(128, 128))], [("regular", Size(64, 88))]),
)
def test_int8_keeps_the_picture(program: Programs, family: str, size: Size) -> None:
    found = figures(program(family, size, "float", "int8"), family, size)
    print(f"{family} {size}: {found.psnr_db} dB")
    assert found.psnr_db is not None
    assert found.psnr_db >= INT8_LEAST_PSNR_DB


def test_without_the_composite_the_raw_fill_comes_back(program: Programs) -> None:
    family, size = QUICK[0]
    (case,), (wanted,) = answer_of(family, size)
    with open_runner(program(family, size, composite=False)) as model:
        assert model.manifest.io.output.name == "predicted"
        levels = run_case(model, case).levels
    assert np.abs(levels - wanted).max() <= 255 * FP32_LARGEST_DIFFERENCE


@pytest.mark.slow
@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(program: Programs, family: str, index: int) -> None:
    case, predicted, there = record_of(family, index)
    with open_runner(program(family, case.size)) as model:
        levels = run_case(model, case).levels
    hole = case.hole[there]
    found = differences(predicted[hole], levels[there][hole], rounded_sides=0)
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


def test_the_faintest_mask_is_a_hole(program: Programs) -> None:
    """XNNPACK takes what is below the least normal number for 0."""
    family, size = QUICK[0]
    (case,), _ = answer_of(family, size)
    image = np.ascontiguousarray((case.image / np.float32(255)).transpose(2, 0, 1))[np.newaxis]
    hole = case.hole[np.newaxis, np.newaxis]
    with open_runner(program(family, size)) as model:
        seen, full = (
            model.run(image, np.where(hole, level, 0).astype(np.float32))
            for level in (np.finfo(np.float32).tiny, 255)
        )
    np.testing.assert_array_equal(seen, full)
    known = np.broadcast_to(~hole, image.shape)
    np.testing.assert_array_equal(seen[known], image[known])
    assert (seen != image)[~known].any()
