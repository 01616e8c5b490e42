"""Every form of the DFT against numpy's FFT, at even, odd and oblong sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.forms import (
    DftForm,
    OperatorDft,
    constant_matmul_dft,
    dynamic_matmul_dft,
)
from lama_edge.exporters.graph.dft.last_axis import LastAxisDft

# Of the largest magnitude of the spectrum, which is the DC bin; float32 itself resolves 1.2e-7.
# Measured at sizes up to 70: constant 3.2e-7, dynamic 6.0e-7, ONNX Runtime's DFT kernel 3.7e-6.
LARGEST_RELATIVE_DIFFERENCE = {
    "constant": 1e-6,
    "last axis": 1e-6,
    "dynamic": 1.5e-6,
    "op17": 1e-5,
    "op20": 1e-5,
}
CHANNELS = 3
SIDES = st.integers(2, 70)
FORMS = tuple(LARGEST_RELATIVE_DIFFERENCE)


def _form(b: GraphBuilder, form: str, like: ir.Value, height: int, width: int) -> DftForm:
    if form == "constant":
        return constant_matmul_dft(b, height, width)
    if form == "last axis":
        return LastAxisDft(b, height, width)
    return dynamic_matmul_dft(b, like) if form == "dynamic" else OperatorDft(b, like)


def _session(form: str, height: int, width: int, direction: str) -> ort.InferenceSession:
    b = GraphBuilder(20 if form == "op20" else 17)
    side = [height, width] if form in ("constant", "last axis") else ["h", "w"]
    x = ir.val("x", ir.DataType.FLOAT, ["n", CHANNELS, *side])
    dft = _form(b, form, x, height, width)
    spectrum = dft.forward(x)
    if direction == "round trip":
        y = dft.inverse(spectrum)
    else:
        y = b.op("Concat", "both", *spectrum, axis=1)
    y.name = "y"
    y.type = ir.TensorType(ir.DataType.FLOAT)
    y.shape = ir.Shape(["n", "c", "h_out", "w_out"])
    proto = ir.to_proto(b.build([x], y, name="dft", ir_version=9))
    onnx.checker.check_model(proto, full_check=True)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _map(height: int, width: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(height * 1000 + width)
    # A mean of 2: the DC bin is where sums go wrong first.
    return (rng.normal(size=(2, CHANNELS, height, width)) + 2).astype(np.float32)


def _assert_close(form: str, result: NDArray[Any], expected: NDArray[Any], scale: float) -> None:
    assert np.abs(result - expected).max() / scale <= LARGEST_RELATIVE_DIFFERENCE[form]


def _parts(spectrum: NDArray[Any]) -> NDArray[Any]:
    """Turn a complex spectrum [N,C,H,F] into [N,2C,F,H]: real channels, then imaginary ones."""
    return np.concatenate([spectrum.real, spectrum.imag], axis=1).swapaxes(2, 3)


def _spectrum(x: NDArray[Any]) -> NDArray[Any]:
    return np.fft.rfft2(x.astype(np.float64), norm="ortho")


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(height=SIDES, width=SIDES)
def test_forward_is_the_orthonormal_spectrum(form: str, height: int, width: int) -> None:
    x = _map(height, width)
    (result,) = _session(form, height, width, "forward").run(None, {"x": x})
    expected = _parts(_spectrum(x))
    _assert_close(form, result, expected, np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(height=SIDES, width=SIDES)
def test_inverse_undoes_forward(form: str, height: int, width: int) -> None:
    x = _map(height, width)
    (result,) = _session(form, height, width, "round trip").run(None, {"x": x})
    _assert_close(form, result, x, np.abs(_spectrum(x)).max())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(9, 13), (8, 8)])
def test_inverse_ignores_what_no_real_map_has_like_the_official_irfft(
    form: str, size: tuple[int, int]
) -> None:
    """A Fourier unit's output need not be Hermitian; irfft2 then ignores the same parts as ours."""
    height, width = size
    x = _map(height, width)
    b = GraphBuilder(20 if form == "op20" else 17)
    bins = width // 2 + 1
    spectrum = np.random.default_rng(5).normal(size=(2, 2, CHANNELS, height, bins))
    spectrum = spectrum[0] + 1j * spectrum[1]
    expected = np.fft.irfft2(spectrum, s=size, norm="ortho")
    parts = _parts(spectrum).astype(np.float32)
    x_in = ir.val("x", ir.DataType.FLOAT, parts.shape)
    like = ir.val("like", ir.DataType.FLOAT, [2, CHANNELS, height, width])
    dft = _form(b, form, like, height, width)
    channels = [b.integers(0), b.integers(CHANNELS), b.integers(2 * CHANNELS), b.integers(1)]
    re = b.op("Slice", "re", x_in, channels[0], channels[1], channels[3])
    im = b.op("Slice", "im", x_in, channels[1], channels[2], channels[3])
    y = dft.inverse((x_in,) if dft.is_map else (re, im))
    y.name, y.type = "y", ir.TensorType(ir.DataType.FLOAT)
    y.shape = ir.Shape([2, CHANNELS, height, width])
    model = b.build([x_in, like], y, name="inverse", ir_version=9)
    session = ort.InferenceSession(
        ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"x": parts, "like": x})
    _assert_close(form, result, expected, np.abs(spectrum).max())


def test_long_axes_keep_their_digits() -> None:
    """Angles reduced as integers: without that float32 loses digits as the axis grows."""
    x = _map(4, 1000)
    (result,) = _session("dynamic", 4, 1000, "forward").run(None, {"x": x})
    expected = _parts(_spectrum(x))
    _assert_close("dynamic", result, expected, np.abs(expected).max())
