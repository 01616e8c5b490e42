"""The page of a benchmark: what was fast, whether it was right, how sure that is, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.documents.pictures import Picture
from lama_edge.benchmarks.documents.store import BENCH, heading
from lama_edge.benchmarks.reports import figures, images, spelled
from lama_edge.benchmarks.reports.charts.bench import (
    cost_charts,
    has_common_scale,
    latency_charts,
)
from lama_edge.benchmarks.reports.charts.sustained import sustained_chart
from lama_edge.benchmarks.reports.page import (
    device_name,
    environment_facts,
    render,
    require,
)
from lama_edge.benchmarks.reports.runs import (
    Document,
    Run,
    device_traits,
    runs_of,
    shared_traits,
)

_COLUMNS = (
    "Median", "p90", "p99", "Spread", "Samples", "vs first", "Peak memory", "File", "Parity",
)  # fmt: skip
_STARTS = ("First load", "First run", "Cold load", "Cold run", "Warm median", "Sustained")
_HASH_DIGITS = 12


def bench_page(
    documents: Sequence[Document],
    *,
    pictures: Sequence[Picture] = (),
    missing: Mapping[str, str] | None = None,
    show_failed: bool = False,
) -> str:
    """Return one self-contained HTML page about one or more benchmark documents.

    Args:
        documents: benchmark documents that fit their schema, usually one for each device.
        pictures: what runs of the first document made of a picture.
        missing: devices without a document, and why there is none.
        show_failed: whether to show the times of runs whose parity failed, struck through.

    Raises:
        DocumentError: when a document does not fit its schema.
        MissingBackendError: when jinja2 is not installed.
    """
    documents = [require(document, BENCH) for document in documents]
    by_device = runs_of(documents)
    runs = [run for device in by_device for run in device]
    several = len(documents) > 1
    return render(
        "bench.html.jinja",
        title=_title(documents),
        lead=_lead(documents, runs, missing or {}),
        tiles=[tile for device in by_device for tile in _tiles(device)],
        shared=shared_traits(documents),
        columns=_COLUMNS,
        groups=[
            (_heading(document, documents), _rows(device, show_failed))
            for document, device in zip(documents, by_device, strict=True)
        ],
        missing=missing or {},
        latency=latency_charts(by_device),
        common_scale=has_common_scale(by_device),
        costs=cost_charts(runs),
        starts=[
            {"cells": spelled.starts(run), **_named(run, several)} for run in runs if run.statistics
        ],
        start_columns=_STARTS,
        sustained=[
            {
                "chart": sustained_chart(run.name, found),
                "note": spelled.watched(run),
                **_named(run, several),
            }
            for run in runs
            if run.statistics and (found := run.data["sustained"])
        ],
        proofs=[
            {**spelled.proof(run), **_named(run, several)} for run in runs if run.data["parity"]
        ],
        placements=[
            {**spelled.placement(run), **_named(run, several)}
            for run in runs
            if run.data["placement"] and not spelled.whole(run)
        ],
        whole=[
            f"{provider} ran every node of {figures.count(count, 'run')}."
            for provider, count in Counter(filter(None, map(spelled.whole, runs))).items()
        ],
        protocols=sorted({document["protocol"] for document in documents}),
        quality=[
            {**spelled.quality(run), **_named(run, several)} for run in runs if run.data["quality"]
        ],
        rounds=[
            {
                "rounds": [spelled.round_cells(data) for data in run.data["rounds"]],
                "struck": spelled.ROUND_TIMES if run.is_wrong else 0,
                **_named(run, several),
            }
            for run in runs
            if run.data["rounds"] and (show_failed or not run.is_wrong)
        ],
        settings=_settings(documents),
        environments=[
            [*environment_facts(document), *_programs(document)] for document in documents
        ],
        pictures=_pictures(pictures, by_device[0] if by_device else []),
        tools=sorted({str(document["tool"]) for document in documents}) or [heading(BENCH)["tool"]],
    )


def _heading(document: Document, documents: Sequence[Document]) -> tuple[str, list[str]]:
    return device_name(document["environment"]), device_traits(document, documents)


def _title(documents: Sequence[Document]) -> str:
    devices = list(dict.fromkeys(device_name(d["environment"]) for d in documents))
    if len(devices) == 1:
        return f"Latency on {devices[0]}"
    return f"Latency on {len(devices) or 'no'} devices"


def _lead(
    documents: Sequence[Document], runs: Sequence[Run], missing: Mapping[str, str]
) -> list[str]:
    """Say in a few sentences what was measured and what went wrong."""
    models = len({run.data["model"].get("sha256") or run.name for run in runs})
    devices = figures.count(len(documents), "device")
    counts = f"{figures.count(models, 'model')} in {figures.count(len(runs), 'run')}, {devices}."
    sentences = [counts] if documents else []
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        count = figures.count(len(missing), "device")
        sentences.append(f"{count} {verb} no result: {', '.join(missing)}.")
    failed = [run for run in runs if run.data["statistics"] is None]
    wrong = [run for run in runs if run.is_wrong]
    warned = [run for run in runs if run.data["warnings"] and not run.is_wrong]
    if failed:
        verb = "has" if len(failed) == 1 else "have"
        sentences.append(f"{figures.count(len(failed), 'run')} failed and {verb} no figures.")
    if wrong:
        what = "its times mean" if len(wrong) == 1 else "their times mean"
        sentences.append(
            f"{figures.count(len(wrong), 'run')} computed something else than the reference: "
            f"{what} nothing."
        )
    if warned:
        verb = "carries" if len(warned) == 1 else "carry"
        sentences.append(f"{figures.count(len(warned), 'run')} {verb} a warning to read first.")
    if runs and not (missing or failed or wrong or warned):
        sentences.append("Every run finished, none with a warning.")
    return sentences


def _tiles(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Show the fastest run of each size of a device."""
    for group in dict.fromkeys(run.group for run in runs):
        members = [r for r in runs if r.group == group and r.median_ms is not None]
        if not members:
            continue
        best = min(members, key=lambda run: run.median_ms or 0.0)
        what = figures.size(group[0]) + (f", batch {group[1]}" if group[1] != 1 else "")
        alone = len(members) == 1
        yield {
            "label": best.device,
            "figure": figures.duration(best.median_ms),
            "name": best.name,
            "qualifiers": best.qualifiers,
            "note": f"at {what}" if alone else f"fastest of {len(members)} at {what}",
            "comparison": "" if best is members[0] else _faster(best, members[0]),
        }


