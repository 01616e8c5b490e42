"""What a package says of itself to people: Xcode shows it beside the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import lama_edge
from lama_edge.manifest import Manifest
from lama_edge.spec import IoSpec, TensorSpec

_AUTHOR = "LaMa by R. Suvorov et al. (WACV 2022), exported by lama-edge"
_LICENCE = "Apache-2.0; the weights are under the licence of their checkpoint"


def describe(spec: Any, manifest: Manifest) -> None:
    """Fill in a model's author, licence, version and descriptions, in place.

    Args:
        spec: a ``Model_pb2.Model``.
        manifest: of its default function.
    """
    metadata = spec.description.metadata
    metadata.shortDescription = _summary(manifest)
    metadata.author = _AUTHOR
    metadata.license = _LICENCE
    metadata.versionString = lama_edge.__version__
    descriptions = spec.description.functions or [spec.description]
    texts = _texts(manifest.io)
    for one in descriptions:
        _describe_features((*one.input, *one.output), texts)


def _describe_features(features: Iterable[Any], texts: dict[str, str]) -> None:
    for feature in features:
        feature.shortDescription = texts[feature.name]


def _summary(manifest: Manifest) -> str:
    architecture = manifest.source.architecture.get("kind", "generator")
    size = manifest.size.fixed
    sizes = f"{size} (height x width)"
    if size is None:
        least, most = manifest.size.min_size, manifest.size.max_side
        sizes = f"height and width multiples of {manifest.size.multiple} from {least} to {most}"
    functions = manifest.format.get("functions")
    if functions is not None:
        sizes = f"a function for each of the sizes {functions} (height x width)"
    return (
        f"Fills the hole that the mask marks in a picture. LaMa inpainting generator "
        f"({architecture}, {manifest.source.parameters / 1e6:.1f} M parameters), "
        f"{manifest.precision}, {sizes}."
    )


def _texts(io: IoSpec) -> dict[str, str]:
    output = (
        "The picture with its hole filled; known pixels are those of the image"
        if io.composite
        else "What the generator makes of the whole picture, known pixels included"
    )
    texts = {
        io.image: "The picture, RGB",
        io.mask: "What to fill: every value above 0 is hole",
        io.output: output,
    }
    return {tensor.name: f"{text}; {_values(io, tensor)}." for tensor, text in texts.items()}


def _values(io: IoSpec, tensor: TensorSpec) -> str:
    if io.form == "image":
        return "an RGB image" if tensor.channels == 3 else "a greyscale image"
    return f"float32 [1, {tensor.channels}, height, width], 0 to 1"
