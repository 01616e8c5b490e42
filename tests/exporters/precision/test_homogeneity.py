"""Groups of channels that share a factor, and scaling that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from lama_edge.errors import UsageError
from lama_edge.exporters.formats.onnx.file import finish
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.dft.forms import DftGains
from lama_edge.exporters.precision.homogeneity import ChannelGroups, channel_groups, rescale
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import (
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)
from lama_edge.spec import Size, SizePolicy, io_spec

CONFIGS = [
    FfcResnetConfig(ngf=8, n_blocks=2),
    Pix2PixHdGlobalConfig(ngf=8, n_blocks=2),
    Pix2PixHdMultidilatedConfig(ngf=8, n_blocks=2, dilation_num=2),
]
GAINS = DftGains(-5, 4)
SIZE = Size(96, 136)

MakeCheckpoint = Callable[..., Checkpoint]


def options(
    config: GeneratorConfig, fixed: Size | None = None, gains: DftGains | None = None
) -> GraphOptions:
    policy = SizePolicy(fixed, config.size_multiple, config.min_size)
    chosen = GraphOptions(io_spec("float", composite=False), policy)
    return chosen if gains is None else replace(chosen, dft_gains=gains)


def run(model: bytes) -> NDArray[np.float32]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    image = rng.random((1, 3, SIZE.height, SIZE.width), dtype=np.float32)
    mask = (rng.random((1, 1, SIZE.height, SIZE.width)) < 0.3).astype(np.float32)
    output: NDArray[np.float32] = session.run(None, {"image": image, "mask": mask})[0]
    return output


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
@pytest.mark.parametrize("fixed", [None, SIZE], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("by_channel", [True, False], ids=["channels", "branches"])
def test_powers_of_two_leave_every_bit_of_the_output_as_it_was(
    make_checkpoint: MakeCheckpoint, config: GeneratorConfig, fixed: Size | None, by_channel: bool
) -> None:
    checkpoint = make_checkpoint(config)
    plain = build_deploy_graph(config, checkpoint.tensors, options(config, fixed))
    scaled = build_deploy_graph(config, checkpoint.tensors, options(config, fixed, GAINS))
    groups = channel_groups(scaled, gains=GAINS.by_matrix(), by_channel=by_channel)
    exponents = np.random.default_rng(0).integers(-6, 7, groups.count)
    rescale(scaled, groups, np.exp2(np.where(groups.free, exponents, 0)))
    before, after = finish(plain), finish(scaled)
    assert before.SerializeToString() != after.SerializeToString()
    np.testing.assert_array_equal(run(before.SerializeToString()), run(after.SerializeToString()))


def ffc_groups(make_checkpoint: MakeCheckpoint, *, by_channel: bool = True) -> ChannelGroups:
    config = CONFIGS[0]
    model = build_deploy_graph(config, make_checkpoint(config).tensors, options(config))
    return channel_groups(model, gains=GAINS.by_matrix(), by_channel=by_channel)


def test_a_residual_stream_is_one_group_for_each_channel(make_checkpoint: MakeCheckpoint) -> None:
    groups = ffc_groups(make_checkpoint)
    for path, split in (("local", "down2.local_relu"), ("global", "down2.global_relu")):
        first = groups.values[split].group
        assert len(set(first)) == len(first)
        for block in ("block00", "block01"):
            np.testing.assert_array_equal(groups.values[f"{block}.{path}"].group, first)
        assert not set(first) & set(groups.values[f"block00.conv1.{path}_relu"].group)


def test_a_spectrum_follows_its_map_by_the_gains(make_checkpoint: MakeCheckpoint) -> None:
    groups = ffc_groups(make_checkpoint, by_channel=False)
    unit = "block01.conv2.spectral"
    reduced = groups.values[f"{unit}.reduce_relu"]
    spectrum, mixed = (groups.values[f"{unit}.{name}"] for name in ("columns_im", "fourier_im"))
    assert set(reduced.group) == set(spectrum.group) == set(mixed.group)
    assert (set(reduced.shift), set(spectrum.shift), set(mixed.shift)) == ({0}, {-5}, {-4})
    assert (reduced.matrix, spectrum.matrix, mixed.matrix) == (None, "dft.row", "dft.row_inverse")
    assert set(groups.values[f"{unit}.sum"].shift) == {0}


def test_input_and_output_keep_their_scale(make_checkpoint: MakeCheckpoint) -> None:
    groups = ffc_groups(make_checkpoint)
    held = {group for group, free in enumerate(groups.free) if not free}
    ends = [*groups.values["input.masked"].group, *groups.values["head.conv_shuffle"].group]
    assert held == set(ends)


def test_the_four_phases_of_an_upsampled_channel_share_a_group(
    make_checkpoint: MakeCheckpoint,
) -> None:
    groups = ffc_groups(make_checkpoint)
    phases = [groups.values[f"up0.conv{phase}"].group for phase in ("00", "01", "10", "11")]
    for phase in phases:
        np.testing.assert_array_equal(phase, groups.values["up0.conv_shuffle"].group)


def test_the_dft_operator_is_refused(make_checkpoint: MakeCheckpoint) -> None:
    config = CONFIGS[0]
    chosen = replace(options(config), dft="op")
    model = build_deploy_graph(config, make_checkpoint(config).tensors, chosen)
    with pytest.raises(UsageError, match=r"block00\.conv1\.spectral\.scaled.*dft='matmul'"):
        channel_groups(model)
