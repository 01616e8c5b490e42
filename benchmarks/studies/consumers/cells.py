"""The files of the matrix, and one cell of it: a consumer and a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, get_args

from lama_edge.models.config import FfcResnetConfig
from lama_edge.spec import TENSOR_IO_FORMS, IoForm, Precision, Size

# No square, and wide enough for the multidilated family.
SIZE = Size(96, 128)
# Wide enough at the bottleneck that `--for cpu` writes bands.
WIDE = FfcResnetConfig(ngf=32, n_blocks=2)
MODELS = ("lama-tiny", "fourier", "regular", "dilated", "wide")
# Where `--for` changes something.
_PURPOSES = {"cpu": ("wide",), "gpu": ("lama-tiny", "wide")}


@dataclass(frozen=True)
class ModelFile:
    """How one file is exported.

    Attributes:
        model: one of `MODELS`.
        size: ``fixed`` or ``dynamic``.
        io: form of the inputs and the output.
        precision: of the weights and the arithmetic.
        purpose: what ``--for`` says.
    """

    model: str
    size: str
    io: IoForm
    precision: Precision
    purpose: str = "any"

    @property
    def form(self) -> str:
        """What it shares with the files of the other nets, in words."""
        return f"{self.precision}, {self.size}, {self.io}, --for {self.purpose}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON carries it."""
        return asdict(self)


def files(models: tuple[str, ...] = MODELS) -> Iterator[ModelFile]:
    """Yield every file of the matrix, the simplest first."""
    for precision, size, io, model in product(
        get_args(Precision), ("fixed", "dynamic"), TENSOR_IO_FORMS, models
    ):
        yield ModelFile(model, size, io, precision)
    for purpose, which in _PURPOSES.items():
        for size, model in product(("fixed", "dynamic"), which):
            if model in models:
                yield ModelFile(model, size, "float", "fp32", purpose)
