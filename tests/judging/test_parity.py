"""Parity figures: what counts as a difference, and that faults of a model show."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lama_edge.errors import ModelError, ParityError
from lama_edge.exporters.formats.onnx.file import build_onnx, write_onnx
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import (
    case_figures,
    judge,
    raw_outputs,
    require_parity,
    run_case,
    tolerance_needed,
)
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest, ParityFigures, Source
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes.base import Array, Runner, open_runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.runtimes.vectors.model import STAND_IN
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec

TOLERANCE = Tolerance(1e-4)
DYNAMIC = SizePolicy(None, 8, 16)


class _Shifted(Runner):
    """A model whose output is a constant, plus something added inside the hole."""

    runtime = STAND_IN
    runtime_version = provider = "none"

    def __init__(self, form: IoForm, level: float, added: float = 0.0) -> None:
        self.manifest = Manifest(
            {}, io_spec(form, composite=False), DYNAMIC, "fp32", None, Source("", {}, 0), {}
        )
        self._value = level / 255 + added

    def run(self, image: Array, mask: Array) -> Array:
        if self.manifest.io.form == "float":
            return np.full_like(image, self._value)
        return np.full_like(image, np.rint(255 * self._value))

    def close(self) -> None:
        pass


def _judge(model: Runner, level: float) -> ParityFigures:
    cases = seeded_cases(DYNAMIC)
    references = raw_outputs(_Shifted("float", level), cases)
    return judge(model, cases, references, reference_name="constant", tolerance=TOLERANCE)


def test_equal_results_pass_with_a_difference_of_zero() -> None:
    figures = _judge(_Shifted("float", 100), 100)
    assert (figures.max_abs_diff, figures.psnr_db, figures.passed) == (0.0, None, True)


def test_the_largest_difference_and_psnr_are_those_put_in() -> None:
    figures = _judge(_Shifted("float", 100, added=0.01), 100)
    assert figures.max_abs_diff == pytest.approx(0.01, rel=1e-3)
    assert figures.psnr_db == pytest.approx(40.0, abs=0.1)
    assert not figures.passed
    with pytest.raises(ParityError, match=r"1\.00e-02.*tolerance is 0.0001"):
        require_parity(figures)


@pytest.mark.parametrize(("least", "passes"), [(39.0, True), (41.0, False)])
def test_a_psnr_below_the_least_fails_whatever_the_largest_difference(
    least: float, passes: bool
) -> None:
    cases = seeded_cases(DYNAMIC)
    references = raw_outputs(_Shifted("float", 100), cases)
    figures = judge(
        _Shifted("float", 100, added=0.01),
        cases,
        references,
        reference_name="constant",
        tolerance=Tolerance(0.5, psnr_db=least),
    )
    assert figures.passed == passes
    if not passes:
        with pytest.raises(ParityError, match=r"40\.0 dB.*at least 41 dB; try this"):
            require_parity(figures, advice="try this")


class _OffInSmallOnes(_Shifted):
    """One that is 0.05 off in pictures of 16 pixels, and exact elsewhere."""

    def run(self, image: Array, mask: Array) -> Array:
        return super().run(image, mask) + np.float32(0.05 if image.shape[-1] == 16 else 0)


def test_the_psnr_is_the_worst_picture_s_and_not_that_of_all_together() -> None:
    """The small picture's share of all values makes its 26 dB more than 50 dB."""
    figures = _judge(_OffInSmallOnes("float", 100), 100)
    assert len(figures.sizes) > 1
    assert figures.psnr_db == pytest.approx(26.0, abs=0.1)


@pytest.mark.parametrize(
    ("level", "passes"), [(100.0, True), (100.49, True), (100.51, True), (100.6, False)]
)
def test_a_uint8_model_may_round_but_no_more(level: float, passes: bool) -> None:
    """The model gives 100 where the reference gives `level`."""
    assert _judge(_Shifted("uint8", 100), level).passed == passes


def test_values_that_are_not_finite_fail_by_name() -> None:
    with pytest.raises(ParityError, match="NaN or infinite values at 16x16"):
        _judge(_Shifted("float", float("nan")), 100)


def test_every_hole_touches_every_border_and_leaves_something_known() -> None:
    for case in [*seeded_cases(DYNAMIC), *seeded_cases(SizePolicy(Size(72, 512), 8, 16))]:
        hole = case.hole
        assert all(edge.any() for edge in (hole[0], hole[-1], hole[:, 0], hole[:, -1]))
        assert 0.2 < hole.mean() < 0.95


def test_a_dynamic_model_is_judged_at_square_oblong_and_odd_sizes() -> None:
    sizes = [case.size for case in seeded_cases(SizePolicy(None, 8, 16))]
    assert any(size.height == size.width for size in sizes)
    assert any(size.height > size.width for size in sizes)
    assert any(size.height < size.width for size in sizes)
    assert any((size.height // 8) % 2 and (size.width // 8) % 2 for size in sizes)
    assert min(size.height for size in sizes) == 16
    assert all(
        min(c.size.height, c.size.width) >= 72 for c in seeded_cases(SizePolicy(None, 8, 72))
    )


def _faults() -> dict[str, object]:
    def last_pad(model: onnx.ModelProto) -> None:
        (pad,) = [node for node in model.graph.node if node.name == "head.pad"]
        for attribute in pad.attribute:
            if attribute.name == "mode":
                attribute.s = b"edge"

    def one_weight(model: onnx.ModelProto) -> None:
        (tensor,) = [
            t for t in model.graph.initializer if t.name == "block01.conv2.local_to_local.weight"
        ]
        array = numpy_helper.to_array(tensor).copy()
        array[0, 0, 1, 1] += 1
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    def mask_polarity(model: onnx.ModelProto) -> None:
        (node,) = [node for node in model.graph.node if node.name == "input.known"]
        node.input[1], node.input[2] = node.input[2], node.input[1]

    def channel_order(model: onnx.ModelProto) -> None:
        (tensor,) = [t for t in model.graph.initializer if t.name == "head.conv.weight"]
        array = numpy_helper.to_array(tensor)
        array = array.reshape(-1, 3, *array.shape[1:])[:, ::-1].reshape(array.shape)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    def forward_transform(model: onnx.ModelProto) -> None:
        (tensor,) = [t for t in model.graph.initializer if t.name == "dft.row"]
        tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))

    faults = (last_pad, one_weight, mask_polarity, channel_order, forward_transform)
    return {fault.__name__: fault for fault in faults}


