"""Weights in fewer bits than the arithmetic: int8 with a scale a channel, or palettes.

Core ML keeps such weights small on disk and turns them back when it loads the model (`constexpr`
ops). Only the layers' weights are made small: biases, and the DFT's matrices, whose entries would
all be off together, stay as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.exporters.formats.coreml.palettes import palette_of
from lama_edge.exporters.formats.coreml.toolkit import Builder, Var, compression, ct
from lama_edge.exporters.formats.coreml.translation import StoreWeight
from lama_edge.exporters.precision.rounding import LARGEST, round_weights

_PALETTES_OF = {"pal6": 2**6, "pal4": 2**4}
_PALETTES = "compression::palettize_weights"
# Smaller weights gain nothing: a palette of 64 entries beside a few hundred indices.
_LEAST_ELEMENTS = 2048
# An fp16 below this has fewer than eleven significant bits.
_LEAST_NORMAL = np.float32(2.0**-14)


def weight_store(precision: str) -> StoreWeight | None:
    """Return what makes the variables of a precision's weights; None stores them as they are."""
    return _int8_weight if precision == "w8" else None


def passes(precision: str) -> ct.PassPipeline:
    """Return the passes that coremltools runs over the translated program.

    Nothing but the removal of ops that are not read, and the palettes' clustering: its default
    passes would fuse layers and insert casts of their own.
    """
    pipeline = ct.PassPipeline.EMPTY
    pipeline.append_pass("common::dead_code_elimination")
    if precision in _PALETTES_OF:
        entries = _PALETTES_OF[precision]
        palette = compression.OpPalettizerConfig(
            mode="custom",
            lut_function=lambda weight: palette_of(weight, entries),
            weight_threshold=_LEAST_ELEMENTS,
        )
        config = compression.OptimizationConfig(op_type_configs={"conv": palette})
        pipeline.append_pass(_PALETTES)
        pipeline.set_options(_PALETTES, {"config": config})
    return pipeline


def _int8_weight(name: str, weight: NDArray[Any]) -> Var:
    """Store a layer's weight [C_out,…] as int8 and a scale for each output channel."""
    rounded = round_weights(weight.astype(np.float32))
    values, scale = rounded.values, rounded.scale.astype(weight.dtype)
    coarse = (rounded.scale < _LEAST_NORMAL) & (scale != rounded.scale)
    if coarse.any():
        # The scale lost digits: the integers are counted again in the next one above.
        above = np.nextafter(scale, np.array(np.inf, dtype=scale.dtype))
        scale = np.where(scale < rounded.scale, above, scale)
        steps = weight[coarse] / scale[coarse].astype(np.float32).reshape(-1, 1, 1, 1)
        values[coarse] = np.clip(np.rint(steps), -LARGEST, LARGEST)
    return Builder.constexpr_affine_dequantize(
        quantized_data=values,
        zero_point=np.int8(0),
        scale=scale,
        axis=np.int32(0),
        name=name,
    )
