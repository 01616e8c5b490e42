"""The deploy graphs that files are written from, quantised as LiteRT's kernels like it."""

from __future__ import annotations

from functools import partial

from lama_edge.exporters.precision.build import build_with
from lama_edge.exporters.precision.quantisation import LITERT

source_graph = partial(build_with, LITERT, "joined")
