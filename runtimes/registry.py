"""Which runtimes there are, and what is known of each before it is imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lama_edge.errors import ModelError
from lama_edge.judging.tolerances import Tolerance


@dataclass(frozen=True)
class Need:
    """What a provider needs beside the package that its runtime's extra brings.

    Attributes:
        systems: those that have it, by `platform.system`; None is all.
        device: the hardware with its driver, in words; None is the processor.
        package: the one that has the provider where that of the extra has not, whose place it
            takes.
    """

    systems: tuple[str, ...] | None = None
    device: str | None = None
    package: str | None = None


@dataclass(frozen=True)
class Runtime:
    """What is known of a runtime without importing it.

    Attributes:
        name: what documents call it, such as ``onnxruntime``.
        title: what people do.
        format: the name in the manifests of the models that it opens.
        suffixes: how the names of their files or folders end, in lower case.
        opener: ``module:attribute`` of what opens one and returns a `Runner`. It takes the path
            and, by keyword, ``provider``, ``threads`` and, if `has_parts`, ``part``.
        providers: the devices or execution providers that it can have, by short names.
        modules: what its package is imported as, first of all, and those whose versions count
            beside it.
        tolerances: by precision, how far its results may be from the reference.
        ways: what may follow a provider, each behind a ``+``.
        host_memory: the providers whose runs take the machine's own memory.
        weights: what the name of the file that holds a model's weights ends in, in the place of
            the model's suffix; None where they are in the model.
        has_parts: whether a model may hold several, of which one is opened.
        auto_on: the systems, by `platform.system`, on which ``auto`` may choose it; None is all.
        is_emulator: whether it is lama-edge's own executor, an `ObservableRunner` that rounds
            every operator's result as the file declares.
        manifest: ``module:attribute`` of a function of the path that returns a file's manifest,
            None where it has none, without the runtime; None where that must open it.
        digest: ``module:attribute`` of a function of the path that returns the digest of what a
            file computes, for manifests' `graph_sha256`; None where those have none.
        facts: ``module:attribute`` of a function of the path, the part and the provider that
            returns what `lama-edge inspect` tells of a model, `ModelFacts`, without opening it;
            None opens it and tells its manifest.
        support: ``module:attribute`` of a function of the same that returns which operators run
            where, `SupportReport`; None where nobody tells.
        needs: by provider, what it needs beside the packages.
        made_with: the options of an export that makes its models, where another runtime opens
            those that the format makes by itself.
    """

    name: str
    title: str
    format: str
    suffixes: tuple[str, ...]
    opener: str
    providers: tuple[str, ...]
    modules: tuple[str, ...]
    tolerances: Mapping[str, Tolerance]
    ways: tuple[str, ...] = ()
    host_memory: tuple[str, ...] = ()
    weights: str | None = None
    has_parts: bool = False
    auto_on: tuple[str, ...] | None = None
    is_emulator: bool = False
    manifest: str | None = None
    digest: str | None = None
    facts: str | None = None
    support: str | None = None
    needs: Mapping[str, Need] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def has(self, provider: str) -> bool:
        """Tell whether a provider, such as ``cuda`` or ``cuda+tf32``, is one of its own."""
        name, *ways = provider.split("+")
        return name in self.providers and set(ways) <= set(self.ways)


# A line for each, ``module:attribute`` of its record; the module must be light, since the command
# line's help is made from them. Where several open a file, `auto` takes the first that it may and
# that is installed.
RUNTIMES = [
    "lama_edge.runtimes.onnxruntime.record:ONNXRUNTIME",
    "lama_edge.runtimes.onnxruntime.record:ONNXRUNTIME_WEB",
    "lama_edge.runtimes.emulator.record:EMULATOR",
    "lama_edge.runtimes.coreml.record:COREML",
    "lama_edge.runtimes.coreml.record:COREML_EMULATOR",
    "lama_edge.runtimes.litert.record:LITERT",
    "lama_edge.runtimes.tensorrt.record:TENSORRT",
    "lama_edge.runtimes.tensorrt.record:TENSORRT_RTX",
    "lama_edge.runtimes.openvino.record:OPENVINO",
    "lama_edge.runtimes.executorch.record:EXECUTORCH",
    "lama_edge.runtimes.ncnn.record:NCNN",
    "lama_edge.runtimes.mnn.record:MNN",
    "lama_edge.runtimes.torch.record:TORCH",
    "lama_edge.runtimes.numpy.record:NUMPY",
]

# The format that manifests name where a runtime opens what models are exported from.
CHECKPOINT = "checkpoint"


def load(reference: str) -> Any:
    """Return what ``module:attribute`` names."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)


def runtimes() -> Iterator[Runtime]:
    """Give the record of every runtime; lines added to `RUNTIMES` later count too."""
    for reference in RUNTIMES:
        yield load(reference)


def checkpoint_runtimes() -> dict[str, Runtime]:
    """Return the records of what runs checkpoints, by name."""
    return {one.name: one for one in runtimes() if one.format == CHECKPOINT}


def provider_names() -> tuple[str, ...]:
    """Return the short names of all runtimes' providers, ``auto`` first."""
    own = (provider for runtime in runtimes() for provider in runtime.providers)
    return tuple(dict.fromkeys(("auto", *own)))


def tolerance_of(runtime: str, precision: str) -> Tolerance:
    """Return how far a model may be from the reference.

    Args:
        runtime: the runtime's name.
        precision: the manifest's.

    Raises:
        ModelError: when there is no such runtime, or none of its tolerances is for that.
    """
    found = {
        (one.name, kind): value for one in runtimes() for kind, value in one.tolerances.items()
    }
    try:
        return found[runtime, precision]
    except KeyError:
        known = ", ".join(" ".join(pair) for pair in found)
        raise ModelError(
            f"there is no parity tolerance for {runtime} {precision}; known: {known}"
        ) from None


def title_of(runtime: str, version: str, provider: str) -> str:
    """Return what documents name a runtime in use; some have no device to tell.

    Args:
        runtime: the runtime's name.
        version: its version.
        provider: the provider in use.

    Returns:
        Such as ``onnxruntime 1.31.1 cpu``.
    """
    emulators = {one.name for one in runtimes() if one.is_emulator}
    has_device = runtime not in emulators and provider != runtime
    return f"{runtime} {version} {provider}" if has_device else f"{runtime} {version}"
