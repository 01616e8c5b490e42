"""The generators in NumPy against the torch modules; test_families holds both to the official."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch

from lama_edge.models import generators, torch_modules
from lama_edge.models.config import (
    BIG_LAMA,
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)
from lama_edge.models.generators.build import count_parameters, tensor_shapes
from lama_edge.models.seeded import seeded_checkpoint
from lama_edge.models.torch_modules.build import new_generator

LARGEST_DIFFERENCE = 1e-5  # seen: 2.2e-6
SMALL = [
    FfcResnetConfig(ngf=8, n_blocks=2),
    FfcResnetConfig(ngf=12, n_blocks=1, ratio_global=0.3),
    FfcResnetConfig(ngf=8, n_blocks=3, n_downsampling=4, max_features=40),
    FfcResnetConfig(ngf=8, n_blocks=1, n_downsampling=1),
    Pix2PixHdGlobalConfig(ngf=8, n_blocks=2),
    Pix2PixHdGlobalConfig(ngf=8, n_blocks=1, n_downsampling=2, max_features=20),
    Pix2PixHdMultidilatedConfig(ngf=8, n_blocks=2, n_downsampling=2),
    Pix2PixHdMultidilatedConfig(ngf=6, n_blocks=2, dilation_num=3, n_downsampling=1),
]
PUBLISHED = [BIG_LAMA, Pix2PixHdGlobalConfig(), Pix2PixHdMultidilatedConfig()]


def _name(config: GeneratorConfig) -> str:
    return f"{config.kind}-{config.n_downsampling}-{config.level_widths[-1]}"


@pytest.mark.parametrize("config", SMALL, ids=_name)
@pytest.mark.parametrize("size", [(136, 88), (48, 64)], ids=str)  # bottlenecks of 17x11 and 6x8
def test_numpy_and_torch_give_the_same(config: GeneratorConfig, size: tuple[int, int]) -> None:
    height, width = (-(-side // config.size_multiple) * config.size_multiple for side in size)
    checkpoint = seeded_checkpoint(config)
    x = np.random.default_rng(0).random((2, 4, height, width), np.float32)
    with torch.inference_mode():
        wanted = torch_modules.build_generator(checkpoint)(torch.from_numpy(x.copy())).numpy()
    before = x.copy()
    found = generators.build_generator(checkpoint)(x)
    assert (found.shape, found.dtype) == ((2, 3, height, width), np.float32)
    assert np.abs(found - wanted).max() <= LARGEST_DIFFERENCE
    assert np.std(wanted) > 0.01  # else anything would be alike
    assert np.array_equal(x, before)


def test_two_runs_give_the_same(golden_checkpoint) -> None:
    """What a run changes in place is its own."""
    generator = generators.build_generator(golden_checkpoint)
    x = np.random.default_rng(0).random((1, 4, 48, 64), np.float32)
    assert np.array_equal(generator(x), generator(x))


@pytest.mark.parametrize("config", [*SMALL, *PUBLISHED], ids=_name)
def test_tensors_are_those_of_the_torch_modules(config: GeneratorConfig) -> None:
    with torch.device("meta"):
        module = new_generator(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert tensor_shapes(config) == wanted
    assert count_parameters(config) == sum(prod(each.shape) for each in module.parameters())
