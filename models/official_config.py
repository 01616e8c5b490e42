"""Reads the `generator` section of an official LaMa `config.yaml`.

Options that the published checkpoints use become a configuration; any other is refused by name,
because a generator built without it would load and compute something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from lama_edge.errors import CheckpointError, shown
from lama_edge.models.config import (
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdMultidilatedConfig,
    config_class,
)

_INTERPOLATION = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_MAX_DEPTH = 16
_OWN = ("kind", "input_nc", "ngf", "n_downsampling", "n_blocks", "resnet_conv_kwargs")
_COMMON = ("input_nc", "output_nc", "ngf", "n_downsampling", "n_blocks", "max_features")

# Options of the official classes that every published checkpoint leaves at these values.
_FIXED: dict[str, tuple[Any, ...]] = {"add_out_act": ("sigmoid",), "padding_type": ("reflect",)}
_FFC_RESNET_FIXED = _FIXED | {
    "spatial_transform_layers": (None,),
    "spatial_transform_kwargs": ({},),
    "out_ffc": (False,),
    "out_ffc_kwargs": ({},),
}
_PIX2PIXHD_FIXED = _FIXED | {
    "conv_kind": ("default",),
    "deconv_kind": ("convtranspose",),
    "affine": (None, True),
    "dilated_blocks_n": (0,),
    "dilated_blocks_n_start": (0,),
    "dilated_blocks_n_middle": (0,),
    "is_resblock_depthwise": (False,),
    "ffc_positions": (None,),
    "ffc_kwargs": ({},),
    "dilation": (1,),
    "second_dilation": (None,),
    "multidilation_kwargs": ({},),
}
_MULTIDILATION_FIXED: dict[str, tuple[Any, ...]] = {
    "comb_mode": ("cat_in",),
    "equal_dim": (True,),
    "shared_weights": (False,),
    "padding": (1,),
    "min_dilation": (1,),
    "shuffle_in_channels": (False,),
    "use_depthwise": (False,),
}
# Left out, the official classes take another value than the one supported here.
_MUST_BE_PRESENT = {"add_out_act", "comb_mode"}
# The official multidilated class builds 3 blocks unless told otherwise, and 3 dilations.
_MULTIDILATED_DEFAULTS = {"n_blocks": 3}
_DEFAULT_DILATION_NUM = 3


def is_official(document: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a parsed YAML document is a LaMa config, be it a broken one.

    It is when it has a `generator` that is no mapping, an empty one, or one with an option that
    every LaMa generator has; other tools' generators have none of those.
    """
    if not isinstance(document, Mapping) or "generator" not in document:
        return False
    section = document["generator"]
    return not isinstance(section, Mapping) or not section or any(n in section for n in _OWN)


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
    config = config_class(options.pop("kind", None))
    fields = {name: options.pop(name) for name in _COMMON if name in options}
    if config is FfcResnetConfig:
        for name in ("init_conv_kwargs", "downsample_conv_kwargs"):
            _require_plain_convolution(name, options.pop(name, {}))
        fields["ratio_global"] = _global_ratio(options.pop("resnet_conv_kwargs", {}))
        _require_supported("generator", options, _FFC_RESNET_FIXED)
    else:
        if config is Pix2PixHdMultidilatedConfig:
            fields = _MULTIDILATED_DEFAULTS | fields
            fields["dilation_num"] = _dilation_num(options.pop("multidilation_kwargs", {}))
        _require_supported("generator", options, _PIX2PIXHD_FIXED)
    return config(**fields)


def _dilation_num(value: object) -> Any:
    kwargs = _require_mapping("multidilation_kwargs", value)
    dilation_num = kwargs.pop("dilation_num", _DEFAULT_DILATION_NUM)
    _require_supported("generator.multidilation_kwargs", kwargs, _MULTIDILATION_FIXED)
    return dilation_num


def _require_supported(
    section: str, options: Mapping[str, Any], fixed: Mapping[str, tuple[Any, ...]]
) -> None:
    for name, value in options.items():
        if name not in fixed:
            raise CheckpointError(
                f"the option {shown(name)} in {section} is not supported "
                f"(its value is {shown(value)}); remove it if the checkpoint does not need it"
            )
        if not any(value is allowed or value == allowed for allowed in fixed[name]):
            raise CheckpointError(
                f"{section}.{name} is {shown(value)}; supported: "
                + ", ".join(repr(allowed) for allowed in fixed[name])
            )
    for name in (_MUST_BE_PRESENT & set(fixed)) - set(options):
        raise CheckpointError(f"{section}.{name} is missing; supported: {fixed[name][0]!r}")


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
