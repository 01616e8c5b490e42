"""Generator configurations: what an official `config.yaml` says, checked and frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lama_edge.errors import CheckpointError, shown

_INTERPOLATION = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_MAX_DEPTH = 16
MAX_BLOCKS = 64
MAX_CHANNELS = 4096


@dataclass(frozen=True)
class FfcResnetConfig:
    """The `ffc_resnet` architecture.

    Attributes:
        input_nc: input channels, RGB and mask.
        output_nc: output channels, RGB.
        ngf: channels after the stem; each downsampling doubles them up to `max_features`.
        n_downsampling: number of stride-2 stages on each side.
        n_blocks: residual blocks at the bottleneck.
        ratio_global: share of the bottleneck's channels on the global (Fourier) path.
        max_features: upper bound of the channels.
    """

    input_nc: int = 4
    output_nc: int = 3
    ngf: int = 64
    n_downsampling: int = 3
    n_blocks: int = 9
    ratio_global: float = 0.75
    max_features: int = 1024

    kind = "ffc_resnet"

    def __post_init__(self) -> None:
        """Refuse values that no such generator can have."""
        _require_int("input_nc", self.input_nc, 4, 4)
        _require_int("output_nc", self.output_nc, 3, 3)
        _require_int("ngf", self.ngf, 4, MAX_CHANNELS)
        _require_int("n_downsampling", self.n_downsampling, 1, 5)
        _require_int("n_blocks", self.n_blocks, 1, MAX_BLOCKS)
        _require_int("max_features", self.max_features, self.ngf, MAX_CHANNELS)
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
    def level_widths(self) -> tuple[int, ...]:
        """Channels at full resolution, at half, and so on down to the bottleneck."""
        return tuple(
            min(self.max_features, self.ngf * 2**level) for level in range(self.n_downsampling + 1)
        )

    @property
    def bottleneck_channels(self) -> tuple[int, int]:
        """Channels of the (local, global) parts of the residual blocks."""
        total = self.level_widths[-1]
        n_global = int(total * self.ratio_global)
        return total - n_global, n_global

    @property
    def reduction(self) -> int:
        """How many times smaller the bottleneck's sides are than the picture's."""
        return 1 << self.n_downsampling

    @property
    def size_multiple(self) -> int:
        """Height and width must be multiples of this (8 for every published checkpoint)."""
        return max(8, self.reduction)

    @property
    def min_size(self) -> int:
        """Smallest height and width: reflect padding by 1 needs a bottleneck of at least 2."""
        return max(2 * self.reduction, self.size_multiple)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data, `kind` included; `from_dict` reads it."""
        return {"kind": self.kind, **asdict(self)}


GeneratorConfig = FfcResnetConfig


def config_from_dict(data: Mapping[str, Any]) -> GeneratorConfig:
    """Rebuild a configuration written by `to_dict`.

    Raises:
        CheckpointError: when the kind or a field is unknown, or a value is out of range.
    """
    fields = dict(data)
    _require_kind(fields.pop("kind", None))
    unknown = sorted(set(fields) - set(FfcResnetConfig.__dataclass_fields__))
    if unknown:
        raise CheckpointError(
            f"unknown field {shown(unknown[0])} in the generator's configuration; known: "
            + ", ".join(FfcResnetConfig.__dataclass_fields__)
        )
    return FfcResnetConfig(**fields)


def config_from_official(document: Mapping[str, Any]) -> GeneratorConfig:
    """Read the `generator` section of an official LaMa `config.yaml`.

    Interpolations such as ``${generator.init_conv_kwargs.ratio_gout}`` are resolved inside the
    section, to single values; the rest of the document is left alone.

    Args:
        document: the parsed YAML document.

    Raises:
        CheckpointError: when the section is missing, or names something not supported here.
    """
    section = document.get("generator")
    if not isinstance(section, Mapping):
        raise CheckpointError("the config has no `generator` section: is it a LaMa config.yaml?")
    options = _resolve(section, document, depth=0)
    _require_kind(options.pop("kind", None))
    fields: dict[str, Any] = {}
    for name in ("input_nc", "output_nc", "ngf", "n_downsampling", "n_blocks", "max_features"):
        if name in options:
            fields[name] = options.pop(name)
    for name in ("init_conv_kwargs", "downsample_conv_kwargs"):
        _require_plain_convolution(name, options.pop(name, {}))
    fields["ratio_global"] = _global_ratio(options.pop("resnet_conv_kwargs", {}))
    _require_supported(options, _FFC_RESNET_FIXED)
    return FfcResnetConfig(**fields)


