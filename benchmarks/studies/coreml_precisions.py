"""What each precision of a Core ML package costs: lama-tiny's fills and file sizes.

`python -m lama_edge.benchmarks.studies.coreml_precisions --measure` exports lama-tiny in every
precision, runs the packages in the interpreter on the training's holdout and on photographs,
compares the fills with torch's and writes benchmarks/results/coreml.json, in some minutes on two
cores. With or without, the table in docs/reference/coreml.md is rewritten from that file, or with
``--check`` compared.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.exporters.formats.coreml import COREML
from lama_edge.exporters.formats.coreml.options import PACKAGE_PRECISIONS
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import raw_outputs, run_case
from lama_edge.judging.metrics import differences
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.training.evaluation.evaluate import PERIODIC, PHOTOGRAPHS
from lama_edge.pictures.holdout import Sample, holdout
from lama_edge.pictures.photographs import photograph_samples
from lama_edge.pipeline import export_model
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size

_RESULT = Path("benchmarks/results/coreml.json")
_SIDE_PX = 256
_SCENES = 8
_MODULE = "lama_edge.benchmarks.studies.coreml_precisions"


def measure(count: int, precisions: Sequence[str]) -> dict[str, Any]:
    """Export lama-tiny in each precision and compare its fills with torch's.

    Args:
        count: how many scenes; there is one hole for each photograph beside them.
        precisions: which.

    Returns:
        Plain data: ``side_px``, ``tools``, and ``precisions``, each with its ``size_bytes`` and
        its figures by group of pictures, inside the holes.
    """
    checkpoint = load_checkpoint(None)
    groups = {
        PERIODIC: _cases(holdout(_SIDE_PX, count)),
        PHOTOGRAPHS: _cases(photograph_samples(_SIDE_PX, 1)),
    }
    with TorchRunner(checkpoint, composite=False) as reference:
        wanted = {name: raw_outputs(reference, cases) for name, cases in groups.items()}
    return {
        "side_px": _SIDE_PX,
        "tools": COREML.tools(),
        "precisions": [_measured(one, groups, wanted) for one in precisions],
    }


def _cases(samples: Sequence[Sample]) -> list[ParityCase]:
    return [ParityCase(sample.truth, sample.hole) for sample in samples]


def _measured(
    precision: str,
    groups: Mapping[str, Sequence[ParityCase]],
    wanted: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    print(f"measuring {precision}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        path = Path(folder, f"{precision}.mlpackage")
        job = Export("coreml", None, path, sizes=(Size(_SIDE_PX, _SIDE_PX),), precision=precision)
        exported = export_model(replace(job, check_parity=False))
        with CoremlEmulatedRunner(path) as model:
            figures = {
                name: _figures(cases, wanted[name], [run_case(model, one).levels for one in cases])
                for name, cases in groups.items()
            }
    return {"precision": precision, "size_bytes": exported.size_bytes, "figures": figures}


def _figures(
    cases: Sequence[ParityCase], wanted: Sequence[Any], given: Sequence[Any]
) -> dict[str, Any]:
    pairs = [
        (reference[case.hole], output[case.hole])
        for case, reference, output in zip(cases, wanted, given, strict=True)
    ]
    each = [differences(*pair, rounded_sides=0) for pair in pairs]
    whole = differences(*map(np.concatenate, zip(*pairs, strict=True)), rounded_sides=0)
    return {
        "count": len(cases),
        "max_abs_diff": float(f"{whole.max_abs_diff:.2e}"),
        "psnr_db": whole.psnr_db,
        "worst_psnr_db": min(one.psnr_db for one in each if one.psnr_db is not None),
    }


def table(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    names = list(document["precisions"][0]["figures"])
    counts = [document["precisions"][0]["figures"][name]["count"] for name in names]
    heads = [f"{count} {name}, PSNR (worst)" for name, count in zip(names, counts, strict=True)]
    rows = [["precision", "lama-tiny's package", *heads, "largest difference"]]
    for row in document["precisions"]:
        figures = row["figures"].values()
        cells = [f"{one['psnr_db']:.1f} dB ({one['worst_psnr_db']:.1f})" for one in figures]
        largest = max(one["max_abs_diff"] for one in figures)
        size = f"{row['size_bytes'] / 1e6:.2f} MB"
        rows.append([row["precision"], size, *cells, f"{largest:.1e}"])
    tools = document["tools"]
    side = document["side_px"]
    source = (
        f"Fills at {side} x {side} in the interpreter against torch's, inside the holes, peak 1; "
        f"coremltools {tools['coremltools']}, lama-edge {tools['lama-edge']}. Made by "
        f"`python -m {_MODULE} --measure`; data in {_RESULT.as_posix()}."
    )
    return f"\n{markdown_table(rows)}\n\n{source}\n"


PAGE = GeneratedPage(_MODULE, __doc__, "coreml", _RESULT, Path("docs/reference/coreml.md"), table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    parser.add_argument("--count", type=int, default=_SCENES, help="scenes of the holdout")
    options = parser.parse_args(arguments)
    return PAGE.run(options, lambda: measure(options.count, PACKAGE_PRECISIONS))


if __name__ == "__main__":
    sys.exit(main())
