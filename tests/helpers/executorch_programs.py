"""ExecuTorch programs of the golden checkpoints, lama-tiny and a hot one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from places import alone_in
from same_process import call
from torch_answers import checkpoint_of, source_of

from lama_edge import pipeline
from lama_edge.exporters.formats.executorch import lowering
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.ranges import Ranges
from lama_edge.spec import IoForm, Size, SizePolicy

_NAME = "program.pte"


@cache
def ranges_of(family: str, size: Size | None, precision: str) -> Ranges:
    """Measure a checkpoint's ranges once for all its programs."""
    checkpoint = checkpoint_of(family)
    config = checkpoint.config
    policy = SizePolicy(size, config.size_multiple, config.min_size)
    return pipeline.measured_ranges(checkpoint, policy, precision, None)


class Programs:
    """Exports checkpoints, unjudged and without a process of their own; the same one once.

    To lower a program takes from five seconds to minutes: all workers of the tests share them. The
    folder of a program keeps ``source.onnx``, the graph that it was made from.
    """

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        # pytest-xdist gives each worker a folder of its own in the run's.
        base = factory.getbasetemp()
        self._shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

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
        folder = self._shared / "executorch-programs" / "-".join(map(str, key))
        with alone_in(folder):
            if not (folder / _NAME).exists():
                self._lower(folder, *key)
        return folder / _NAME

    def anew(self, family: str, size: Size) -> Path:
        """Export to floats in fp32, whether or not that was done before."""
        folder = self._factory.mktemp("executorch")
        self._lower(folder, family, size, "float", "fp32", True, "xnnpack")
        return folder / _NAME

    @staticmethod
    def _lower(
        folder: Path,
        family: str,
        size: Size,
        io: IoForm,
        precision: str,
        composite: bool,
        backend: str,
    ) -> None:
        job = Export(
            "executorch",
            source_of(family, folder),
            folder / _NAME,
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
