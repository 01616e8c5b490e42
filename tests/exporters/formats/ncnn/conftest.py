"""ncnn models of the golden checkpoints, lama-tiny and a hot one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

from same_process import call
from torch_answers import source_of

from lama_edge.exporters.formats.ncnn import conversion
from lama_edge.exporters.formats.record import Export
from lama_edge.files import weights_beside
from lama_edge.pipeline import export_model
from lama_edge.spec import Size


@pytest.fixture(scope="session")
def ncnn_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a family's checkpoint, unjudged; the same one once."""

    @cache
    def export(
        family: str,
        size: Size,
        precision: str = "fp32",
        composite: bool = True,
    ) -> Path:
        folder = tmp_path_factory.mktemp("ncnn")
        path = folder / f"{family}.param"
        job = Export(
            "ncnn",
            source_of(family, folder),
            path,
            sizes=(size,),
            precision=precision,
            composite=composite,
            check_parity=False,
        )
        with pytest.MonkeyPatch.context() as patch:
            # A process of its own imports torch first.
            patch.setattr(conversion, "run_isolated", call)
            # What the file is made of stays beside it.
            export_model(job, scratch=folder)
        for file in (path, weights_beside(path)):
            file.chmod(0o444)
        return path

    return export
