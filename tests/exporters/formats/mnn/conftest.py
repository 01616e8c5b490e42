"""MNN files of the golden checkpoints, lama-tiny and a hot one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("MNN")

from same_process import call
from torch_answers import source_of

from lama_edge.exporters.formats.mnn import conversion
from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.spec import IoForm, Size


@pytest.fixture(scope="session")
def mnn_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a family's checkpoint, unjudged; the same one once."""

    @cache
    def export(
        family: str,
        size: Size | None,
        io: IoForm = "float",
        precision: str = "fp32",
        composite: bool = True,
    ) -> Path:
        folder = tmp_path_factory.mktemp("mnn")
        path = folder / f"{family}.mnn"
        job = Export(
            "mnn",
            source_of(family, folder),
            path,
            sizes=(size,),
            io=io,
            precision=precision,
            composite=composite,
            check_parity=False,
        )
        with pytest.MonkeyPatch.context() as patch:
            # A process of its own takes longer than the conversion.
            patch.setattr(conversion, "run_isolated", call)
            # What the file is made of stays beside it.
            export_model(job, scratch=folder)
        path.chmod(0o444)
        return path

    return export
