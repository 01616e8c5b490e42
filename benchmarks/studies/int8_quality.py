"""What int8 costs in quality: lama-tiny's fills against fp32, for all layers and kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph, gains_by_bands
from lama_edge.exporters.graph.layers import Kernels
from lama_edge.exporters.precision.layer_kinds import LAYER_KINDS, LayerKind
from lama_edge.exporters.precision.quantisation import Quantisation, quantise
from lama_edge.exporters.precision.weights8 import quantise_weights
from lama_edge.forms import to_model
from lama_edge.judging.metrics import psnr_db
from lama_edge.judging.ranges import Ranges
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.training.evaluation.evaluate import PERIODIC, PHOTOGRAPHS
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.pictures.holdout import Sample, holdout
from lama_edge.pictures.photographs import photograph_samples
from lama_edge.runtimes.emulator.ranges import measure_ranges
from lama_edge.runtimes.onnxruntime.session import open_session, run_session
from lama_edge.spec import Size, SizePolicy, io_spec

with needs_extra("export"):
    import onnx
    import onnx_ir as ir
    from onnx_ir.passes.common import ShapeInferencePass

# Photographs are judged above the training's size, as in `models.training.evaluate`.
_LEAST_PHOTOGRAPH_PX = 256
_LARGE_ABOVE_PX = 256
_LARGE_DIVISOR = 4


@dataclass(frozen=True)
class Fidelity:
    """How near fills come to those of fp32, inside the holes, peak 1.0.

    Attributes:
        pictures: ``periodic scenes`` or ``photographs``.
        side_px: the pictures' side.
        count: pictures.
        pooled_db: PSNR of all holes' pixels together.
        mean_db: mean of the pictures' PSNR.
        worst_db: the worst picture's.
    """

    pictures: str
    side_px: int
    count: int
    pooled_db: float
    mean_db: float
    worst_db: float


class Subject:
    """A checkpoint with all that is measured once for a size: ranges, pictures, fp32's fills."""

    def __init__(self, checkpoint: Checkpoint, count: int) -> None:
        self.checkpoint = checkpoint
        self.count = count
        self.groups = cache(self._groups)
        self.ranges: Callable[[int], Ranges] = cache(self._ranges)
        self._wanted = cache(self._reference)

    def int8(self, side: int, float_kinds: frozenset[LayerKind] | None = None) -> bytes:
        """Return the model in int8 for pictures of a side, as bytes.

        Any size but for the default kinds: there the spectrum's convolution reads values that
        were measured on the fp32 graph.
        """
        size = Size(side, side) if float_kinds is None else None
        options = Quantisation() if float_kinds is None else Quantisation(float_kinds=float_kinds)
        graph = self._graph(size, "integer")
        return _bytes(quantise(graph, self.ranges(side), options).model)

    def w8(self, side: int) -> bytes:
        """Return the model with int8 weights alone, as bytes."""
        graph = self._graph(Size(side, side), "direct")
        quantise_weights(graph)
        return _bytes(graph)

    def fp32(self, side: int) -> bytes:
        """Return the model as it is, as bytes."""
        return _bytes(self._graph(Size(side, side), "direct"))

    def fastest_fp32(self, side: int) -> bytes:
        """Return the model as it is, in the form that exports have by default, as bytes."""
        wide = gains_by_bands(self.checkpoint.config)
        return _bytes(self._graph(Size(side, side), "bands" if wide else "direct"))

    def fidelity(self, model: bytes, side: int) -> Iterator[Fidelity]:
        """Compare a model's fills with fp32's."""
        for name, samples in self.groups(side).items():
            fills = self._fills(model, samples)
            pairs = [
                (wanted[0][:, sample.hole], fill[0][:, sample.hole])
                for fill, wanted, sample in zip(
                    fills, self._wanted(side, name), samples, strict=True
                )
            ]
            each = [psnr_db(*pair, peak=1.0) for pair in pairs]
            whole = (np.concatenate(values, axis=1) for values in zip(*pairs, strict=True))
            pooled, mean = psnr_db(*whole, peak=1.0), float(np.mean(each))
            yield Fidelity(name, side, len(samples), pooled, mean, min(each))

    def _reference(self, side: int, name: str) -> list[NDArray[Any]]:
        return self._fills(self.fp32(side), self.groups(side)[name])

    def _groups(self, side: int) -> dict[str, list[Sample]]:
        few = max(1, self.count // _LARGE_DIVISOR)
        scenes = holdout(side, few if side > _LARGE_ABOVE_PX else self.count)
        photographs = photograph_samples(side, 1) if side >= _LEAST_PHOTOGRAPH_PX else []
        return {PERIODIC: scenes, **({PHOTOGRAPHS: photographs} if photographs else {})}

    def _ranges(self, side: int) -> Ranges:
        model = onnx.load_model_from_string(self.fp32(side))
        return measure_ranges(model, self._io, calibration_cases(self._policy(Size(side, side))))

    def _fills(self, model: bytes, samples: Sequence[Sample]) -> list[NDArray[Any]]:
        session = open_session(model, provider_names=["CPUExecutionProvider"], threads=None)
        wanted = [session.get_outputs()[0].name]
        feeds = (to_model(self._io, sample.truth, sample.hole) for sample in samples)
        return [
            run_session(session, wanted, {"image": image, "mask": mask})[0] for image, mask in feeds
        ]

    _io = io_spec("float", composite=False)

    def _policy(self, size: Size | None) -> SizePolicy:
        config = self.checkpoint.config
        return SizePolicy(size, config.size_multiple, config.min_size)

    def _graph(self, size: Size | None, kernels: Kernels) -> ir.Model:
        options = GraphOptions(self._io, self._policy(size), kernels=kernels)
        return build_deploy_graph(self.checkpoint.config, self.checkpoint.tensors, options)


def sensitivities(subject: Subject, side: int) -> Iterator[tuple[LayerKind, list[Fidelity]]]:
    """Compute one kind of layers after the other in int8, and all others in fp32's arithmetic.

    The others' weights are int8 too; what that alone costs is `Subject.int8` with all kinds in
    floats.
    """
    kinds = frozenset(LAYER_KINDS)
    for kind in LAYER_KINDS:
        if kind != "residual":
            model = subject.int8(side, kinds - {kind})
            yield kind, list(subject.fidelity(model, side))


def _bytes(model: ir.Model) -> bytes:
    ShapeInferencePass(strict_mode=True, data_prop=True)(model)
    proto: onnx.ModelProto = ir.to_proto(model)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
