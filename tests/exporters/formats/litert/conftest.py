"""LiteRT files of the golden checkpoints, lama-tiny and a hot one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert")

from torch_answers import checkpoint_of, source_of

from lama_edge import pipeline
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.ranges import Ranges
from lama_edge.spec import IoForm, Size, SizePolicy


@cache
def ranges_of(family: str) -> Ranges:
    """Measure a checkpoint's ranges once for all its files."""
    checkpoint = checkpoint_of(family)
    config = checkpoint.config
    policy = SizePolicy(None, config.size_multiple, config.min_size)
    return pipeline.measured_ranges(checkpoint, policy, "fp16", None)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a family's checkpoint, unjudged; the same one once.

    The folder of the file keeps ``source.onnx``, the graph that an fp16 or w8 one was written from.
    """

    @cache
    def export(
        family: str,
        size: Size,
        io: IoForm = "float",
        precision: str = "fp32",
        composite: bool = True,
    ) -> Path:
        folder = tmp_path_factory.mktemp("litert")
        path = folder / f"{family}.tflite"
        job = Export(
            "litert",
            source_of(family, folder),
            path,
            sizes=(size,),
            io=io,
            precision=precision,
            composite=composite,
            check_parity=False,
        )
        if precision in ("fp16", "w8"):
            ranges = ranges_of(family)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pipeline, "measured_ranges", lambda *_: ranges)
                pipeline.export_model(job, scratch=folder)
        else:
            pipeline.export_model(job, scratch=folder)
        path.chmod(0o444)
        return path

    return export
