"""What there is to say of a Core ML package: functions, operations, and where Core ML runs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lama_edge.errors import ModelError
from lama_edge.runtimes.base import ModelFacts, SupportReport
from lama_edge.runtimes.coreml.description import PackageDescription, describe_package
from lama_edge.runtimes.coreml.placement import (
    MACOS_NEEDED,
    OperationPlan,
    Placement,
    read_placement,
)
from lama_edge.runtimes.coreml.runner import on_macos

_OPERATIONS_SHOWN = 20


def package_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read a function's description without its weights.

    Args:
        path: the ``.mlpackage`` folder.
        part: which function; None is the default one.
        provider: of no effect, since it is not opened.

    Raises:
        ModelError: when the package cannot be read.
    """
    described = describe_package(path, part)
    return ModelFacts(
        described.manifest,
        tuple(_rows(described)),
        {
            "function": described.function,
            "functions": list(described.functions),
            "operations": dict(described.operations),
        },
    )


def package_support(path: Path, part: str | None, provider: str) -> SupportReport:
    """Ask Core ML, on macOS, where it plans to run a function's operations.

    Args:
        path: the ``.mlpackage`` folder.
        part: which function; None is the default one.
        provider: what Core ML may use; ``auto`` is all of it, if this is macOS.

    Raises:
        ModelError: when the package cannot be read, or the provider has no plan for it.
        UsageError: for ``emulated``, which plans nothing.
        MissingBackendError: for another provider than ``auto`` off macOS.
    """
    placement = _placement(path, describe_package(path, part), provider)
    return SupportReport(
        tuple(placement_lines(placement)),
        {"placement": None if isinstance(placement, str) else placement.to_dict()},
    )


def _placement(path: Path, described: PackageDescription, provider: str) -> Placement | str:
    if provider == "auto" and not on_macos():
        return f"Core ML plans it on the device: ask on macOS {MACOS_NEEDED} or newer"
    try:
        return read_placement(
            path,
            "all" if provider == "auto" else provider,
            described.function,
            several=len(described.functions) > 1,
        )
    except ModelError as error:
        if provider != "auto":
            raise
        return str(error)


def _rows(described: PackageDescription) -> Iterator[tuple[str, str]]:
    if described.manifest.io.form == "image":
        yield "", "apps pass pictures as they are, RGB and greyscale; bytes are how runners do"
    others = [name for name in described.functions if name != described.function]
    if others:
        yield "function", f"{described.function}; others: {', '.join(others)}"
    counts = ", ".join(f"{op} {count}" for op, count in described.operations.items())
    yield "operations", f"{sum(described.operations.values())}: {counts}"


def placement_lines(placement: Placement | str) -> Iterator[str | Sequence[Sequence[str]]]:
    """Give the lines and tables that say where Core ML plans to run what, or why nobody knows."""
    if isinstance(placement, str):
        yield f"placement: {placement}"
        return
    yield f"placement with {placement.provider}, as Core ML plans it on this machine:"
    rows = [("", "operations", "share of the estimated cost")]
    for device, share in placement.by_device.items():
        rows.append((device, str(share.operations), f"{share.cost:.1%}"))
    yield rows
    elsewhere = placement.off_neural_engine
    if not elsewhere:
        yield "every operation is on the Neural Engine"
        return
    yield f"not on the Neural Engine, the costliest of {len(elsewhere)} first:"
    shown = elsewhere[:_OPERATIONS_SHOWN]
    yield [("name", "op", "on", "cost", "can run on"), *map(_row, shown)]
    if len(elsewhere) > len(shown):
        yield f"and {len(elsewhere) - len(shown)} more: lama-edge support --json has all"


def _row(one: OperationPlan) -> tuple[str, ...]:
    cost = "-" if one.cost is None else f"{one.cost:.2%}"
    return one.name, one.op, one.device, cost, ", ".join(one.supported) or "-"