@pytest.mark.parametrize("fault", [None, *_faults()])
def test_a_fault_in_the_graph_shows(
    golden_checkpoint: Checkpoint, tmp_path, fault: str | None
) -> None:
    policy = SizePolicy(Size(64, 72), 8, 16)
    io = io_spec("float")
    model = build_onnx(
        golden_checkpoint.config, golden_checkpoint.tensors, GraphOptions(io=io, size=policy)
    )
    if fault is not None:
        _faults()[fault](model)
    manifest = Manifest({"name": "onnx"}, io, policy, "fp32", "matmul", Source("", {}, 0), {})
    write_onnx(model, manifest, tmp_path / "model.onnx")
    cases = seeded_cases(policy)
    references = raw_outputs(TorchRunner(golden_checkpoint, composite=False), cases)
    with open_runner(tmp_path / "model.onnx") as runner:
        figures = judge(runner, cases, references, reference_name="torch", tolerance=TOLERANCE)
    assert figures.passed == (fault is None)


def test_only_the_hole_is_judged() -> None:
    """Outside it a composited model gives back the input, whatever its weights."""
    (case,) = seeded_cases(SizePolicy(Size(16, 16), 8, 16))
    reference = np.where(case.hole[:, :, None], np.float32(100), np.float32(7))
    figures = judge(
        _Shifted("float", 100),
        [ParityCase(case.image, case.hole)],
        [reference],
        reference_name="constant",
        tolerance=TOLERANCE,
    )
    assert figures.max_abs_diff == 0


class _Stamping(Runner):
    """A composited model that gives its input back, but for known values it spoils."""

    runtime = STAND_IN
    runtime_version = provider = "none"

    def __init__(self, form: IoForm, spoilt: int) -> None:
        self.manifest = Manifest(
            {}, io_spec(form, composite=True), DYNAMIC, "fp32", None, Source("", {}, 0), {}
        )
        self._spoilt = spoilt

    def run(self, image: Array, mask: Array) -> Array:
        output = image.copy()
        layout = self.manifest.io.image.layout
        planes = output[0] if layout == "NCHW" else output[0].transpose(2, 0, 1)
        known = np.argwhere((mask[0, 0] if layout == "NCHW" else mask[0, :, :, 0]) == 0)
        for row, column in known[: self._spoilt]:
            planes[1, row, column] = 0 if planes[1, row, column] else 1
        return output

    def close(self) -> None:
        pass


@pytest.mark.parametrize("form", ["float", "uint8"])
@pytest.mark.parametrize("spoilt", [0, 1, 5])
def test_known_values_that_change_are_counted_and_refused(form: IoForm, spoilt: int) -> None:
    (case,) = seeded_cases(SizePolicy(Size(16, 24), 8, 16))
    model = _Stamping(form, spoilt)
    known = 3 * int((~case.hole).sum())
    assert run_case(model, case).known_changed == pytest.approx(spoilt / known)
    references = [case.image.astype(np.float32)]
    if spoilt == 0:
        judge(model, [case], references, reference_name="input", tolerance=TOLERANCE)
    else:
        with pytest.raises(ParityError, match="of the known values at 16x24"):
            judge(model, [case], references, reference_name="input", tolerance=TOLERANCE)


def test_a_model_of_the_raw_fill_has_no_known_values_to_keep() -> None:
    (case,) = seeded_cases(SizePolicy(Size(16, 16), 8, 16))
    assert run_case(_Shifted("float", 100), case).known_changed is None


def test_ssim_looks_at_the_composited_picture_inside_the_hole() -> None:
    (case,) = seeded_cases(SizePolicy(Size(48, 48), 8, 16))
    reference = case.image.astype(np.float32)
    outside = np.where(case.hole[:, :, None], reference, np.float32(0))
    assert case_figures(case, reference, outside, rounded_sides=0).ssim == pytest.approx(1)
    inside = np.where(case.hole[:, :, None], 255 - reference, reference)
    assert case_figures(case, reference, inside, rounded_sides=0).ssim < 0.9


def test_rounding_is_no_loss_of_ssim() -> None:
    (case,) = seeded_cases(SizePolicy(Size(48, 48), 8, 16))
    reference = case.image.astype(np.float32) + np.float32(0.3)
    figures = case_figures(case, reference, np.rint(reference), rounded_sides=1)
    assert figures.ssim == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0, 0.0), (1.2e-4, 1.2e-4), (1.21e-4, 1.3e-4), (0.999, 1.0), (254.0, 260.0)],
)
def test_the_tolerance_needed_is_rounded_up_to_two_digits(
    difference: float, expected: float
) -> None:
    assert tolerance_needed(difference) == expected
    assert tolerance_needed(difference) >= difference


def test_a_runtime_or_precision_without_a_tolerance_is_refused() -> None:
    assert tolerance_of("onnxruntime", "fp32") == TOLERANCE
    with pytest.raises(ModelError, match="no parity tolerance for onnxruntime int3"):
        tolerance_of("onnxruntime", "int3")
