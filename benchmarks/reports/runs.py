"""What the runs of benchmark documents have in common, what tells them apart, and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lama_edge.benchmarks.documents.verdicts import is_wrong
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.page import device_name

Document = Mapping[str, Any]
_TRAITS = (
    "precision",
    "size",
    "batch",
    "provider",
    "threads",
    "runtime",
    "target",
    "io",
    "dft",
    "for",
)
# Never left to the line of what all runs share: the name alone says too little.
_ALWAYS = frozenset({"precision"})


@dataclass(frozen=True)
class Run:
    """One run of a document, with what the report says of it everywhere.

    Attributes:
        data: the run as the document has it.
        device: what the device is called.
        anchor: identifier in the page.
        name: the model's file name.
        qualifiers: precision, and whatever else differs between the runs of the report.
        ratio: median over that of the first run of the same device, size and batch; None where
            there is no median.
    """

    data: Mapping[str, Any]
    device: str
    anchor: str
    name: str
    qualifiers: tuple[str, ...]
    ratio: float | None

    @property
    def statistics(self) -> Mapping[str, Any] | None:
        """The statistics, None for a run that failed or whose parity did."""
        return None if self.is_wrong else self.data["statistics"]

    @property
    def withheld(self) -> Mapping[str, Any] | None:
        """The statistics of a run whose parity failed: its times are of something else."""
        return self.data["statistics"] if self.is_wrong else None

    @property
    def is_wrong(self) -> bool:
        """Whether it computed something else than its reference."""
        return is_wrong(self.data)

    @property
    def median_ms(self) -> float | None:
        """The median latency, None for a run that failed or whose parity did."""
        return None if self.statistics is None else self.statistics["median_ms"]

    @property
    def samples_ms(self) -> list[float]:
        """The raw samples of all rounds."""
        return [sample for round_ in self.data["rounds"] for sample in round_["samples_ms"]]

    @property
    def group(self) -> tuple[str | None, int]:
        """What must be equal for latencies to be compared: size and batch."""
        return self.data["size"], self.data["batch"]


def runs_of(documents: Sequence[Document]) -> list[list[Run]]:
    """Return the runs of each document."""
    own = _own_traits(documents)
    return [
        _runs(document, index, own, device)
        for index, (document, device) in enumerate(zip(documents, _devices(documents), strict=True))
    ]


def shared_traits(documents: Sequence[Document]) -> list[str]:
    """Return what all runs have in common, in words."""
    found = [_values(documents, trait) for trait in _TRAITS if trait not in _ALWAYS]
    return [value for values in found if len(values) == 1 for value in values if value]


def device_traits(document: Document, documents: Sequence[Document]) -> list[str]:
    """Return what tells all runs of one device from those of the others, in words."""
    own = _own_traits(documents)
    found = [
        _values([document], trait)
        for trait in _TRAITS
        if trait not in own and len(_values(documents, trait)) > 1
    ]
    return [value for values in found for value in values if value]


def _own_traits(documents: Sequence[Document]) -> list[str]:
    """Return the traits in which runs of the same device differ."""
    return [
        trait
        for trait in _TRAITS
        if trait in _ALWAYS or any(len(_values([one], trait)) > 1 for one in documents)
    ]


def _values(documents: Sequence[Document], trait: str) -> set[str]:
    """Return the different values that a trait has; runs that could not begin have none."""
    traits = [_traits(run)[trait] for document in documents for run in document["runs"]]
    return set(filter(None, traits)) or set(traits)


def _devices(documents: Sequence[Document]) -> list[str]:
    """Name each document's device; equal names are numbered."""
    names = [device_name(document["environment"]) for document in documents]
    return [
        f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _runs(document: Document, index: int, varying: Sequence[str], device: str) -> list[Run]:
    first: dict[tuple[str | None, int], float] = {}
    runs = []
    for number, data in enumerate(document["runs"]):
        traits = _traits(data)
        median = None
        if data["statistics"] and not is_wrong(data):
            median = data["statistics"]["median_ms"]
        base = None
        if median is not None:
            base = first.setdefault((data["size"], data["batch"]), median)
        runs.append(
            Run(
                data=data,
                device=device,
                anchor=f"run-{index}-{number}",
                name=data["model"]["name"],
                qualifiers=tuple(traits[trait] for trait in varying if traits[trait]),
                ratio=median / base if median is not None and base else None,
            )
        )
    return runs


def _traits(run: Mapping[str, Any]) -> dict[str, str]:
    """Spell what tells one run from another."""
    model = run["model"]
    threads, batch = run.get("threads"), run.get("batch")
    return {
        "precision": str(model.get("precision") or ""),
        "size": figures.size(run["size"]) if run.get("size") else "",
        "batch": "" if batch is None else f"batch {batch}",
        "provider": f"{run['provider']} provider" if run.get("provider") else "",
        "threads": "" if threads is None else figures.count(threads, "thread"),
        "runtime": str(run.get("runtime") or ""),
        "target": f"target {run['target']}" if run.get("target") else "",
        "io": f"{model['io']} form" if model.get("io") else "",
        "dft": f"Fourier transform as {model['dft']}" if model.get("dft") else "",
        "for": f"--for {model['for']}" if model.get("for") else "",
    }