def _faster(best: Run, base: Run) -> str:
    return f", {figures.ratio(1 / best.ratio)} as fast as {base.name}" if best.ratio else ""


def _rows(runs: Sequence[Run], show_failed: bool) -> list[dict[str, Any]]:
    return [
        {
            "run": run,
            "cells": spelled.cells(run, show_failed),
            "parity": run.data["parity"],
            "struck": spelled.TIMES if run.withheld and show_failed else 0,
            "warnings": run.data["warnings"],
            "error": run.data["error"]
            or (None if run.statistics or run.withheld else "no samples were taken"),
        }
        for run in runs
    ]


def _programs(document: Document) -> list[tuple[str, str]]:
    """Return the programs that ran the models, as a label and a text."""
    found = []
    for run in document["runs"]:
        program = run["program"]
        digest = program["sha256"]
        words = [program["name"], program["version"], digest and f"sha256 {digest[:_HASH_DIGITS]}…"]
        found.append(" ".join(word for word in words if word))
    return [("Run by", ", ".join(dict.fromkeys(found)))]


def _named(run: Run, with_device: bool) -> dict[str, Any]:
    """Return a run with what tells it from the others in a table of all devices."""
    qualifiers = (*run.qualifiers, run.device) if with_device else run.qualifiers
    return {"run": run, "qualifiers": qualifiers}


def _settings(documents: Sequence[Document]) -> list[list[tuple[str, str]]]:
    """Spell each different set of settings."""
    found: list[list[tuple[str, str]]] = []
    for document in documents:
        settings = document["settings"]
        facts = [
            ("Rounds, each in a fresh process", str(settings["rounds"])),
            (
                "Warm-up of a round, kept apart",
                f"at least {figures.duration(settings['min_warmup_ms'])} and "
                f"{figures.count(settings['min_warmup_runs'], 'run')}",
            ),
            (
                "Samples",
                f"at least {figures.count(settings['min_runs'], 'run')} and "
                f"{figures.duration(1000 * settings['min_seconds'])}",
            ),
            ("Cool-down between rounds", _cool_down(settings)),
            ("Protocol", str(document["protocol"])),
        ]
        if settings["sustained_s"] is not None:
            facts.append(("Then without a pause", figures.duration(1000 * settings["sustained_s"])))
        if facts not in found:
            found.append(facts)
    return found


def _cool_down(settings: Mapping[str, Any]) -> str:
    seconds, limit = settings["cool_down_s"], settings["max_temperature_c"]
    told = [figures.duration(1000 * seconds)] if seconds else []
    if limit is not None:
        timeout = figures.duration(1000 * settings["cool_timeout_s"])
        told.append(f"until {limit:g}\u00a0°C, for at most {timeout}")
    return ", then ".join(told) or "none"


def _pictures(pictures: Sequence[Picture], runs: Sequence[Run]) -> list[dict[str, Any]]:
    encoders = [
        images.photo(pixels)
        for picture in pictures
        for pixels in (images.tinted(picture.image, picture.hole), picture.output)
    ]
    uris = iter(images.encode_all(encoders))
    shown = []
    for picture in pictures:
        run = runs[picture.run]
        height, width = picture.hole.shape
        words = (
            (f"The picture given to {run.name}, its hole tinted pink", "Input, hole tinted"),
            (f"The picture that {run.name} returned", "Output"),
        )
        each = [images.Shown(next(uris), alt, text, width, height) for alt, text in words]
        shown.append({"run": run, "images": each})
    return shown
