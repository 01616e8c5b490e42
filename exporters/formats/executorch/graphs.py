"""The deploy graphs that programs are made from, quantised as XNNPACK's kernels like it."""

from __future__ import annotations

from functools import partial

from lama_edge.exporters.precision.build import build_with
from lama_edge.exporters.precision.quantisation import EXECUTORCH

source_graph = partial(build_with, EXECUTORCH, "joined")