# Options of the official class that every published checkpoint leaves at these values.
_FFC_RESNET_FIXED: dict[str, tuple[Any, ...]] = {
    "add_out_act": ("sigmoid",),
    "padding_type": ("reflect",),
    "spatial_transform_layers": (None,),
    "spatial_transform_kwargs": ({},),
    "out_ffc": (False,),
    "out_ffc_kwargs": ({},),
}
_MUST_BE_PRESENT = {"add_out_act"}


def _require_supported(options: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]]) -> None:
    for name, value in options.items():
        if name not in fixed:
            raise CheckpointError(
                f"the option {shown(name)} in generator is not supported "
                f"(its value is {shown(value)}); remove it if the checkpoint does not need it"
            )
        if not any(value is allowed or value == allowed for allowed in fixed[name]):
            raise CheckpointError(
                f"generator.{name} is {shown(value)}; supported: "
                + ", ".join(repr(allowed) for allowed in fixed[name])
            )
    for name in _MUST_BE_PRESENT - set(options):
        raise CheckpointError(f"generator.{name} is missing; supported: {fixed[name][0]!r}")


def _require_kind(kind: object) -> None:
    if kind != FfcResnetConfig.kind:
        raise CheckpointError(
            f"generator.kind is {shown(kind)}; supported kinds: {FfcResnetConfig.kind}"
        )


def _require_int(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        expected = str(low) if low == high else f"a whole number from {low} to {high}"
        raise CheckpointError(f"generator.{name} is {shown(value)}; supported: {expected}")


def _require_mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CheckpointError(f"generator.{name} is {shown(value)}; it should be a mapping")
    return dict(value)


def _require_plain_convolution(name: str, value: object) -> None:
    for key, setting in _require_mapping(name, value).items():
        if key not in ("ratio_gin", "ratio_gout", "enable_lfu") or setting not in (0, False):
            raise CheckpointError(
                f"the option {shown(key)} in generator.{name} is {shown(setting)}; supported: "
                "ratio_gin 0, ratio_gout 0, enable_lfu false"
            )


def _global_ratio(value: object) -> float:
    kwargs = _require_mapping("resnet_conv_kwargs", value)
    ratio_in, ratio_out = kwargs.pop("ratio_gin", None), kwargs.pop("ratio_gout", None)
    # The official SpectralTransform turns the local Fourier unit on unless told otherwise.
    if kwargs.pop("enable_lfu", True) is not False:
        raise CheckpointError(
            "generator.resnet_conv_kwargs.enable_lfu is not false: "
            "local Fourier units are not supported"
        )
    for key, setting in kwargs.items():
        raise CheckpointError(
            f"the option {shown(key)} in generator.resnet_conv_kwargs is not supported "
            f"(its value is {shown(setting)})"
        )
    if not isinstance(ratio_in, float) or ratio_in != ratio_out:
        raise CheckpointError(
            f"generator.resnet_conv_kwargs has ratio_gin {shown(ratio_in)} and ratio_gout "
            f"{shown(ratio_out)}; supported: the same number between 0 and 1 for both"
        )
    return ratio_in


def _resolve(value: Any, document: Mapping[str, Any], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise CheckpointError("the config's `generator` section is nested too deeply")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise CheckpointError(
                    f"the config's `generator` section has the key {shown(key)}, which is no text"
                )
        return {key: _resolve(item, document, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, document, depth + 1) for item in value]
    return _follow(value, document)


def _follow(value: Any, document: Mapping[str, Any]) -> Any:
    """Replace a ``${…}`` reference by the single value that it ends at.

    A reference to a whole section is refused: nested ones would grow without bound.
    """
    start = value
    for _ in range(_MAX_DEPTH):
        if isinstance(value, Mapping | list):
            raise CheckpointError(f"{shown(start)} in the config refers to a whole section")
        if not isinstance(value, str) or "${" not in value:
            return value
        match = _INTERPOLATION.fullmatch(value)
        if match is None:
            raise CheckpointError(
                f"cannot resolve {shown(value)} in the config's `generator` section: "
                "put the value itself there"
            )
        value = _look_up(match.group(1), document)
    raise CheckpointError(f"{shown(start)} in the config is a circular or too long reference")


def _look_up(dotted: str, document: Mapping[str, Any]) -> Any:
    node: Any = document
    for key in dotted.split("."):
        if not isinstance(node, Mapping) or key not in node:
            raise CheckpointError(
                f"the config refers to {shown(dotted)}, which it does not contain"
            )
        node = node[key]
    return node
