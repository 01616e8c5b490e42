"""ExecuTorch programs of the golden checkpoints, lama-tiny and a hot one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from same_process import call
from torch_answers import checkpoint_of, source_of

from lama_edge import pipeline
from lama_edge.exporters.formats.executorch import lowering
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.ranges import Ranges
from lama_edge.spec import IoForm, Size, SizePolicy


@cache
def ranges_of(family: str, size: Size | None, precision: str) -> Ranges:
    """Measure a checkpoint's ranges once for all its programs."""
    checkpoint = checkpoint_of(family)
    config = checkpoint.config
    policy = SizePolicy(size, config.size_multiple, config.min_size)
    return pipeline.measured_ranges(checkpoint, policy, precision, None)


# By what was asked for: to lower a program takes from five seconds to minutes.
_MADE: dict[object, Path] = {}


class Programs:
    """Exports checkpoints, unjudged and without a process of their own; the same one once.

    The folder of a program keeps ``source.onnx``, the graph that it was made from.
    """

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory

    def __call__(
        self,
        family: str,
        size: Size,
        io: IoForm = "float",
        precision: str = "fp32",
        *,
        composite: bool = True,
        backend: str = "xnnpack",
    ) -> Path:
        key = family, size, io, precision, composite, backend
        if key not in _MADE:
            _MADE[key] = self.lowered(*key)
        return _MADE[key]

    def lowered(
        self, family: str, size: Size, io: IoForm, precision: str, composite: bool, backend: str
    ) -> Path:
        """Export, whether or not that was done before."""
        folder = self._factory.mktemp("executorch")
        job = Export(
            "executorch",
            source_of(family, folder),
            folder / f"{family}.pte",
            sizes=(size,),
            io=io,
            precision=precision,
            composite=composite,
            check_parity=False,
            options={"backend": backend},
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lowering, "run_isolated", call)
            if precision != "fp32":
                ranges = ranges_of(family, size if precision == "int8" else None, precision)
                patch.setattr(pipeline, "measured_ranges", lambda *_: ranges)
            pipeline.export_model(job, scratch=folder)
        job.output.chmod(0o444)
        return job.output
