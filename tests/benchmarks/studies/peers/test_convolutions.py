"""The count of the generator's arithmetic, and the limit derived from it."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lama_edge.benchmarks.studies.peers.convolution_limit import (
    conv_model,
    measure_limit,
    shortest_run_s,
)
from lama_edge.benchmarks.studies.peers.convolutions import Convolution, convolutions
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
from lama_edge.spec import Size

# Issue, README and the literature speak of 440 GFLOP for big-lama at 512x512.
BIG_LAMA_GFLOP = 439.8


def total_flop(config: FfcResnetConfig, size: Size) -> int:
    return sum(convolution.flop for convolution in convolutions(config, size))


def test_a_small_generator_is_counted_as_by_hand() -> None:
    """One downsampling, one block, 4 channels, then 2 local and 6 global ones, on 8x16 pixels."""
    config = FfcResnetConfig(ngf=4, n_downsampling=1, n_blocks=1)
    assert config.bottleneck_channels == (2, 6)
    full, half, spectrum = 8 * 16, 4 * 8, 4 * 5
    by_hand = 2 * (
        full * 49 * 4 * 4  # stem
        + half * 9 * 4 * (2 + 6)  # downsampling
        + 2 * half * 9 * (2 * 2 + 2 * 6 + 6 * 2)  # two convolutions: local-local, -global, back
        + 2 * (half * 6 * 3 + spectrum * 6 * 6 + half * 3 * 6)  # their spectral transforms
        + half * 9 * 8 * 4  # transposed
        + full * 49 * 4 * 3  # last
    )
    assert total_flop(config, Size(8, 16)) == by_hand


@pytest.mark.parametrize("size", [Size(64, 64), Size(40, 72)])
def test_the_count_is_that_of_torchs_own_counter(size: Size) -> None:
    config = FfcResnetConfig(ngf=8, n_blocks=2)
    with torch.device("meta"):
        generator = FfcResnetGenerator(config).eval()
        example = torch.empty(1, 4, size.height, size.width)
    with FlopCounterMode(display=False) as counter:
        generator(example)
    assert total_flop(config, size) == counter.get_total_flops()


def test_big_lamas_arithmetic_is_the_figure_that_is_quoted() -> None:
    flop = total_flop(BIG_LAMA, Size(512, 512))
    assert flop / 1e9 == pytest.approx(BIG_LAMA_GFLOP, abs=0.05)


def test_a_model_of_one_convolution_has_its_shape_and_nothing_else() -> None:
    import onnx

    convolution = Convolution(3, 5, 3, 2, Size(4, 6))
    model = onnx.load_model_from_string(conv_model(convolution))
    onnx.checker.check_model(model, full_check=True)
    (node,) = model.graph.node
    assert node.op_type == "Conv"
    shapes = [
        [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (model.graph.input[0], model.graph.output[0])
    ]
    assert shapes == [[1, 3, 9, 13], [1, 5, 4, 6]]
    assert shortest_run_s(convolution, 1, Policy(1, 0, 1, 0)) > 0


def test_the_limit_is_all_arithmetic_at_the_best_rate() -> None:
    config, size = FfcResnetConfig(ngf=4, n_blocks=1), Size(32, 32)
    policy = {"min_warmup_runs": 1, "min_warmup_ms": 0, "min_runs": 2, "min_seconds": 0}
    found = measure_limit(
        {"config": config.to_dict(), "size": [32, 32], "threads": 1, "policy": policy}
    )
    limit = found["limit"]
    assert limit["gflop"] == total_flop(config, size) / 1e9
    assert limit["gflop_per_s"] == max(limit["rates"].values()) == limit["rates"][limit["fastest"]]
    assert found["samples_ms"] == [pytest.approx(limit["gflop"] / limit["gflop_per_s"] * 1e3)]
    timed = {str(one) for one in convolutions(config, size) if not one.transposed}
    assert set(limit["rates"]) == timed
