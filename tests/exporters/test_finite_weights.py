"""What folding makes is finite or refused, in every graph that formats start from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lama_edge.errors import CheckpointError, NotFiniteError
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.layers import Kernels
from lama_edge.exporters.precision.build import build_at
from lama_edge.judging.cases import seeded_cases
from lama_edge.judging.judge import raw_outputs
from lama_edge.judging.ranges import Ranges, ValueRange
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.config import (
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, SizePolicy, io_spec

MakeCheckpoint = Callable[..., Checkpoint]
FAMILIES = (
    FfcResnetConfig(ngf=8, n_blocks=1),
    Pix2PixHdGlobalConfig(ngf=8, n_blocks=1),
    Pix2PixHdMultidilatedConfig(ngf=8, n_blocks=1, dilation_num=2),
)
GRAPHS: list[tuple[GeneratorConfig, Kernels, Size | None]] = [
    *((family, "direct", None) for family in FAMILIES),
    *((family, "integer", Size(72, 72)) for family in FAMILIES),
    (FAMILIES[0], "bands", None),
    (FAMILIES[0], "bands", Size(72, 72)),
]
SEEDS = range(3)


@pytest.fixture(params=GRAPHS, ids=lambda graph: f"{graph[0].kind}-{graph[1]}-{graph[2]}")
def graph(request: pytest.FixtureRequest) -> tuple[GeneratorConfig, Kernels, Size | None]:
    chosen: tuple[GeneratorConfig, Kernels, Size | None] = request.param
    return chosen


def _damaged(
    checkpoint: Checkpoint, ending: str, value: float, seed: int
) -> tuple[str, Checkpoint]:
    """Put a value somewhere into one of the tensors whose names end so."""
    rng = np.random.default_rng(seed)
    names = sorted(name for name in checkpoint.tensors if name.endswith(ending))
    name = names[rng.integers(len(names))]
    tensor = np.array(checkpoint.tensors[name])
    tensor.flat[rng.integers(tensor.size)] = value
    return name, replace(checkpoint, tensors={**checkpoint.tensors, name: tensor})


def _build(checkpoint: Checkpoint, kernels: Kernels, size: Size | None) -> None:
    config = checkpoint.config
    policy = SizePolicy(size, config.size_multiple, config.min_size)
    options = GraphOptions(io_spec("float"), policy, kernels=kernels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_deploy_graph(config, checkpoint.tensors, options)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_negative_variance_is_refused_by_its_name_and_value(
    graph: tuple[GeneratorConfig, Kernels, Size | None], make_checkpoint: MakeCheckpoint, seed: int
) -> None:
    config, kernels, size = graph
    name, damaged = _damaged(make_checkpoint(config), ".running_var", -1.5, seed)
    with pytest.raises(CheckpointError, match=rf"{name} holds the variance -1\.5"):
        _build(damaged, kernels, size)


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_that_folding_makes_infinite_are_refused_and_named(
    graph: tuple[GeneratorConfig, Kernels, Size | None], make_checkpoint: MakeCheckpoint, seed: int
) -> None:
    """The file's own numbers are finite: a batch norm's factor takes them beyond float32."""
    config, kernels, size = graph
    checkpoint = make_checkpoint(config)
    tensors = {
        name: np.full_like(tensor, 1e-9) if name.endswith(".running_var") else tensor
        for name, tensor in checkpoint.tensors.items()
    }
    _, damaged = _damaged(replace(checkpoint, tensors=tensors), ".running_mean", 3e38, seed)
    with pytest.raises(CheckpointError, match=r"bias would hold 1 of .*-inf is the first"):
        _build(damaged, kernels, size)


def test_a_negative_variance_gives_no_picture_in_torch_either(
    golden_checkpoint: Checkpoint,
) -> None:
    _, damaged = _damaged(golden_checkpoint, ".running_var", -1.5, 0)
    with TorchRunner(damaged, composite=False) as runner:
        (case, *_) = seeded_cases(replace(runner.manifest.size, fixed=Size(16, 16)))
        with pytest.raises(NotFiniteError, match="NaN or infinite values at 16x16"):
            raw_outputs(runner, [case])


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_ranges_that_were_not_finite_make_no_reduced_precision(
    golden_folder: str, precision: str
) -> None:
    checkpoint = load_checkpoint(golden_folder)
    options = GraphOptions(io_spec("float"), SizePolicy(Size(16, 16), 8, 16))
    one = np.ones(1, np.float32)
    seen = ValueRange("stem.conv", "Conv", -one, one, (1.0,), {"16x16": 1.0}, not_finite=4)
    with pytest.raises(CheckpointError, match=r"stem\.conv has 4 infinite or NaN values"):
        build_at(
            precision,  # type: ignore[arg-type]
            checkpoint.config,
            checkpoint.tensors,
            options,
            Ranges({"stem.conv": seen}, 1),
        )
