"""`lama-edge ranges`: how large a model's values become over pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.opening import add_function
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import steps
from lama_edge.files import join_part
from lama_edge.spec import fixed_size

_MARKED_SHOWN = 10


def add_ranges(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge ranges`."""
    ranges = commands.add_parser(
        "ranges",
        parents=[common],
        help="show how large a model's values become, layer by layer",
        description="Run a checkpoint's graph, or an exported model that can be emulated, on "
        "calibration pictures and show how large its values become, and what fp16 or a neural "
        "engine could not hold.",
    )
    ranges.add_argument(
        "model",
        metavar="MODEL | CHECKPOINT",
        help="MODEL#PART is one size of several in a Core ML package, or one generator of "
        "several in a checkpoint",
    )
    ranges.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure on these pictures (default: drawn ones)",
    )
    ranges.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="measure at this size, such as 512 or 512x768; may repeat (default: 256, 320x200 "
        "and 512, or the one size of the model)",
    )
    add_outputs(ranges, "ranges")
    add_function(ranges)
    ranges.set_defaults(command=_ranges)


def _ranges(options: argparse.Namespace) -> None:
    check_outputs(options)
    sizes = tuple(fixed_size(token) for token in options.size or ())
    with steps() as (progress, expect):
        from lama_edge.benchmarks.inspect_ranges import RangesInspection, inspect_ranges

        job = RangesInspection(join_part(options.model, options.function), options.calibrate, sizes)
        document = inspect_ranges(job, progress, expect)

    def page() -> str:
        from lama_edge.benchmarks.reports.ranges_page import ranges_page

        return ranges_page(document)

    give(options, document, page, _range_lines)


def _range_lines(document: dict[str, Any]) -> Iterator[str]:
    """Give a row for each layer and branch, and below them the values with marks."""
    sizes, percents = document["sizes"], list(document["layers"][0]["percentiles"])
    pictures = len(document["pictures"])
    yield (
        f"magnitudes over {pictures} picture{'s' if pictures > 1 else ''}, and the largest at "
        "each size (height x width):"
    )
    heads = ["layer", "branch", *(f"{percent} %" for percent in percents), *sizes, "largest in", ""]
    rows = [heads]
    for row in document["layers"]:
        figures = [*row["percentiles"].values(), *(row["by_size"].get(size) for size in sizes)]
        rows.append(
            [
                row["layer"],
                row["branch"],
                *("-" if figure is None else f"{figure:.4g}" for figure in figures),
                row["peak"].removeprefix(f"{row['layer']}."),
                ", ".join(row["marks"]),
            ]
        )
    yield from table(rows)
    yield from _marked_lines(document)


def _marked_lines(document: dict[str, Any]) -> Iterator[str]:
    limits = document["limits"]
    for mark, meaning in (
        ("not finite", "have infinite or NaN elements"),
        ("over fp16", f"pass {limits['fp16_largest']:g}, the largest number of fp16"),
        (
            "over neural engine",
            f"pass {limits['neural_engine_largest']:g}, where Apple's Neural Engine is reported "
            "to saturate",
        ),
        ("subnormal in fp16", f"stay below {limits['fp16_least_normal']:.1e}, fp16's least normal"),
    ):
        names = [value["name"] for value in document["values"] if mark in value["marks"]]
        if names:
            more = f" and {len(names) - _MARKED_SHOWN} more" if len(names) > _MARKED_SHOWN else ""
            yield f"{len(names)} values {meaning}: {', '.join(names[:_MARKED_SHOWN])}{more}"
    if not any(value["marks"] for value in document["values"]):
        yield (
            f"no value passes {limits['neural_engine_largest']:g} or stays below "
            f"{limits['fp16_least_normal']:.1e}: all fit fp16 at these sizes"
        )
