"""The input and output contract of every exported model: tensors, forms and sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lama_edge.errors import UsageError

IoForm = Literal["float", "uint8", "image"]
Dtype = Literal["float32", "uint8"]
Layout = Literal["NCHW", "NHWC"]
Precision = Literal["fp32", "fp16", "w8", "int8"]
IO_FORMS: tuple[IoForm, ...] = get_args(IoForm)
# Of ONNX files and engines, which know no images, and of Core ML packages, which know no bytes.
TENSOR_IO_FORMS: tuple[IoForm, ...] = ("float", "uint8")
COREML_IO_FORMS: tuple[IoForm, ...] = ("float", "image")
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# How the 3×3 convolutions of a float32 graph are computed: ``auto`` is whichever is faster in ONNX
# Runtime on a processor.
Convolutions = Literal["auto", "direct", "winograd"]
CONVOLUTIONS: tuple[Convolutions, ...] = get_args(Convolutions)

MAX_SIDE = 16384


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: the tensor's name in the model.
        dtype: ``float32`` or ``uint8``.
        layout: order of the axes; the batch size is free.
        channels: extent of the C axis.
        value_range: smallest and largest meaningful value.
    """

    name: str
    dtype: Dtype
    layout: Layout
    channels: int
    value_range: tuple[float, float]

    def shape(self, height: int, width: int, batch: int = 1) -> tuple[int, int, int, int]:
        """Return the tensor's shape for a picture of `height` x `width` pixels."""
        if self.layout == "NCHW":
            return batch, self.channels, height, width
        return batch, height, width, self.channels


@dataclass(frozen=True)
class IoSpec:
    """What goes in and comes out of a model.

    Attributes:
        form: ``float`` (NCHW, 0 to 1), ``uint8`` (NHWC, 0 to 255) or ``image`` (Core ML's pictures;
            runners take and give them as uint8, NHWC).
        composite: whether known pixels come back unchanged; otherwise the output is the raw fill.
        image: RGB.
        mask: any value above 0 is hole; the model itself binarises it.
        output: RGB, named ``inpainted`` when composited, else ``predicted``.
    """

    form: IoForm
    composite: bool
    image: TensorSpec
    mask: TensorSpec
    output: TensorSpec


def io_spec(form: IoForm, *, composite: bool = True) -> IoSpec:
    """Return the contract of a form.

    Raises:
        UsageError: when `form` is unknown.
    """
    output = "inpainted" if composite else "predicted"
    dtype: Dtype
    layout: Layout
    if form == "float":
        dtype, layout, top = "float32", "NCHW", 1.0
    elif form in ("uint8", "image"):
        dtype, layout, top = "uint8", "NHWC", 255.0
    else:
        raise UsageError(f"unknown io form {form!r}; choose one of: {', '.join(IO_FORMS)}")

    def tensor(name: str, channels: int) -> TensorSpec:
        return TensorSpec(name, dtype, layout, channels, (0.0, top))

    return IoSpec(form, composite, tensor("image", 3), tensor("mask", 1), tensor(output, 3))


def require_tensor_form(form: IoForm) -> None:
    """Refuse a form that only Core ML packages have.

    Raises:
        UsageError: naming the form to use.
    """
    if form not in TENSOR_IO_FORMS:
        raise UsageError(f"--io {form} is Core ML's own: use --io uint8, the same without images")


@dataclass(frozen=True)
class Size:
    """A picture size in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


@dataclass(frozen=True)
class SizePolicy:
    """Which sizes a model accepts.

    Attributes:
        fixed: the one size of a fixed-size model; None for a dynamic one.
        multiple: height and width must be multiples of this.
        min_size: smallest height and width, in pixels.
    """

    fixed: Size | None
    multiple: int
    min_size: int

    def problem_with(self, height: int, width: int) -> str | None:
        """Say why a size is not accepted, or None when it is."""
        if self.fixed is not None:
            if (height, width) == (self.fixed.height, self.fixed.width):
                return None
            return f"the model takes {self.fixed} (height x width) only"
        if height % self.multiple or width % self.multiple:
            nearest = Size(*(-(-side // self.multiple) * self.multiple for side in (height, width)))
            return f"height and width must be multiples of {self.multiple}; next is {nearest}"
        if min(height, width) < self.min_size:
            return f"height and width must be at least {self.min_size}"
        return None


def parse_size(text: str) -> Size | None:
    """Read a ``--size`` token: ``512``, ``512x768`` (height x width) or ``dynamic`` (None).

    Raises:
        UsageError: when the token is none of these or a side is out of range.
    """
    if text == "dynamic":
        return None
    match = re.fullmatch(r"([0-9]{1,6})(?:[xX]([0-9]{1,6}))?", text)
    if match is None:
        raise UsageError(
            f"--size {text!r} is not a size; give 512, 512x768 (height x width) or dynamic"
        )
    height = int(match.group(1))
    size = Size(height, int(match.group(2) or height))
    if not (0 < size.height <= MAX_SIDE and 0 < size.width <= MAX_SIDE):
        raise UsageError(f"--size {text!r} is out of range: sides go from 1 to {MAX_SIDE}")
    return size


def tensor_spec_to_dict(spec: TensorSpec) -> dict[str, Any]:
    """Return a tensor's spec as plain data."""
    return {
        "name": spec.name,
        "dtype": spec.dtype,
        "layout": spec.layout,
        "channels": spec.channels,
        "range": list(spec.value_range),
    }
