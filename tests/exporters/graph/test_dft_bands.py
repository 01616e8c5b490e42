"""The DFT in rows and columns, against numpy's FFT."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest

from lama_edge.exporters.graph.bands.extents import bands_of, frequency_groups
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.bands import column_matrices, row_matrices, transformed_columns

CHANNELS = 3
# Of values of order 1; measured at most 1.2e-6.
LARGEST_DIFFERENCE = 3e-6
# Of the largest value, after four transforms; measured 4.5e-7.
LARGEST_RELATIVE_DIFFERENCE = 2e-6
# Of a matrix's largest entry; float32's own is up to 6.0e-8.
LARGEST_ROUNDING = 6.1e-8
SIDES = (2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 30, 64)


def _run(write: Callable[[GraphBuilder, ir.Value], ir.Value], x: np.ndarray) -> np.ndarray:
    b = GraphBuilder(17)
    value = ir.val("x", ir.DataType.FLOAT, x.shape)
    y = write(b, value)
    y.name, y.type = "y", ir.TensorType(ir.DataType.FLOAT)
    proto = ir.to_proto(b.build([value], y, name="dft", ir_version=8))
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


def _map(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("width", SIDES)
def test_rows_are_half_spectra_and_come_back(width: int) -> None:
    x = _map(1, 1, 4, width, CHANNELS)
    spectrum = _run(lambda b, v: b.op("MatMul", "y", row_matrices(b, v).forward, v), x)
    expected = np.fft.rfft(x, axis=3, norm="ortho")
    assert np.abs(spectrum[..., 0::2, :] - expected.real).max() <= LARGEST_DIFFERENCE
    assert np.abs(spectrum[..., 1::2, :] - expected.imag).max() <= LARGEST_DIFFERENCE

    def back(b: GraphBuilder, value: ir.Value) -> ir.Value:
        like = b.constant("like", np.zeros((1, 1, 4, width, 1), np.float32))
        return b.op("MatMul", "out", row_matrices(b, like).inverse, value)

    # What is no spectrum of a real row, as it is after a ReLU: as numpy's inverse takes it.
    mixed = np.maximum(spectrum, 0)
    half = mixed[..., 0::2, :] + 1j * mixed[..., 1::2, :]
    returned = np.fft.irfft(half, width, axis=3, norm="ortho")
    assert np.abs(_run(back, mixed) - returned).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("height", SIDES)
def test_columns_are_complex_spectra_and_come_back(height: int) -> None:
    frequencies = 5
    x = _map(1, 1, height, frequencies, 2 * CHANNELS)
    # The lines of each frequency together.
    lines = np.ascontiguousarray(np.moveaxis(x, 2, 3)).reshape(-1, 2 * CHANNELS)
    spectra: list[ir.Value] = []

    def write(b: GraphBuilder, value: ir.Value, *, stop: bool) -> ir.Value:
        like = b.constant("like", x)
        matrices = column_matrices(b, like, CHANNELS)

        def mix(lines: ir.Value) -> ir.Value:
            spectra.append(lines)
            return b.op("Mul", "mixed", lines, b.constant("two", np.float32(2).reshape(1)))

        result = transformed_columns(b, value, matrices, CHANNELS, mix)
        return spectra[-1] if stop else result

    complex_lines = lines.reshape(frequencies, height, 2, CHANNELS)
    z = complex_lines[:, :, 0] + 1j * complex_lines[:, :, 1]
    expected = np.fft.fft(z, axis=1, norm="ortho")
    found = _run(lambda b, v: write(b, v, stop=True), lines)
    found = found.reshape(frequencies, height, 2, CHANNELS)
    order = _order(height)
    assert np.abs(found[:, :, 0] - expected.real[:, order]).max() <= LARGEST_DIFFERENCE
    assert np.abs(found[:, :, 1] - expected.imag[:, order]).max() <= LARGEST_DIFFERENCE
    returned = _run(lambda b, v: write(b, v, stop=False), lines)
    assert np.abs(returned.reshape(lines.shape) - 2 * lines).max() <= LARGEST_DIFFERENCE


# The last is two bands and three groups; all others are one of each.
@pytest.mark.parametrize(
    ("batch", "height", "width"), [(2, 2, 3), (1, 13, 8), (2, 30, 17), (2, 62, 100)]
)
def test_rows_and_columns_together_are_the_spectrum_of_a_map_and_come_back(
    batch: int, height: int, width: int
) -> None:
    """With the lines that the tables of bands and groups pick, as the trunk does it."""
    x = _map(batch, 1, height, width, CHANNELS)
    bins = width // 2 + 1

    def write(b: GraphBuilder, value: ir.Value, *, stop: bool) -> ir.Value:
        rows, bands = row_matrices(b, value), bands_of(b, value)
        spectra = b.op("MatMul", "rows", rows.forward, value)
        shape = b.integers(batch, 1, height, bins, 2 * CHANNELS)
        like = b.op("Reshape", "spectrum", spectra, shape)
        lines = b.op("Reshape", "lines_of_rows", like, b.integers(-1, 2 * CHANNELS))
        matrices, groups = column_matrices(b, like, CHANNELS), frequency_groups(b, like)

        def group(seen: ir.Value) -> Sequence[ir.Value]:
            spectrum: list[ir.Value] = []

            def mix(found: ir.Value) -> ir.Value:
                spectrum.append(found)
                return b.op("Add", "mixed", found, found)

            gathered = b.op("Gather", "gathered", lines, seen, axis=0)
            back = transformed_columns(b, gathered, matrices, CHANNELS, mix)
            return back, *spectrum

        back, spectrum = b.scan("groups", (groups,), (), group)
        if stop:
            return spectrum
        back = b.op("Reshape", "back_lines", back, b.integers(-1, 2 * CHANNELS))
        back = b.op("Gather", "back_rows", back, bands.spectrum, axis=0)
        back = b.op("Reshape", "back_spectra", back, b.integers(-1, 2 * bins, CHANNELS))
        return b.op("MatMul", "pixels", rows.inverse, back)

    found = _run(lambda b, v: write(b, v, stop=True), x)
    found = found.reshape(batch, bins, height, 2, CHANNELS)
    expected = np.fft.rfft2(x[:, 0], axes=(1, 2), norm="ortho").swapaxes(1, 2)
    expected = expected[:, :, _order(height)]
    assert np.abs(found[..., 0, :] - expected.real).max() <= LARGEST_DIFFERENCE
    assert np.abs(found[..., 1, :] - expected.imag).max() <= LARGEST_DIFFERENCE
    returned = _run(lambda b, v: write(b, v, stop=False), x).reshape(x.shape)
    assert np.abs(returned / 2 - x).max() / np.abs(x).max() <= LARGEST_RELATIVE_DIFFERENCE


def test_long_axes_keep_their_digits() -> None:
    """Matrices are rounded once: angles in float32, or not reduced, are off by far more."""
    length, bins = 1000, 501
    row = np.zeros((1, 1, 1, length, 1), np.float32)
    found = _run(lambda b, v: row_matrices(b, v).forward, row).reshape(bins, 2, length)
    exact = _exact_turns(np.outer(np.arange(bins), np.arange(length)), length) / np.sqrt(length)
    assert _off(found[:, 0], exact.real) <= LARGEST_ROUNDING
    assert _off(found[:, 1], exact.imag) <= LARGEST_ROUNDING
    column = np.zeros((1, 1, length, 1, 2), np.float32)
    second = _run(lambda b, v: column_matrices(b, v, 1).second, column)
    first = _first_factor(length)
    n2 = length // first
    k = _order(length).reshape(first, n2, 1)
    exact = _exact_turns(k * np.arange(n2), length) / np.sqrt(n2)
    # What becomes real and imaginary of the real parts, which every second row and column is.
    of_real = second[:, :, : 2 * n2 : 2]
    assert _off(of_real[:, 0::2], exact.real) <= LARGEST_ROUNDING
    assert _off(of_real[:, 1::2], exact.imag) <= LARGEST_ROUNDING


def _exact_turns(products: np.ndarray, length: int) -> np.ndarray:
    return np.asarray(np.exp(-2j * np.pi * (products % length) / length))


def _off(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest difference, of the largest entry."""
    return float(np.abs(found - exact).max() / np.abs(exact).max())


def _order(height: int) -> np.ndarray:
    """Return which frequencies a column's lines are, k1 before k2 of k1 + J k2."""
    first = _first_factor(height)
    return (np.arange(first)[:, np.newaxis] + first * np.arange(height // first)).ravel()


def _first_factor(number: int) -> int:
    """Return the divisor nearest to the root, the smaller one of two."""
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    return min(divisors, key=lambda n: (round(max(n * n / number, number / n / n), 9), n))
