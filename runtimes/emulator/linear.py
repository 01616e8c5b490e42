"""Operators that sum products: convolutions, matrix products, the DFT; and quantisation."""

from __future__ import annotations

from collections.abc import Sequence

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import convolve, convolve_transposed, dequantise, quantise
from lama_edge.runtimes.emulator.registry import Node, Operator, element_type, operator, own_type

with needs_extra("export"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}
_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


@operator(OPERATORS, "Conv", attributes=_WINDOW)
def _conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return convolve(
        x,
        weight,
        bias,
        strides=node.attributes.get("strides", (1, 1)),
        pads=_window_pads(node, x, weight),
        dilations=node.attributes.get("dilations", (1, 1)),
        groups=node.attributes.get("group", 1),
    )


@operator(OPERATORS, "ConvTranspose", attributes=(*_WINDOW, "output_padding"))
def _conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return convolve_transposed(
        x,
        weight,
        bias,
        strides=node.attributes.get("strides", (1, 1)),
        pads=_window_pads(node, x, weight),
        output_padding=node.attributes.get("output_padding", (0, 0)),
        dilations=node.attributes.get("dilations", (1, 1)),
        groups=node.attributes.get("group", 1),
    )


def _window_pads(node: Node, x: Tensor, weight: Tensor) -> Sequence[int]:
    """Return the pads at the top, left, bottom and right, after checks of what they go with."""
    if x.dim() != 4 or weight.dim() != 4:
        raise ValueError(f"takes four axes, not {tuple(x.shape)} and {tuple(weight.shape)}")
    kernel = node.attributes.get("kernel_shape", weight.shape[2:])
    if tuple(kernel) != tuple(weight.shape[2:]):
        raise ValueError(f"kernel_shape is {tuple(kernel)}, the weight's {tuple(weight.shape[2:])}")
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic not in ("NOTSET", "VALID"):
        raise ValueError(f"auto_pad={automatic} is not supported")
    pads: Sequence[int] = node.attributes.get("pads", (0, 0, 0, 0))
    return pads


@operator(OPERATORS, "MatMul")
def _matmul(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return torch.matmul(x, y)


@operator(OPERATORS, "Gemm", attributes=("alpha", "beta", "transA", "transB"))
def _gemm(node: Node, x: Tensor, y: Tensor, addend: Tensor | None = None) -> Tensor:
    left = x.T if node.attributes.get("transA", 0) else x
    right = y.T if node.attributes.get("transB", 0) else y
    product = torch.matmul(left, right) * float(node.attributes.get("alpha", 1.0))
    if addend is None:
        return product
    return product + addend * float(node.attributes.get("beta", 1.0))


@operator(OPERATORS, "DFT", attributes=("axis", "inverse", "onesided"))
def _dft(
    node: Node, x: Tensor, length: Tensor | None = None, axis_value: Tensor | None = None
) -> Tensor:
    """Transform along one axis; the last axis holds real parts, or real and imaginary ones."""
    axis = node.attributes.get("axis", 1) if node.opset < 20 else -2
    if axis_value is not None:
        axis = int(axis_value.reshape(()).item())
    inverse, onesided = (bool(node.attributes.get(flag)) for flag in ("inverse", "onesided"))
    count = None if length is None else int(length.reshape(()).item())
    # torch's complex tensors lack the last axis.
    axis = axis % x.dim()
    if axis == x.dim() - 1:
        raise ValueError("cannot transform along the axis of real and imaginary parts")
    signal = x.squeeze(-1) if x.shape[-1] == 1 else torch.view_as_complex(x.contiguous())
    if onesided and inverse != signal.is_complex():
        raise ValueError("onesided goes from real numbers forward or back to them")
    result: Tensor
    if onesided and inverse:
        result = torch.fft.irfft(signal, n=count, dim=axis).unsqueeze(-1)
    else:
        transform = torch.fft.ifft if inverse else torch.fft.rfft if onesided else torch.fft.fft
        result = torch.view_as_real(transform(signal, n=count, dim=axis).resolve_conj())
    return result


@operator(
    OPERATORS,
    "QuantizeLinear",
    attributes=("axis", "saturate", "output_dtype", "block_size"),
    exact=True,
    mixed=True,
    result=own_type,
)
def _quantize_linear(
    node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None = None
) -> Tensor:
    element = torch.uint8 if zero_point is None else zero_point.dtype
    if node.attributes.get("output_dtype", 0):
        element = element_type(node.attributes["output_dtype"], node)
    wide = x.to(torch.float32)
    return quantise(wide, *_per_axis(node, x, scale, zero_point), element)


@operator(
    OPERATORS,
    "DequantizeLinear",
    attributes=("axis", "output_dtype", "block_size"),
    exact=True,
    result=own_type,
)
def _dequantize_linear(
    node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None = None
) -> Tensor:
    element = scale.dtype
    if node.attributes.get("output_dtype", 0):
        element = element_type(node.attributes["output_dtype"], node)
    return dequantise(x, *_per_axis(node, x, scale, zero_point)).to(element)


def _per_axis(
    node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return scale, in float32, and zero point as they broadcast against `x`."""
    if node.attributes.get("block_size", 0):
        raise ValueError("block_size is not supported")
    shape = [1] * x.dim()
    if scale.numel() > 1:
        shape[node.attributes.get("axis", 1)] = -1
    wide = scale.to(torch.float32).reshape(shape)
    return wide, None if zero_point is None else zero_point.reshape(shape)
