"""Every generator family, from every kind of checkpoint, against the official results."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from places import DATA
from safetensors.numpy import save_file
from torch import nn

from lama_edge.errors import CheckpointError
from lama_edge.exporters.formats.onnx.file import build_onnx
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.forms import from_model, to_model
from lama_edge.imaging import pad, padded_size
from lama_edge.models.architecture import infer_architecture
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.config import (
    BIG_LAMA,
    FfcResnetConfig,
    GeneratorConfig,
    Pix2PixHdGlobalConfig,
    Pix2PixHdMultidilatedConfig,
)
from lama_edge.models.torch_modules.build import build_generator, new_generator
from lama_edge.runtimes.base import Runner
from lama_edge.runtimes.numpy.runner import NumpyRunner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, SizePolicy, io_spec

# The budget of the design; measured 7.8e-7 in torch and 1.2e-6 in ONNX Runtime.
LARGEST_DIFFERENCE = 1e-4
# Of the references; seen: 7.8e-7 in torch, 1.0e-6 in NumPy.
REFERENCE_DIFFERENCE = 1e-5
ROUNDING_SLACK = 0.03
CASES = [
    *(("fourier", index) for index in range(3)),
    *(("regular", index) for index in range(2)),
    *(("dilated", index) for index in range(2)),
]
FAMILIES = ("fourier", "regular", "dilated")
KINDS = ("folder", "ckpt", "bare ckpt", "torchscript", "safetensors", "bare safetensors")


@dataclass(frozen=True)
class Case:
    """A family's checkpoint folder with one picture and the official results on it."""

    folder: Path
    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    predicted: NDArray[np.float32]
    inpainted: NDArray[np.float32]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}{case[1]}")
def case(request) -> Case:
    family, index = request.param
    with np.load(DATA / family / "cases.npz") as data:
        return Case(
            DATA / family,
            data[f"image_{index}"],
            data[f"mask_{index}"] > 0,
            data[f"predicted_{index}"].transpose(1, 2, 0),
            data[f"inpainted_{index}"].transpose(1, 2, 0),
        )


def _as_kind(folder: Path, kind: str, target: Path) -> Path:
    """Give the checkpoint in another form, with or without its config."""
    official = folder / "models" / "best.ckpt"
    if kind == "folder":
        return folder
    if kind == "ckpt":
        return official
    if kind == "bare ckpt":
        return Path(shutil.copy(official, target / "renamed.ckpt"))
    checkpoint = load_checkpoint(folder)
    if kind == "torchscript":
        return _scripted(checkpoint, target / "scripted.pt")
    metadata = {"config": json.dumps(checkpoint.config.to_dict())} if kind == "safetensors" else {}
    path = target / "converted.safetensors"
    save_file(dict(checkpoint.tensors), path, metadata)
    return path


