"""`lama-edge inspect`: what a model or checkpoint is."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.inspect.support import support_lines, support_report
from lama_edge.cli.opening import add_function, add_provider
from lama_edge.cli.rendering import parity_line, print_json
from lama_edge.errors import printable
from lama_edge.files import join_part
from lama_edge.manifest import Manifest
from lama_edge.retired import warn_of
from lama_edge.spec import TensorSpec

if TYPE_CHECKING:
    from lama_edge.runtimes.base import ModelFacts

# Questions that `inspect` answered once: the flag that asked, the command's words now.
_MOVED = {"--ranges": ("ranges",), "--tensorrt": ("support", "--tensorrt")}


def renewed(words: Sequence[str]) -> Sequence[str]:
    """Return a command line as it is written now; of an old one, warn.

    Args:
        words: those behind ``lama-edge``.
    """
    if not words or words[0] != "inspect":
        return words
    for flag, command in _MOVED.items():
        if flag in words:
            now = [*command, *(word for word in words[1:] if word != flag)]
            warn_of(f"inspect {flag}", shlex.join(["lama-edge", *now]))
            return now
    return words


def add_inspect(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge inspect`."""
    inspect = commands.add_parser(
        "inspect",
        parents=[common],
        help="print what a model or checkpoint is",
        description="Print what an exported model says of itself, or what a checkpoint holds. "
        "`lama-edge ranges` shows how large its values become, `lama-edge support` what runs "
        "where.",
    )
    inspect.add_argument(
        "model",
        metavar="MODEL | CHECKPOINT",
        help="MODEL#PART is one size of several in a Core ML package, or one generator of "
        "several in a checkpoint",
    )
    add_provider(inspect, "what to open it with, where it has to be opened")
    add_function(inspect)
    inspect.set_defaults(command=_inspect)


def _inspect(options: argparse.Namespace) -> None:
    from lama_edge.runtimes.base import changed_since_export, choose_runtime  # brings numpy

    model = join_part(options.model, options.function)
    facts = _read(model, options.provider)
    manifest = facts.manifest
    changed = changed_since_export(manifest, Path(options.model))
    support = None
    runtime = choose_runtime(model, provider=options.provider).runtime
    if options.provider != "auto" and runtime.facts and runtime.support:
        # Of a model that is not opened, the provider was for what is `support` now.
        new = ["lama-edge", "support", model, "--provider", options.provider]
        support = support_report(model, options.provider)
        warn_of("inspect --provider", shlex.join(new))
    if options.json:
        state = {"changed_since_export": True} if changed else {}
        told = {} if support is None else support.data
        print_json({**manifest.to_dict(), **facts.data, **told, **state})
        return
    lines = list(table([*_facts(manifest), *facts.rows]))
    if manifest.format["name"] != "checkpoint":
        lines.append(parity_line(manifest.to_dict()["parity"]))
    if changed:
        lines.append("changed since export: its figures are those of the file it was made from")
    lines += [] if support is None else support_lines(support)
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
