"""The input and output contract of every exported model: tensors, forms and sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from lama_edge.errors import UsageError, parameter
from lama_edge.plain import integer

IoForm = Literal["float", "uint8", "image"]
Dtype = Literal["float32", "uint8"]
Layout = Literal["NCHW", "NHWC"]
Precision = Literal["fp32", "fp16", "w8", "int8"]
IO_FORMS: tuple[IoForm, ...] = get_args(IoForm)
# Of ONNX files and engines, which know no images, and of Core ML packages, which know no bytes.
TENSOR_IO_FORMS: tuple[IoForm, ...] = ("float", "uint8")
COREML_IO_FORMS: tuple[IoForm, ...] = ("float", "image")
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# Those that are made from measured ranges.
NEED_RANGES: frozenset[Precision] = frozenset({"fp16", "int8"})
MAX_SIDE = 16384
CHECKPOINT_SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")
# Of the generators that a configuration can describe: 5 downsamplings, a dilation of 32. More
# would pad a small picture until the memory is full.
_MAX_MIN_SIZE = 1056

# A batch of any number of pictures, and the largest fixed one: more would be a slip.
FREE = "dynamic"
MAX_BATCH = 256

# Called with each step of long work as it begins, in words.
Progress = Callable[[str], None]


def untold(step: str) -> None:
    """Take a step that nobody wants to hear."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: the tensor's name in the model.
        dtype: ``float32`` or ``uint8``.
        layout: order of the axes.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain data."""
        about = asdict(self)
        values = about.pop("value_range")
        return {**about, "range": list(values)}


@dataclass(frozen=True)
class IoSpec:
    """What goes in and comes out of a model.

    Attributes:
        form: ``float`` (0 to 1; NCHW, in formats that have the channels last NHWC), ``uint8``
            (NHWC, 0 to 255) or ``image`` (Core ML's pictures; runners take and give them as uint8,
            NHWC).
        composite: whether known pixels come back unchanged; otherwise the output is the raw fill.
        image: RGB.
        mask: any value above 0 is hole; the model itself binarises it.
        output: RGB, named ``inpainted`` when composited, else ``predicted``.
        batch: the number of pictures that every run takes; None where it is free.
    """

    form: IoForm
    composite: bool
    image: TensorSpec
    mask: TensorSpec
    output: TensorSpec
    batch: int | None = None

    @property
    def pictures(self) -> int:
        """How many copies of one picture a run is given: one, unless the batch is fixed."""
        return self.batch or 1


def io_spec(
    form: IoForm,
    *,
    composite: bool = True,
    batch: int | None = None,
    channels_last: bool = False,
) -> IoSpec:
    """Return the contract of a form.

    Args:
        form: which one.
        composite: see `IoSpec`.
        batch: see `IoSpec`.
        channels_last: whether the float form has the channels last; the others always do.

    Raises:
        UsageError: when `form` is unknown.
    """
    output = "inpainted" if composite else "predicted"
    dtype: Dtype
    layout: Layout
    if form == "float":
        dtype, layout, top = "float32", "NHWC" if channels_last else "NCHW", 1.0
    elif form in ("uint8", "image"):
        dtype, layout, top = "uint8", "NHWC", 255.0
    else:
        raise UsageError(f"unknown io form {form!r}; choose one of: {', '.join(IO_FORMS)}")

    def tensor(name: str, channels: int) -> TensorSpec:
        return TensorSpec(name, dtype, layout, channels, (0.0, top))

    tensors = tensor("image", 3), tensor("mask", 1), tensor(output, 3)
    return IoSpec(form, composite, *tensors, batch)


@dataclass(frozen=True)
class Size:
    """A picture size in pixels."""

    height: int
    width: int

    @classmethod
    def from_sides(cls, name: str, sides: Iterable[Any]) -> Size:
        """Read ``[height, width]`` out of plain data.

        Raises:
            TypeError: when there are not two.
            ValueError: when one is out of range.
        """
        return cls(*(integer(name, side, 1, MAX_SIDE) for side in sides))

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


@dataclass(frozen=True)
class SizeProblem:
    """Why a model does not take a size.

    Attributes:
        code: ``size_other`` than the fixed one, ``size_too_large``, ``size_not_multiple`` or
            ``size_too_small``; native wrappers have the same.
        text: in words, for a message.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class SizePolicy:
    """Which sizes a model accepts.

    Attributes:
        fixed: the one size of a fixed-size model; None for a dynamic one.
        multiple: height and width must be multiples of this.
        min_size: smallest height and width, in pixels.
        max_side: largest height and width of a dynamic model, in pixels, a multiple too; None is
            any.
    """

    fixed: Size | None
    multiple: int
    min_size: int
    max_side: int | None = None

    def problem_with(self, height: int, width: int) -> SizeProblem | None:
        """Say why a size is not accepted, or None when it is."""
        if self.fixed is not None:
            if (height, width) == (self.fixed.height, self.fixed.width):
                return None
            return SizeProblem("size_other", f"the model takes {self.fixed} (height x width) only")
        sides = "height and width must be"
        if self.max_side is not None and max(height, width) > self.max_side:
            return SizeProblem("size_too_large", f"{sides} at most {self.max_side}")
        if height % self.multiple or width % self.multiple:
            nearest = Size(self.side_for(height), self.side_for(width))
            return SizeProblem(
                "size_not_multiple", f"{sides} multiples of {self.multiple}; next is {nearest}"
            )
        if min(height, width) < self.min_size:
            return SizeProblem("size_too_small", f"{sides} at least {self.min_size}")
        return None

    def side_for(self, side: int) -> int:
        """Return a dynamic model's smallest side of at least `side`; its largest beyond that."""
        accepted = -(-max(side, self.min_size) // self.multiple) * self.multiple
        return accepted if self.max_side is None else min(accepted, self.max_side)

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain data; `max_side` only where there is one."""
        fixed = None if self.fixed is None else [self.fixed.height, self.fixed.width]
        most = {} if self.max_side is None else {"max_side": self.max_side}
        return {"fixed": fixed, "multiple": self.multiple, "min_size": self.min_size, **most}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SizePolicy:
        """Read what `to_dict` gave.

        Raises:
            KeyError: when something is missing.
            TypeError: when something is of another type.
            ValueError: when a value is out of range.
        """
        fixed = None if data["fixed"] is None else Size.from_sides("fixed", data["fixed"])
        multiple, min_size = (
            integer(name, data[name], 1, _MAX_MIN_SIZE) for name in ("multiple", "min_size")
        )
        most = data.get("max_side")
        if most is not None and (
            type(most) is not int or most % multiple or not min_size <= most <= MAX_SIDE
        ):
            raise ValueError(
                f"max_side must be a multiple of {multiple} from {min_size} to {MAX_SIDE}"
            )
        return cls(fixed, multiple, min_size, most)


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
            f"{parameter('size', text)} is not a size; give 512, 512x768 (height x width) or "
            "dynamic"
        )
    height = int(match.group(1))
    size = Size(height, int(match.group(2) or height))
    if not (0 < size.height <= MAX_SIDE and 0 < size.width <= MAX_SIDE):
        raise UsageError(
            f"{parameter('size', text)} is out of range: sides go from 1 to {MAX_SIDE}"
        )
    return size


def parse_batch(text: str) -> int | None:
    """Read a ``--batch`` token: a number of pictures, or ``dynamic`` (None).

    Raises:
        UsageError: when the token is neither, or out of range.
    """
    if text == FREE:
        return None
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_BATCH:
        raise UsageError(
            f"{parameter('batch', text)} is no batch: give 1 to {MAX_BATCH}, or {FREE}"
        )
    return int(text)


def fixed_size(text: str) -> Size:
    """Read a ``--size`` token of something that is measured: ``512`` or ``512x768``.

    Raises:
        UsageError: as `parse_size` does, and for ``dynamic``.
    """
    size = parse_size(text)
    if size is None:
        raise UsageError(
            f"a measurement needs a size: give {parameter('size', '512', '512x768')}, not dynamic"
        )
    return size