class _Published(nn.Module):
    """Composites like the published big-lama.pt; its generator sits below `model.generator`."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"generator": generator})

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        predicted = self.model["generator"](torch.cat([image * (1 - mask), mask], dim=1))
        return mask * predicted + (1 - mask) * image


def _scripted(checkpoint: Checkpoint, path: Path) -> Path:
    example = torch.rand(1, 3, 72, 72), torch.ones(1, 1, 72, 72)
    traced = torch.jit.trace(_Published(build_generator(checkpoint)), example, check_trace=False)
    traced.save(str(path))
    return path


def _padded(case: Case, policy: SizePolicy) -> tuple[Any, Any]:
    size = padded_size(*case.hole.shape, policy.multiple, policy.min_size)
    return pad(case.image, *size), pad(case.hole, *size)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("kind", "runner_class"), [*((kind, NumpyRunner) for kind in KINDS), ("folder", TorchRunner)]
)
def test_the_references_give_the_official_results_from_every_kind_of_checkpoint(
    case: Case, kind: str, runner_class: type[Runner], tmp_path: Path
) -> None:
    height, width = case.hole.shape
    with runner_class(_as_kind(case.folder, kind, tmp_path), composite=False) as runner:
        io = runner.manifest.io
        image, hole = _padded(case, runner.manifest.size)
        predicted = from_model(io, runner.run(*to_model(io, image, hole)))[:height, :width] / 255
    assert np.abs(predicted - case.predicted).max() <= REFERENCE_DIFFERENCE


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_checkpoint_holds_the_same_and_exports_the_same(
    family: str, kind: str, tmp_path: Path
) -> None:
    official = load_checkpoint(DATA / family)
    checkpoint = load_checkpoint(_as_kind(DATA / family, kind, tmp_path))
    assert checkpoint.config == official.config
    for name, array in official.tensors.items():
        if name.endswith("num_batches_tracked"):  # not part of what is evaluated
            continue
        assert np.array_equal(checkpoint.tensors[name], array), name
    policy = SizePolicy(None, official.config.size_multiple, official.config.min_size)
    options = GraphOptions(io_spec("float"), policy)
    first, second = (
        build_onnx(each.config, each.tensors, options).SerializeToString(deterministic=True)
        for each in (official, checkpoint)
    )
    assert first == second


@pytest.mark.parametrize("composite", [False, True])
@pytest.mark.parametrize("sizes", ["fixed", "dynamic"])
@pytest.mark.parametrize("form", ["float", "uint8"])
def test_onnx_gives_the_official_results(case: Case, sizes: str, form, composite: bool) -> None:
    checkpoint = load_checkpoint(case.folder)
    config = checkpoint.config
    policy = SizePolicy(None, config.size_multiple, config.min_size)
    image, hole = _padded(case, policy)
    if sizes == "fixed":
        policy = SizePolicy(Size(*hole.shape), config.size_multiple, config.min_size)
    io = io_spec(form, composite=composite)
    model = build_onnx(config, checkpoint.tensors, GraphOptions(io, policy))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = dict(zip(("image", "mask"), to_model(io, image, hole), strict=True))
    height, width = case.hole.shape
    result = from_model(io, session.run(None, feeds)[0])[:height, :width]
    expected = case.inpainted if composite else case.predicted
    difference = np.abs(result - 255 * expected.astype(np.float64)).max()
    assert difference <= (0.5 + ROUNDING_SLACK if form == "uint8" else 255 * LARGEST_DIFFERENCE)
    if composite and form == "uint8":
        assert np.array_equal(result[~case.hole], case.image[~case.hole])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_architecture_is_read_off_the_tensors_like_the_config_says(family: str) -> None:
    checkpoint = load_checkpoint(DATA / family)
    for prefix in ("", "generator.", "module.model.generator."):
        shapes = {prefix + name: array.shape for name, array in checkpoint.tensors.items()}
        shapes["discriminator.model0.0.weight"] = (4, 3, 4, 4)
        assert infer_architecture(shapes) == (checkpoint.config, prefix)


# Counts of the ffc_resnet rows from the published files; of the others from the arithmetic of their
# layers, which gives the 45.6 million that Qualcomm AI Hub states for LaMa-Dilated.
PUBLISHED: dict[str, tuple[GeneratorConfig, int | None, int]] = {
    "big-lama": (BIG_LAMA, 989, 50_975_875),
    "lama-fourier": (FfcResnetConfig(n_blocks=9), 521, 27_048_835),
    "lama-regular": (Pix2PixHdGlobalConfig(n_blocks=9), None, 45_617_731),
    "big-lama-regular": (Pix2PixHdGlobalConfig(n_blocks=15), None, 73_947_715),
    "lama-dilated": (Pix2PixHdMultidilatedConfig(n_blocks=9), None, 45_645_379),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_architectures_have_their_counts_and_are_recognised(name: str) -> None:
    config, n_tensors, n_parameters = PUBLISHED[name]
    with torch.device("meta"):
        generator = new_generator(config)
    state = generator.state_dict()
    assert n_tensors is None or len(state) == n_tensors
    assert sum(parameter.numel() for parameter in generator.parameters()) == n_parameters
    shapes = {f"generator.{key}": tuple(tensor.shape) for key, tensor in state.items()}
    assert infer_architecture(shapes) == (config, "generator.")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            Pix2PixHdGlobalConfig(),
            {
                "model.1.weight": (64, 4, 7, 7),
                "model.10.bias": (512,),
                "model.11.running_var": (512,),
                "model.13.conv_block.1.weight": (512, 512, 3, 3),
                "model.21.conv_block.6.weight": (512,),
                "model.22.weight": (512, 256, 3, 3),
                "model.32.weight": (3, 64, 7, 7),
            },
        ),
        (
            Pix2PixHdMultidilatedConfig(),
            {
                "model.4.weight": (128, 64, 3, 3),
                "model.13.conv_block.0.convs.3.weight": (512, 128, 3, 3),
                "model.13.conv_block.1.running_mean": (512,),
                "model.21.conv_block.3.convs.0.bias": (512,),
                "model.21.conv_block.4.bias": (512,),
                "model.32.bias": (3,),
            },
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_tensor_names_and_shapes_are_the_official_ones(config: GeneratorConfig, expected) -> None:
    with torch.device("meta"):
        state = new_generator(config).state_dict()
    assert {name: tuple(state[name].shape) for name in expected} == expected


ODD_SHAPES = [
    FfcResnetConfig(ngf=12, n_blocks=1, ratio_global=0.3),
    FfcResnetConfig(ngf=8, n_blocks=3, n_downsampling=4, max_features=40),
    Pix2PixHdGlobalConfig(ngf=8, n_blocks=1, n_downsampling=2, max_features=20),
    Pix2PixHdMultidilatedConfig(ngf=6, n_blocks=2, dilation_num=3, n_downsampling=1),
]


@pytest.mark.parametrize("config", ODD_SHAPES, ids=lambda config: config.kind)
def test_unusual_shapes_are_read_off_so_that_every_tensor_fits(config: GeneratorConfig) -> None:
    """Options that leave no trace in the shapes may differ; what is built may not."""
    with torch.device("meta"):
        shapes = {n: tuple(t.shape) for n, t in new_generator(config).state_dict().items()}
        inferred, prefix = infer_architecture(shapes)
        built = {n: tuple(t.shape) for n, t in new_generator(inferred).state_dict().items()}
    assert prefix == ""
    assert built == shapes
    assert (inferred.min_size, inferred.size_multiple) == (config.min_size, config.size_multiple)


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"conv.weight": (1, 2, 3, 4)},
        {"model.1.ffc.convl2l.weight": (8, 4, 7, 7)},
        {"model.1.weight": (8, 4, 7, 7)},
        {"model.1.weight": ()},
        {"model.1.ffc.convl2l.weight": (8, 4, 7, 7), "model.2.ffc.convl2l.weight": ()},
        {"model.1.weight": (8, 4, 7, 7), "model.2.conv_block.1.weight": (0,)},
    ],
)
def test_tensors_that_make_no_generator_are_refused(shapes) -> None:
    with pytest.raises(CheckpointError, match="holds"):
        infer_architecture(shapes)


def test_the_multidilated_family_needs_larger_pictures() -> None:
    """Its widest reflect padding is 8 at the bottleneck, so its sides must exceed 8 there."""
    assert Pix2PixHdMultidilatedConfig().min_size == 72
    assert Pix2PixHdGlobalConfig().min_size == FfcResnetConfig().min_size == 16
