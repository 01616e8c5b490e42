"""`lama-edge inspect`: what a model or checkpoint is, and how large its values become."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.inspect.tensorrt import (
    add_tensorrt_options,
    is_for_tensorrt,
    print_capability,
)
from lama_edge.cli.opening import add_function, add_provider
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import parity_line, print_json, steps
from lama_edge.errors import UsageError, printable
from lama_edge.files import join_part
from lama_edge.manifest import Manifest
from lama_edge.spec import TensorSpec, fixed_size

if TYPE_CHECKING:
    from lama_edge.runtimes.base import ModelFacts

_MODEL = "MODEL | CHECKPOINT"
# Given without --ranges, each of these would be silently of no use.
_OF_RANGES = ("calibrate", "size", "json_out", "report")
_MARKED_SHOWN = 10


def add_inspect(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge inspect`."""
    inspect = commands.add_parser(
        "inspect",
        parents=[common],
        help="print what a model or checkpoint is",
        description="Print what an exported model says of itself, or what a checkpoint holds. Of a "
        "Core ML package, on macOS, where its operations run; of a LiteRT file or an OpenVINO "
        "model, which of them devices take. With --ranges, run it on calibration "
        "pictures and show how large its values become.",
    )
    inspect.add_argument(
        "model",
        metavar=_MODEL,
        help="MODEL#PART is one size of several in a Core ML package, or one generator of "
        "several in a checkpoint",
    )
    inspect.add_argument(
        "--ranges", action="store_true", help="measure the values' magnitudes, layer by layer"
    )
    inspect.add_argument(
        "--calibrate", type=Path, metavar="DIR", help="measure on these pictures; default: drawn"
    )
    inspect.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="measure at this size, such as 512 or 512x768; may repeat",
    )
    add_outputs(inspect, "ranges")
    add_provider(inspect, "what to open it with; on macOS, what a Core ML package may run on")
    add_function(inspect)
    add_tensorrt_options(inspect)
    inspect.set_defaults(command=_inspect)


def _inspect(options: argparse.Namespace) -> None:
    for_tensorrt = is_for_tensorrt(options)
    if options.provider != "auto" and (options.ranges or for_tensorrt):
        raise UsageError("--provider is not about --ranges or --tensorrt: leave it out")
    model = join_part(options.model, options.function)
    if options.ranges:
        _inspect_ranges(options, model)
        return
    for name in _OF_RANGES:
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{name.replace('_', '-')} is about the values' ranges: add --ranges"
            )
    if for_tensorrt:
        print_capability(options)
        return
    from lama_edge.runtimes.base import changed_since_export  # brings numpy

    facts = _read(model, options.provider)
    manifest = facts.manifest
    changed = changed_since_export(manifest, Path(options.model))
    if options.json:
        state = {"changed_since_export": True} if changed else {}
        print_json({**manifest.to_dict(), **facts.data, **state})
        return
    lines = list(table([*_facts(manifest), *facts.rows]))
    if manifest.format["name"] != "checkpoint":
        lines.append(parity_line(manifest.to_dict()["parity"]))
    if changed:
        lines.append("changed since export: its figures are those of the file it was made from")
    for one in facts.below:
        lines += [one] if isinstance(one, str) else table(one)
    for line in lines:
        print(printable(line))


def _read(model: str, provider: str) -> ModelFacts:
    from lama_edge.runtimes.base import ModelFacts, choose_runtime, open_runner
    from lama_edge.runtimes.registry import load

    choice = choose_runtime(model, provider=provider)
    if choice.runtime.facts is not None:
        facts: ModelFacts = load(choice.runtime.facts)(choice.path, choice.part, provider)
        return facts
    with open_runner(model, provider=provider) as runner:
        return ModelFacts(runner.manifest)


def _facts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Give what a manifest says, as label and text."""
    details = dict(manifest.format)
    name = str(details.pop("name"))
    yield "format", ", ".join([name, *(f"{key} {value}" for key, value in details.items())])
    yield "sizes", _sizes(manifest)
    for what, spec in (
        ("input", manifest.io.image),
        ("input", manifest.io.mask),
        ("output", manifest.io.output),
    ):
        yield what, _tensor(spec, manifest.io.batch)
    yield "", "known pixels come back unchanged" if manifest.io.composite else "the raw fill"
    yield "precision", manifest.precision
    for key, value in (manifest.numerics or {}).items():
        yield f"  {key}", str(value)
    if manifest.dft is not None:
        yield "DFT", manifest.dft
    architecture = dict(manifest.source.architecture)
    yield "architecture", str(architecture.pop("kind", "unknown"))
    for key, value in architecture.items():
        yield f"  {key}", str(value)
    yield "parameters", f"{manifest.source.parameters:,}"
    yield "checkpoint", f"SHA-256 {manifest.source.sha256}"
    if manifest.source.entry is not None:
        yield "  generator", manifest.source.entry
    if manifest.source.ignored:
        yield "  without", ", ".join(manifest.source.ignored)
    yield "made with", ", ".join(f"{tool} {version}" for tool, version in manifest.tools.items())


def _sizes(manifest: Manifest) -> str:
    size = manifest.size
    if size.fixed is not None:
        return f"{size.fixed} (height x width) only"
    end = "up" if size.max_side is None else f"to {size.max_side}"
    return f"any multiples of {size.multiple} from {size.min_size} {end}"


def _tensor(spec: TensorSpec, batch: int | None) -> str:
    extents = {"C": str(spec.channels), "N": "N" if batch is None else str(batch)}
    axes = ",".join(extents.get(axis, axis) for axis in spec.layout)
    low, high = spec.value_range
    meaning = "above 0 is hole" if spec.name == "mask" else f"RGB, {low:g} to {high:g}"
    return f"{spec.name} {spec.dtype} [{axes}], {meaning}"


def _inspect_ranges(options: argparse.Namespace, model: str) -> None:
    check_outputs(options)
    sizes = tuple(fixed_size(token) for token in options.size or ())
    with steps() as (progress, expect):
        from lama_edge.benchmarks.inspect_ranges import RangesInspection, inspect_ranges

        job = RangesInspection(model, options.calibrate, sizes)
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
