"""Reads a generator's architecture off the names and shapes of its tensors, for any key prefix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lama_edge.errors import CheckpointError
from lama_edge.models.config import (
    CONFIGS,
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)

Shapes = Mapping[str, tuple[int, ...]]
STEMS = tuple(dict.fromkeys(config.stem_tensor for config in CONFIGS.values()))


def find_generators(names: Iterable[str], stem: str | None = None) -> list[str]:
    """Return what stands before ``model.`` in the names of each generator's tensors.

    Args:
        names: every tensor's name.
        stem: the name, without prefix, of the first convolution's weight; None is any family's.

    Raises:
        CheckpointError: when no generator is there.
    """
    words = "|".join(map(re.escape, [stem] if stem else STEMS))
    ends = re.compile(rf"((?:.*\.)?)(?:{words})", re.DOTALL)
    found = list(dict.fromkeys(match.group(1) for match in map(ends.fullmatch, names) if match))
    if found:
        return found
    if stem:
        raise CheckpointError(
            f"holds no such generator (no tensor is named …{stem}): does its config belong to it?"
        )
    raise CheckpointError(
        f"holds no LaMa generator that is known here ({', '.join(CONFIGS)}) under any prefix"
    )


def infer_architecture(shapes: Shapes, prefix: str | None = None) -> tuple[GeneratorConfig, str]:
    """Tell the configuration of a generator among a checkpoint's tensors.

    Args:
        shapes: every tensor's shape by name.
        prefix: what stands before ``model.`` in its tensors' names; None is the first there is.

    Returns:
        The configuration, and the prefix of the generator's tensors. Whether every tensor fits
        is checked by `generators.build_generator`.

    Raises:
        CheckpointError: when no known generator is there, or it cannot be told from the shapes.
    """
    if prefix is None:
        prefix = find_generators(shapes)[0]
    own = {
        name.removeprefix(prefix): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }
    try:
        if FfcResnetConfig.stem_tensor in own:
            return _infer_ffc_resnet(own), prefix
        return _infer_pix2pixhd(own), prefix
    except (KeyError, IndexError, ValueError, ArithmeticError) as error:
        raise CheckpointError(
            f"holds a generator whose architecture cannot be told from its tensors "
            f"({type(error).__name__}: {error}): put its config.yaml beside it"
        ) from error


def _infer_ffc_resnet(shapes: Shapes) -> GeneratorConfig:
    stem = shapes[FfcResnetConfig.stem_tensor]
    n_downsampling = _count(shapes, r"model\.(\d+)\.ffc\.convl2l\.weight") - 1
    n_blocks = _count(shapes, r"model\.(\d+)\.conv1\.ffc\.convl2l\.weight")
    block = f"model.{2 + n_downsampling}.conv1.ffc"
    n_local = shapes[f"{block}.convl2l.weight"][0]
    n_global = shapes[f"{block}.convl2g.weight"][0]
    total = n_local + n_global
    ratio = n_global / total
    if int(total * ratio) < n_global:  # the division rounded down
        ratio = (n_global + 0.5) / total
    return FfcResnetConfig(
        input_nc=stem[1],
        ngf=stem[0],
        n_downsampling=n_downsampling,
        n_blocks=n_blocks,
        ratio_global=ratio,
        max_features=_max_features(stem[0], n_downsampling, total),
    )


def _infer_pix2pixhd(shapes: Shapes) -> GeneratorConfig:
    stem = shapes[Pix2PixHdGlobalConfig.stem_tensor]
    n_blocks = _count(shapes, r"model\.(\d+)\.conv_block\.\d+\..*weight")
    first_block = min(_indices(shapes, r"model\.(\d+)\.conv_block\.\d+\..*weight"))
    n_downsampling = (first_block - 4) // 3
    bottleneck = shapes[f"model.{first_block - 3}.weight"][0]
    dilation_num = _count(shapes, rf"model\.{first_block}\.conv_block\.0\.convs\.(\d+)\.weight")
    common = {
        "input_nc": stem[1],
        "ngf": stem[0],
        "n_downsampling": n_downsampling,
        "n_blocks": n_blocks,
        "max_features": _max_features(stem[0], n_downsampling, bottleneck),
    }
    if dilation_num:
        return Pix2PixHdMultidilatedConfig(**common, dilation_num=dilation_num)
    return Pix2PixHdGlobalConfig(**common)


def _max_features(ngf: int, n_downsampling: int, bottleneck: int) -> int:
    """Return the bound that explains the bottleneck's width; the default where none shows."""
    unbounded = ngf << min(n_downsampling, 16)
    return bottleneck if bottleneck < unbounded else max(GeneratorConfig.max_features, bottleneck)


def _indices(shapes: Shapes, pattern: str) -> set[int]:
    matches = (re.fullmatch(pattern, name) for name in shapes)
    return {int(match.group(1)) for match in matches if match}


def _count(shapes: Shapes, pattern: str) -> int:
    return len(_indices(shapes, pattern))
