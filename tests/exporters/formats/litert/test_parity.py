"""Files compute in LiteRT what torch does: every family and lama-tiny, every form, every border."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch_answers import CASES, HOT_SIZE, RECORDS, answer_of, record_of

from lama_edge.judging.judge import judge, run_case
from lama_edge.judging.metrics import differences
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size

FP32_LARGEST_DIFFERENCE = 1e-4
FP16_LEAST_PSNR_DB = 55
# Random weights, a small net.
W8_LEAST_PSNR_DB = 45
# Half a level is the rounding to whole ones; what cuts digits off is nearly a whole one away.
MOST_LEVELS = {"fp32": 0.53, "fp16": 1}

Written = Callable[..., Path]


def figures(path: Path, family: str, size: Size, provider: str = "cpu") -> ParityFigures:
    cases, wanted = answer_of(family, size)
    with open_runner(path, provider=provider) as model:
        return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))


@pytest.mark.parametrize(("family", "size"), CASES)
def test_fp32_computes_what_torch_does(written: Written, family: str, size: Size) -> None:
    """Measured 2.3e-6 at most."""
    found = figures(written(family, size), family, size)
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("family", "size"), CASES)
def test_bytes_come_back_within_a_level(
    written: Written, family: str, size: Size, precision: str
) -> None:
    (case,), (wanted,) = answer_of(family, size)
    with open_runner(written(family, size, "uint8", precision)) as model:
        output = run_case(model, case)
    assert output.known_changed == 0
    assert (
        np.abs(output.levels - np.clip(wanted, 0, 255))[case.hole].max() <= MOST_LEVELS[precision]
    )


@pytest.mark.parametrize("io", ["float", "uint8"])
def test_without_the_composite_the_raw_fill_comes_back(written: Written, io: str) -> None:
    size = Size(72, 104)
    (case,), (wanted,) = answer_of("fourier", size)
    with open_runner(written("fourier", size, io, "fp32", False)) as model:
        assert model.manifest.io.output.name == "predicted"
        levels = run_case(model, case).levels
    assert np.abs(levels - wanted).max() <= (MOST_LEVELS["fp32"] if io == "uint8" else 0.03)


@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(written: Written, family: str, index: int) -> None:
    case, predicted, there = record_of(family, index)
    found = {}
    for precision in ("fp32", "fp16"):
        with open_runner(written(family, case.size, "float", precision)) as model:
            levels = run_case(model, case).levels
        hole = case.hole[there]
        found[precision] = differences(predicted[hole], levels[there][hole], rounded_sides=0)
    assert found["fp32"].max_abs_diff <= FP32_LARGEST_DIFFERENCE
    assert found["fp16"].psnr_db is not None
    assert found["fp16"].psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize(("family", "size"), [*CASES, ("hot", HOT_SIZE)])
def test_fp16_holds_where_every_result_is_rounded_and_in_litert(
    written: Written, family: str, size: Size
) -> None:
    """Measured by the emulator 68.7 dB at least, in LiteRT 70.2."""
    path = written(family, size, "float", "fp16")
    emulated = figures(path.with_name("source.onnx"), family, size, "emulated")
    run = figures(path, family, size)
    print(f"{family} {size}: emulated {emulated.psnr_db} dB, LiteRT {run.psnr_db} dB")
    for found in (emulated, run):
        assert found.psnr_db is not None
        assert found.psnr_db >= FP16_LEAST_PSNR_DB


@pytest.mark.parametrize("family", ["fourier", "hot"])
def test_w8_fits_fp16_too(written: Written, family: str) -> None:
    """GPUs turn its weights back and compute in fp16; measured 52.0 dB at least."""
    path = written(family, HOT_SIZE, "float", "w8")
    emulated = figures(path.with_name("source.onnx"), family, HOT_SIZE, "emulated")
    run = figures(path, family, HOT_SIZE)
    print(f"{family}: emulated {emulated.psnr_db} dB, LiteRT {run.psnr_db} dB")
    assert emulated.psnr_db is not None
    assert run.psnr_db is not None
    assert emulated.psnr_db >= W8_LEAST_PSNR_DB
    assert abs(emulated.psnr_db - run.psnr_db) < 1


@pytest.mark.parametrize("io", ["float", "uint8"])
def test_the_faintest_mask_is_a_hole(written: Written, io: str) -> None:
    size = Size(64, 88)
    (case,), _ = answer_of("fourier", size)
    with open_runner(written("fourier", size, io)) as model:
        dtype = np.dtype(model.manifest.io.mask.dtype)
        image = (case.image / (255 if io == "float" else 1)).astype(dtype)[np.newaxis]
        hole = case.hole[np.newaxis, :, :, np.newaxis]
        least = np.finfo(np.float32).tiny if io == "float" else 1
        faint, full = (model.run(image, (hole * level).astype(dtype)) for level in (least, 255))
    np.testing.assert_array_equal(faint, full)
    assert (faint != image)[hole[..., 0]].any()
    np.testing.assert_array_equal(faint[~hole[..., 0]], image[~hole[..., 0]])
