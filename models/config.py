"""Generator configurations: the architectures that can be built, checked and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from lama_edge.errors import CheckpointError, shown

MAX_BLOCKS = 64
MAX_CHANNELS = 4096
_MAX_DILATIONS = 6


@dataclass(frozen=True)
class GeneratorConfig:
    """What every family has: an encoder, residual blocks at the bottleneck, a decoder.

    Attributes:
        input_nc: input channels, RGB and mask.
        output_nc: output channels, RGB.
        ngf: channels after the stem; each downsampling doubles them up to `max_features`.
        n_downsampling: number of stride-2 stages on each side.
        n_blocks: residual blocks at the bottleneck.
        max_features: upper bound of the channels.
    """

    input_nc: int = 4
    output_nc: int = 3
    ngf: int = 64
    n_downsampling: int = 3
    n_blocks: int = 9
    max_features: int = 1024

    kind: ClassVar[str]
    stem_tensor: ClassVar[str]
    has_fourier_units: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse values that no such generator can have.

        Raises:
            CheckpointError: naming the option, its value and what is supported.
        """
        require_int("input_nc", self.input_nc, 4, 4)
        require_int("output_nc", self.output_nc, 3, 3)
        require_int("ngf", self.ngf, 4, MAX_CHANNELS)
        require_int("n_downsampling", self.n_downsampling, 1, 5)
        require_int("n_blocks", self.n_blocks, 1, MAX_BLOCKS)
        require_int("max_features", self.max_features, self.ngf, MAX_CHANNELS)

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels at full resolution, at half, and so on down to the bottleneck."""
        return tuple(
            min(self.max_features, self.ngf * 2**level) for level in range(self.n_downsampling + 1)
        )

    @property
    def reduction(self) -> int:
        """How many times smaller the bottleneck's sides are than the picture's."""
        return 1 << self.n_downsampling

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this (8 for every published checkpoint)."""
        return max(8, self.reduction)

    @property
    def bottleneck_padding(self) -> int:
        """Largest reflect padding at the bottleneck."""
        return 1

    @property
    def min_size(self) -> int:
        """Smallest height and width: reflect padding needs a side longer than the pad."""
        least = (self.bottleneck_padding + 1) * self.reduction
        return -(-least // self.size_multiple) * self.size_multiple

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data, `kind` included; `from_dict` reads it."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class FfcResnetConfig(GeneratorConfig):
    """The `ffc_resnet` architecture: residual blocks of Fast Fourier Convolutions.

    Attributes:
        ratio_global: share of the bottleneck's channels on the global (Fourier) path.
    """

    ratio_global: float = 0.75

    kind = "ffc_resnet"
    stem_tensor = "model.1.ffc.convl2l.weight"
    has_fourier_units = True

    def __post_init__(self) -> None:
        """See `GeneratorConfig.__post_init__`."""
        super().__post_init__()
        ratio: object = self.ratio_global
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1:
            raise CheckpointError(
                f"resnet_conv_kwargs.ratio_gin is {shown(ratio)}: "
                "an ffc_resnet needs a number between 0 and 1"
            )
        n_local, n_global = self.bottleneck_channels
        if n_local < 1 or n_global < 2:
            raise CheckpointError(
                f"resnet_conv_kwargs.ratio_gin is {ratio}: of {n_local + n_global} channels it "
                f"leaves {n_local} local and {n_global} global ones; at least 1 and 2 are needed"
            )

    @property
    def bottleneck_channels(self) -> tuple[int, int]:
        """Channels of the (local, global) parts of the residual blocks."""
        total = self.level_widths[-1]
        n_global = int(total * self.ratio_global)
        return total - n_global, n_global


@dataclass(frozen=True)
class Pix2PixHdGlobalConfig(GeneratorConfig):
    """The `pix2pixhd_global` architecture (lama-regular): plain residual blocks."""

    kind = "pix2pixhd_global"
    stem_tensor = "model.1.weight"


@dataclass(frozen=True)
class Pix2PixHdMultidilatedConfig(GeneratorConfig):
    """The `pix2pixhd_multidilated` architecture (LaMa-Dilated), comb_mode `cat_in`.

    Attributes:
        dilation_num: parallel convolutions of dilation 1, 2, 4, …, each on its share of the
            input channels.
    """

    dilation_num: int = 4

    kind = "pix2pixhd_multidilated"
    stem_tensor = "model.1.weight"

    def __post_init__(self) -> None:
        """See `GeneratorConfig.__post_init__`."""
        super().__post_init__()
        require_int("multidilation_kwargs.dilation_num", self.dilation_num, 1, _MAX_DILATIONS)
        if self.level_widths[-1] % self.dilation_num:
            raise CheckpointError(
                f"generator.multidilation_kwargs.dilation_num is {self.dilation_num}: "
                f"{self.level_widths[-1]} channels cannot be shared out evenly"
            )

    @property
    def dilations(self) -> tuple[int, ...]:
        """The convolutions' dilations."""
        return tuple(1 << index for index in range(self.dilation_num))

    @property
    def bottleneck_padding(self) -> int:
        """See `GeneratorConfig.bottleneck_padding`."""
        return self.dilations[-1]


CONFIGS: dict[str, type[GeneratorConfig]] = {
    config.kind: config
    for config in (FfcResnetConfig, Pix2PixHdGlobalConfig, Pix2PixHdMultidilatedConfig)
}


def config_class(kind: object) -> type[GeneratorConfig]:
    """Return the configuration class of a `kind`.

    Raises:
        CheckpointError: when there is none.
    """
    if not isinstance(kind, str) or kind not in CONFIGS:
        raise CheckpointError(
            f"generator.kind is {shown(kind)}; supported kinds: {', '.join(CONFIGS)}"
        )
    return CONFIGS[kind]


def config_from_dict(data: Mapping[str, Any]) -> GeneratorConfig:
    """Rebuild a configuration written by `to_dict`.

    Raises:
        CheckpointError: when the kind or a field is unknown, or a value is out of range.
    """
    options = dict(data)
    config = config_class(options.pop("kind", None))
    known = [field.name for field in fields(config)]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise CheckpointError(
            f"unknown field {shown(unknown[0])} in the generator's configuration; known: "
            + ", ".join(known)
        )
    return config(**options)


def require_int(name: str, value: object, low: int, high: int) -> None:
    """Refuse an option that is no whole number from `low` to `high`.

    Raises:
        CheckpointError: naming the option, its value and what is supported.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        expected = str(low) if low == high else f"a whole number from {low} to {high}"
        raise CheckpointError(f"generator.{name} is {shown(value)}; supported: {expected}")


# The published big-lama's.
BIG_LAMA = FfcResnetConfig(n_blocks=18)
