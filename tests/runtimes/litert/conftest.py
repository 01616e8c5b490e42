"""LiteRT files of the golden checkpoints and lama-tiny, made once for each choice of options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA

from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.spec import IoForm, Size

pytest.importorskip("ai_edge_litert")

SMALL = Size(64, 96)


@pytest.fixture(scope="session")
def litert_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a checkpoint, lama-tiny unless one is named, unjudged; a test copies what it changes.

    The size is 64x96, or 72x72 for the family with the widest pads.
    """
    made: dict[tuple[object, ...], Path] = {}
    folder = tmp_path_factory.mktemp("litert")

    def export(
        family: str | None = None,
        *,
        io: IoForm = "float",
        precision: str = "fp32",
        composite: bool = True,
    ) -> Path:
        key = (family, io, precision, composite)
        if key not in made:
            made[key] = folder / f"{len(made)}.tflite"
            job = Export(
                "litert",
                None if family is None else DATA / family,
                made[key],
                sizes=(Size(72, 72) if family == "dilated" else SMALL,),
                io=io,
                precision=precision,
                composite=composite,
                check_parity=False,
            )
            export_model(job)
            made[key].chmod(0o444)
        return made[key]

    return export
