"""`lama-edge support`: which operators of a model run on which provider, device or delegate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.inspect.tensorrt import print_capability
from lama_edge.cli.opening import add_provider
from lama_edge.cli.rendering import print_json
from lama_edge.engines import FLAVOR_CHOICES
from lama_edge.errors import UsageError, printable
from lama_edge.runtimes.registry import load, runtimes

if TYPE_CHECKING:
    from lama_edge.runtimes.base import SupportReport


def add_support(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge support`."""
    support = commands.add_parser(
        "support",
        parents=[common],
        help="show which of a model's operators run where",
        description="Ask what takes which operators of a model: of an ONNX file ONNX Runtime's "
        "providers, or TensorRT's parser; of an OpenVINO model the devices that are here; of a "
        "Core ML package, on macOS, Core ML's plan; of a LiteRT file the published lists of its "
        "delegates, which needs no device.",
    )
    support.add_argument(
        "model", metavar="MODEL", help="MODEL#PART is one size of several in a Core ML package"
    )
    add_provider(support, "the provider or device to ask")
    support.add_argument(
        "--tensorrt",
        action="store_true",
        help="ask TensorRT's parser which nodes of an ONNX file it takes; needs no GPU",
    )
    support.add_argument(
        "--flavor",
        choices=FLAVOR_CHOICES,
        help="with --tensorrt: the library to ask (default: auto, which is tensorrt where it is "
        "installed)",
    )
    support.set_defaults(command=_support)


def _support(options: argparse.Namespace) -> None:
    if options.flavor is not None and not options.tensorrt:
        raise UsageError("--flavor is about TensorRT: add --tensorrt")
    if options.tensorrt:
        if options.provider != "auto":
            raise UsageError("--provider is not about --tensorrt: leave it out")
        print_capability(options)
        return
    report = support_report(options.model, options.provider)
    if options.json:
        print_json(report.data)
        return
    for line in support_lines(report):
        print(printable(line))


def support_report(model: str, provider: str) -> SupportReport:
    """Ask what takes a model's operators.

    Args:
        model: an exported model's path, with its part.
        provider: see `lama_edge.runtimes.base.open_runner`.

    Raises:
        UsageError: when nobody tells of its format.
        ModelError: when the model cannot be read.
        MissingBackendError: when what is to be asked is not here.
    """
    from lama_edge.runtimes.base import choose_runtime  # brings numpy

    choice = choose_runtime(model, provider=provider)
    if choice.runtime.support is None:
        known = dict.fromkeys(
            suffix for one in runtimes() if one.support for suffix in one.suffixes
        )
        raise UsageError(
            f"{choice.runtime.title} does not tell which operators of {model!r} run where: give a "
            f"model that ends in {', '.join(known)}"
        )
    report: SupportReport = load(choice.runtime.support)(choice.path, choice.part, provider)
    return report


def support_lines(report: SupportReport) -> list[str]:
    """Spell a report, a line each."""
    return [
        line
        for piece in report.pieces
        for line in ([piece] if isinstance(piece, str) else table(piece))
    ]
