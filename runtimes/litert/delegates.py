"""Which of a file's operators an accelerator's delegate refuses, by the lists that are published.

A delegate takes what is on its list and leaves the rest to the processor, one copy there and back
at each border; what it takes and cannot build makes the whole model fail. The GPU's list has rules
about an operator's place in the graph beside the names; those of the NPUs' compilers are names
alone, and a device's compiler may refuse what is on them for its types or extents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lama_edge.runtimes.litert.gpu_rules import Graph, Place, gpu_refusal
from lama_edge.runtimes.litert.structure import Structure

# Whose sources the lists stand in, as they were on 29 November 2026.
REPOSITORY = "https://github.com/google-ai-edge/LiteRT"
_QUALCOMM = """
ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BROADCAST_TO CAST CEIL CONCATENATION CONV_2D
CONV_3D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU
EMBEDDING_LOOKUP EQUAL EXP FLOOR FLOOR_DIV FULLY_CONNECTED GATHER GATHER_ND GELU GREATER
GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND
LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
NOT_EQUAL PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN RELU RELU6
RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT
SCATTER_ND SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE
SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV UNPACK
"""
_MEDIATEK = """
ABS ADD AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEQUANTIZE DIV
FULLY_CONNECTED GELU GREATER HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LOGISTIC MAXIMUM
MAX_POOL_2D MEAN MINIMUM MUL PAD PADV2 PRELU QUANTIZE REDUCE_MAX RELU RESHAPE RESIZE_BILINEAR
RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPLIT SQRT SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH
TILE TRANSPOSE TRANSPOSE_CONV UNPACK
"""


@dataclass(frozen=True)
class Refusal:
    """An operator that a delegate leaves to the processor, or fails on.

    Attributes:
        operator: its kind, such as ``GATHER_ND``.
        value: the name of what it gives.
        reason: why it is refused.
    """

    operator: str
    value: str
    reason: str


@dataclass(frozen=True)
class DelegateReport:
    """What a delegate takes of a file.

    Attributes:
        name: of the delegate, such as ``gpu``.
        title: what people call it.
        source: the file in `REPOSITORY` that its list stands in, and the commit where it is known.
        operators: how many the file has.
        refused: those that it does not take.
    """

    name: str
    title: str
    source: str
    operators: int
    refused: tuple[Refusal, ...]

    @property
    def taken(self) -> int:
        """How many operators run there."""
        return self.operators - len(self.refused)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "refused": [asdict(one) for one in self.refused]}


@dataclass(frozen=True)
class _Delegate:
    name: str
    title: str
    source: str
    refusal: Callable[[Place], str | None]


def delegate_reports(structure: Structure) -> list[DelegateReport]:
    """Return what each delegate with a published list takes of a file, the GPU's first."""
    graph = Graph(structure)
    reports = []
    for delegate in _DELEGATES:
        refused = []
        for operator in structure.operators:
            place = Place(graph, operator)
            reason = delegate.refusal(place)
            if reason is not None:
                refused.append(Refusal(operator.name, place.output.name, reason))
        reports.append(
            DelegateReport(
                delegate.name,
                delegate.title,
                delegate.source,
                len(structure.operators),
                tuple(refused),
            )
        )
    return reports


def _named_by(names: str) -> Callable[[Place], str | None]:
    listed = frozenset(names.split())

    def refusal(place: Place) -> str | None:
        return None if place.operator.name in listed else "it is not on the list"

    return refusal


_DELEGATES = (
    _Delegate(
        "gpu",
        "GPU delegate",
        "tflite/delegates/gpu/common/model_builder.cc at 34ec5bad",
        gpu_refusal,
    ),
    _Delegate(
        "qualcomm",
        "Qualcomm NPU",
        "litert/vendors/qualcomm/compiler/qnn_compose_graph.cc",
        _named_by(_QUALCOMM),
    ),
    _Delegate(
        "mediatek",
        "MediaTek NPU",
        "litert/vendors/mediatek/compiler/MediaTek_Neuro_Compiler.md at 15511366",
        _named_by(_MEDIATEK),
    ),
)
