"""Pictures in and out: what Core ML is told, and what happens to known pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools")

from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.spec import Size, SizePolicy

GREY, RGB = 10, 20
SIZE = Size(64, 88)


def _case(size: Size) -> ParityCase:
    (case,) = seeded_cases(SizePolicy(size, multiple=8, min_size=16))
    return case


def test_the_faintest_mask_is_a_hole(packaged: Any) -> None:
    """The mask is binarised in the graph: 1 of 255 and 255 are the same."""
    package = packaged("fourier", SIZE, "image", "fp32")
    case = _case(SIZE)
    with CoremlEmulatedRunner(package.path) as runner:
        mask = case.hole[np.newaxis, :, :, np.newaxis].astype(np.uint8)
        faint, full = (runner.run(case.image[np.newaxis], mask * level) for level in (1, 255))
    np.testing.assert_array_equal(faint, full)
    assert (faint[0] != case.image)[case.hole].any()


def test_inputs_and_output_are_images_that_core_ml_neither_scales_nor_shifts(
    packaged: Any,
) -> None:
    """An image output has no scale of its own, so the product with 255 is in the graph."""
    package = packaged("fourier", SIZE, "image", "fp32")
    description = package.spec.description
    spaces = {
        feature.name: (feature.type.imageType.colorSpace, feature.type.imageType.height)
        for feature in (*description.input, *description.output)
    }
    assert spaces == {"image": (RGB, 64), "mask": (GREY, 64), "inpainted": (RGB, 64)}
    names = {operation.outputs[0].name: operation.type for operation in package.operations()}
    assert names["output_levels"] == "mul"
    assert names["output_rounded"] == "round"
    assert names["input_image_unit"] == "real_div"
    assert not [name for name in names if "__scaled__" in name or "__biased__" in name]


def test_two_conversions_after_each_other_have_the_same_outputs(packaged: Any) -> None:
    """coremltools changes the types it is given; each conversion gets fresh ones."""
    kinds = []
    for size in (SIZE, Size(64, 64)):
        for form in ("image", "float", "image", "float"):
            description = packaged("fourier", size, form, "fp32").spec.description
            kinds.append([one.type.WhichOneof("Type") for one in description.output])
    assert kinds == [["imageType"], ["multiArrayType"]] * 4
