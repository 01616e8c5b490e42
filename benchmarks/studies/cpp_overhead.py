"""What the C++ library's and Python's `Inpainter` take beside the model: the tables of docs/cpp.md.

`make cpp-overhead` builds `runtimes/cpp/benchmarks` and measures, each language in a process of its
own, in turns, with 2 threads and with 1:

- ``overhead``: the whole picture of 512 x 512 as one window, by `Inpainter` and by a bare call of
  ONNX Runtime with the same model, one after the other in one process; lama-tiny, and big-lama's
  shape with seeded weights.
- ``pictures``: a photograph of 12 megapixels with a round hole of 3 %, with a model that returns
  what it is given. What the bare call of that takes is taken off: the rest is reading the mask,
  planning, shrinking, converting, enlarging and compositing.

It writes benchmarks/results/cpp.json and the tables. Without ``--measure`` the tables alone are
written from that file, or with ``--check`` compared. Keep the machine quiet meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.large_photograph import PHOTOGRAPH, write_pictures
from lama_edge.benchmarks.targets.environment import environment
from lama_edge.errors import MissingBackendError, ModelError, UsageError, needs_extra
from lama_edge.export.formats.record import Export
from lama_edge.imaging.reading import load_mask, load_picture
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.models.config import BIG_LAMA
from lama_edge.pipeline import export_model
from lama_edge.process import run_isolated
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting import Inpainter
from lama_edge.spec import Size

