"""`lama-edge inspect` of a Core ML package: its functions and operations, and where they run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.cli.rendering import table
from lama_edge.errors import ModelError, UsageError

if TYPE_CHECKING:
    from lama_edge.runtimes.coreml_description import PackageDescription
    from lama_edge.runtimes.coreml_placement import OperationPlan, Placement

_SUFFIX = ".mlpackage"
_OPTIONS = ("function", "provider")
_DEFAULT_PROVIDER = "all"
_OPERATIONS_SHOWN = 20


def add_package_options(inspect: argparse.ArgumentParser) -> None:
    """Add the options of `lama-edge inspect` that are about packages."""
    inspect.add_argument(
        "--function",
        metavar="NAME",
        help="of a Core ML package of several sizes, such as size_512x768; default: its default",
    )
    inspect.add_argument(
        "--provider",
        metavar="UNITS",
        help="on macOS, show where a Core ML package runs when it may use cpu, cpu_gpu, cpu_ne or "
        "all (default: all)",
    )


def is_package(options: argparse.Namespace) -> bool:
    """Tell whether a package is to be inspected, and refuse its options for anything else.

    Raises:
        UsageError: when an option is of no use.
    """
    found = Path(options.model).suffix.lower() == _SUFFIX
    for name in _OPTIONS:
        if getattr(options, name) is not None and (options.ranges or not found):
            why = "not about ranges" if found else f"about Core ML packages ({_SUFFIX})"
            raise UsageError(f"--{name} is {why}: leave it out")
    return found


def describe(options: argparse.Namespace) -> tuple[PackageDescription, Placement | str]:
    """Read a package's description, and its placement or why there is none.

    Raises:
        ModelError: when the package cannot be read.
        UsageError: for a provider that Core ML does not have.
        MissingBackendError: for a provider given on another system than macOS.
    """
    from lama_edge.runtimes.coreml_description import describe_package

    path = Path(options.model)
    if not path.exists():
        raise ModelError(
            f"the model {options.model!r} does not exist; give the folder that lama-edge export "
            "coreml wrote"
        )
    described = describe_package(path, options.function)
    return described, _placement(path, described, options.provider)


def _placement(path: Path, described: PackageDescription, provider: str | None) -> Placement | str:
    from lama_edge.runtimes.coreml_placement import MACOS_NEEDED, read_placement
    from lama_edge.runtimes.coreml_runner import on_macos

    if provider is None and not on_macos():
        return f"Core ML plans it on the device: inspect it on macOS {MACOS_NEEDED} or newer"
    try:
        return read_placement(
            path,
            provider or _DEFAULT_PROVIDER,
            described.function,
            several=len(described.functions) > 1,
        )
    except ModelError as error:
        if provider is not None:
            raise
        return str(error)


def package_dict(described: PackageDescription, placement: Placement | str) -> dict[str, Any]:
    """Return what a package adds to its manifest's plain data."""
    return {
        "function": described.function,
        "functions": list(described.functions),
        "operations": dict(described.operations),
        "placement": None if isinstance(placement, str) else placement.to_dict(),
    }


def package_facts(described: PackageDescription) -> Iterator[tuple[str, str]]:
    """Give what a package adds to its manifest's facts, as label and text."""
    if described.manifest.io.form == "image":
        yield "", "apps pass pictures as they are, RGB and greyscale; bytes are how runners do"
    others = [name for name in described.functions if name != described.function]
    if others:
        yield "function", f"{described.function}; others: {', '.join(others)}"
    counts = ", ".join(f"{op} {count}" for op, count in described.operations.items())
    yield "operations", f"{sum(described.operations.values())}: {counts}"


def placement_lines(placement: Placement | str) -> Iterator[str]:
    """Give the lines that say where Core ML plans to run what."""
    if isinstance(placement, str):
        yield f"placement: {placement}"
        return
    yield f"placement with {placement.provider}, as Core ML plans it on this machine:"
    rows = [("", "operations", "share of the estimated cost")]
    for device, share in placement.by_device.items():
        rows.append((device, str(share.operations), f"{share.cost:.1%}"))
    yield from table(rows)
    yield from _elsewhere(placement.off_neural_engine)


def _elsewhere(operations: tuple[OperationPlan, ...]) -> Iterator[str]:
    if not operations:
        yield "every operation is on the Neural Engine"
        return
    yield f"not on the Neural Engine, the costliest of {len(operations)} first:"
    shown = operations[:_OPERATIONS_SHOWN]
    yield from table([("name", "op", "on", "cost", "can run on"), *map(_row, shown)])
    if len(operations) > len(shown):
        yield f"and {len(operations) - len(shown)} more: --json has all"


def _row(one: OperationPlan) -> tuple[str, ...]:
    cost = "-" if one.cost is None else f"{one.cost:.2%}"
    return one.name, one.op, one.device, cost, ", ".join(one.supported) or "-"
