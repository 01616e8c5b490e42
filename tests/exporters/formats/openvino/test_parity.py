"""OpenVINO models compute what torch does in OpenVINO: every family, form and border.

At square, oblong and odd-bottleneck sizes, inside holes that touch all four borders; and on the
pictures that the official implementation's own results were recorded for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openvino")

from torch_answers import CASES, HOT_SIZE, RECORDS, answer_of, record_of

from lama_edge.judging.judge import judge, raw_outputs, run_case
from lama_edge.judging.metrics import differences
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import Runner, open_runner
from lama_edge.spec import Size

FP32_LARGEST_DIFFERENCE = 1e-4
FP16_LEAST_PSNR_DB = 55
# Half a level is the rounding to whole ones; what cuts digits off is nearly a whole one away.
MOST_LEVELS = {"fp32": 0.53, "fp16": 1}

# What OpenVINO calls the mark once it has read it.
MARK = "DisablePrecisionConversion_0"

MakeModel = Callable[..., Path]


@pytest.fixture
def opened(openvino_model: MakeModel) -> Iterator[Callable[..., Runner]]:
    """Opens a model on the processor, which is the device that every machine has."""
    runners: list[Runner] = []

    def model(*choices: Any, **more: Any) -> Runner:
        runners.append(open_runner(openvino_model(*choices, **more), provider="cpu", threads=1))
        return runners[-1]

    yield model
    for runner in runners:
        runner.close()


def _judged(model: Runner, family: str, size: Size | None) -> ParityFigures:
    cases, wanted = answer_of(family, size)
    return judge(model, cases, wanted, reference_name="torch", tolerance=Tolerance(1))


@pytest.mark.parametrize(("family", "size"), CASES)
def test_fp32_computes_what_torch_does(opened: Any, family: str, size: Size) -> None:
    assert _judged(opened(family, size), family, size).max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("family", ["fourier", "regular", "dilated", "lama-tiny"])
def test_a_model_of_any_size_computes_what_torch_does_at_each(opened: Any, family: str) -> None:
    """Square, oblong and odd bottlenecks, down to the smallest size."""
    found = _judged(opened(family), family, None)
    assert len(found.sizes) == 5
    assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("family", "size"), [CASES[1], CASES[4], CASES[7], CASES[9]])
def test_bytes_come_back_within_a_level(
    opened: Any, family: str, size: Size, precision: str
) -> None:
    (case,), (wanted,) = answer_of(family, size)
    output = run_case(opened(family, size, io="uint8", precision=precision), case)
    assert output.known_changed == 0
    assert (
        np.abs(output.levels - np.clip(wanted, 0, 255))[case.hole].max() <= MOST_LEVELS[precision]
    )


def test_floats_outside_the_hole_come_back_bit_by_bit(opened: Any) -> None:
    for precision in ("fp32", "fp16"):
        for size in (None, CASES[1][1]):
            model = opened("fourier", size, precision=precision)
            output = run_case(model, answer_of("fourier", CASES[1][1])[0][0])
            assert output.known_changed == 0


@pytest.mark.parametrize("io", ["float", "uint8"])
@pytest.mark.parametrize("size", [CASES[1][1], None])
def test_the_raw_fill_is_the_whole_picture(opened: Any, io: str, size: Size | None) -> None:
    model = opened("fourier", size, io=io, composite=False)
    assert model.manifest.io.output.name == "predicted"
    (case,), (wanted,) = answer_of("fourier", CASES[1][1])
    slack = 255 * FP32_LARGEST_DIFFERENCE if io == "float" else 0.5 + 0.03
    assert np.abs(run_case(model, case).levels - wanted).max() <= slack


@pytest.mark.parametrize(("family", "index"), RECORDS)
def test_official_results_are_reproduced(opened: Any, family: str, index: int) -> None:
    case, predicted, there = record_of(family, index)
    hole = case.hole[there]
    for size in (case.size, None):
        levels = run_case(opened(family, size), case).levels[there]
        found = differences(predicted[hole], levels[hole], rounded_sides=0)
        assert found.max_abs_diff <= FP32_LARGEST_DIFFERENCE


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_any_mask_value_above_zero_is_hole(opened: Any, form: str) -> None:
    model = opened("fourier", CASES[0][1], io=form)
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    mask = np.zeros((1, 64, 64, 1), np.uint8)
    mask[:, 20:40, 10:50] = 255
    if form == "float":
        image, mask = ((x.transpose(0, 3, 1, 2) / 255).astype(np.float32) for x in (image, mask))
    faint = (mask * (1e-6 if form == "float" else 1 / 255)).astype(mask.dtype)
    assert set(np.unique(faint)) != set(np.unique(mask))
    np.testing.assert_array_equal(model.run(image, faint), model.run(image, mask))


@pytest.mark.parametrize("size", [CASES[1][1], None])
def test_what_fp16_models_keep_in_float32_is_marked_for_devices_that_halve(
    openvino_model: MakeModel, size: Size | None
) -> None:
    """Few processors have fp16; on those the tests of known pixels and of fp16 say it too."""
    import openvino

    wide = [
        node
        for node in openvino.Core()
        .read_model(openvino_model("fourier", size, precision="fp16"))
        .get_ops()
        if "f32"
        in [value.get_element_type().to_string() for value in (*node.inputs(), *node.outputs())]
    ]
    assert "inpainted" in {node.get_friendly_name() for node in wide}
    unmarked = [node for node in wide if MARK not in node.get_rt_info()]
    assert [node.get_friendly_name() for node in unmarked] == []


@pytest.mark.parametrize(("family", "size"), [*CASES, ("hot", HOT_SIZE)])
def test_fp16_is_near_to_torch(opened: Any, family: str, size: Size) -> None:
    """The hot checkpoint's values pass a million in fp32.

    That the graph holds when every result is rounded is the emulator's to say, at the export.
    """
    assert _judged(opened(family, size, precision="fp16"), family, size).psnr_db >= (
        FP16_LEAST_PSNR_DB
    )


def test_a_model_runs_again_and_again_and_at_sizes_in_turn(opened: Any) -> None:
    model = opened("fourier")
    cases, wanted = answer_of("fourier", None)
    first = raw_outputs(model, cases)
    for again in (raw_outputs(model, cases[::-1])[::-1], raw_outputs(model, cases)):
        for one, other in zip(first, again, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len({answer.shape for answer in wanted}) > 1
