"""What torch makes of pictures, for each family of generators, lama-tiny and a hot checkpoint."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from hot_weights import heated
from numpy.typing import NDArray
from places import DATA
from safetensors.numpy import save_file

from lama_edge.imaging import pad, padded_size
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import raw_outputs
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, SizePolicy

# Pictures, and float32 [H,W,3] on the 0-to-255 scale for each.
Answer = tuple[list[ParityCase], list[NDArray[np.float32]]]

# Square, oblong, and with an odd bottleneck (72 / 8 and 88 / 8 are odd); multidilated generators
# cannot take less than 72 pixels.
SIZES = {
    "fourier": (Size(64, 64), Size(72, 104), Size(64, 88)),
    "regular": (Size(64, 64), Size(64, 88)),
    "dilated": (Size(96, 96), Size(80, 80), Size(72, 104)),
    "lama-tiny": (Size(64, 64), Size(72, 104)),
}
CASES = [(family, size) for family, sizes in SIZES.items() for size in sizes]
# What `CASES` has of these two is oblong and with an odd bottleneck at once.
OBLONG = [("regular", Size(64, 96)), ("lama-tiny", Size(64, 96))]
RECORDED = {"fourier": 3, "regular": 2, "dilated": 2}
RECORDS = [(family, index) for family, count in RECORDED.items() for index in range(count)]
HOT_SIZE = Size(72, 104)


@cache
def checkpoint_of(family: str) -> Checkpoint:
    """Return a golden checkpoint, lama-tiny, or a hot one: values beyond a million in fp32."""
    if family == "hot":
        return heated(checkpoint_of("fourier"), local=3e4, global_=1e5, spectral=3e5)
    return load_checkpoint(None if family == "lama-tiny" else DATA / family)


def source_of(family: str, folder: Path) -> Path | None:
    """Return a family's checkpoint as a job names it; the hot one is written into a folder."""
    if family != "hot":
        return None if family == "lama-tiny" else DATA / family
    path, checkpoint = folder / "hot.safetensors", checkpoint_of(family)
    metadata = {"config": json.dumps(checkpoint.config.to_dict())}
    save_file(dict(checkpoint.tensors), path, metadata)
    return path


@cache
def answer_of(family: str, size: Size | None) -> Answer:
    """Return the pictures that a size is judged on, and torch's raw output on each."""
    checkpoint = checkpoint_of(family)
    config = checkpoint.config
    cases = seeded_cases(SizePolicy(size, config.size_multiple, config.min_size))
    for hole in (case.hole for case in cases):
        # A fault in the last padding shows nowhere but at the borders.
        assert all(border.any() for border in (hole[0], hole[-1], hole[:, 0], hole[:, -1]))
    with TorchRunner(checkpoint, composite=False) as reference:
        return cases, raw_outputs(reference, cases)


def record_of(family: str, index: int) -> tuple[ParityCase, NDArray[np.float32], tuple[slice, ...]]:
    """Return a picture with the official implementation's raw output.

    Odd sizes are padded as the official pipeline does, by mirroring right and below.

    Returns:
        The padded picture, float32 [H,W,3] on the 0-to-255 scale, and where that is in the picture.
    """
    with np.load(DATA / family / "cases.npz") as cases:
        image, hole = cases[f"image_{index}"], cases[f"mask_{index}"] > 0
        predicted = 255 * cases[f"predicted_{index}"].transpose(1, 2, 0)
    size = padded_size(*hole.shape, 8, 8)
    there = tuple(slice(side) for side in hole.shape)
    return ParityCase(pad(image, *size), pad(hole, *size)), predicted, there
