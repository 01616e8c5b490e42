"""What there is to say of a LiteRT file: its operators, and which of them delegates take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lama_edge.runtimes.base import ModelFacts, SupportReport
from lama_edge.runtimes.litert.delegates import REPOSITORY, DelegateReport, delegate_reports
from lama_edge.runtimes.litert.reading import manifest_of
from lama_edge.runtimes.litert.structure import read_structure


def file_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read a file's manifest and operators, without LiteRT and without its weights.

    Args:
        path: the ``.tflite`` file.
        part: None; a file has no parts.
        provider: of no effect, since it is not opened.

    Raises:
        ModelError: when the file is damaged or carries no manifest.
    """
    structure = read_structure(path)
    counts = dict(Counter(one.name for one in structure.operators).most_common())
    named = ", ".join(f"{name} {count}" for name, count in counts.items())
    rows = (("operators", f"{len(structure.operators)}: {named}"),)
    return ModelFacts(manifest_of(path, structure), rows, {"operators": counts})


def file_support(path: Path, part: str | None, provider: str) -> SupportReport:
    """Read off the delegates' published lists what each takes of a file, without LiteRT.

    Args:
        path: the ``.tflite`` file.
        part: None; a file has no parts.
        provider: of no effect: LiteRT has one, which takes what delegates leave.

    Raises:
        ModelError: when the file is damaged.
    """
    reports = delegate_reports(read_structure(path))
    summaries = [(one.title, _summary(one)) for one in reports]
    return SupportReport(
        (summaries, *_refusals(reports)), {"delegates": [one.to_dict() for one in reports]}
    )


def _summary(report: DelegateReport) -> str:
    taken = "takes all" if not report.refused else f"takes {report.taken} of {report.operators}"
    return f"{taken}, by {report.source}"


def _refusals(reports: Sequence[DelegateReport]) -> Iterator[str | Sequence[Sequence[str]]]:
    """Give a row for each reason, with the first value that it is about."""
    rows = []
    for report in reports:
        groups = Counter((one.operator, one.reason) for one in report.refused)
        for (operator, reason), count in groups.most_common():
            first = next(
                one.value
                for one in report.refused
                if (one.operator, one.reason) == (operator, reason)
            )
            rows.append([report.title, operator, str(count), first, reason])
    yield f"what delegates take is said by lists in {REPOSITORY}, not by a device"
    if rows:
        yield "left to the processor:"
        yield [["delegate", "operator", "times", "first", "because"], *rows]
