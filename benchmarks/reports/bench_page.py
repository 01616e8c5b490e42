"""The page of a benchmark: what was fast, whether it was right, how sure that is, what it costs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.documents.pictures import Picture
from lama_edge.benchmarks.documents.store import BENCH
from lama_edge.benchmarks.reports import figures, images
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

# Of the results; the last three are shown of a run whose parity failed too.
_COLUMNS = (
    "Median", "p90", "p99", "Spread", "Samples", "vs first", "Peak memory", "File", "Parity",
)  # fmt: skip
_TIMES = 6
_ROUND_TIMES = 5
_STARTS = ("First load", "First run", "Cold load", "Cold run", "Warm median", "Sustained")
_HASH_DIGITS = 12


def bench_page(
    documents: Sequence[Document],
    *,
    pictures: Sequence[Picture] = (),
    show_failed: bool = False,
) -> str:
    """Return one self-contained HTML page about one or more benchmark documents.

    Args:
        documents: benchmark documents that fit their schema, usually one for each device.
        pictures: what runs of the first document made of a picture.
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
        lead=_lead(documents, runs),
        tiles=[tile for device in by_device for tile in _tiles(device)],
        shared=shared_traits(documents),
        columns=_COLUMNS,
        groups=[
            (_heading(document, documents), _rows(device, show_failed))
            for document, device in zip(documents, by_device, strict=True)
        ],
        latency=latency_charts(by_device),
        common_scale=has_common_scale(by_device),
        costs=cost_charts(runs),
        starts=[{"cells": _starts(run), **_named(run, several)} for run in runs if run.statistics],
        start_columns=_STARTS,
        sustained=[
            {
                "chart": sustained_chart(run.name, found),
                "note": _watched(run),
                **_named(run, several),
            }
            for run in runs
            if run.statistics and (found := run.data["sustained"])
        ],
        proofs=[{**_proof(run), **_named(run, several)} for run in runs if run.data["parity"]],
        placements=[
            {**_placement(run), **_named(run, several)}
            for run in runs
            if run.data["placement"] and not _whole(run)
        ],
        whole=[
            f"{provider} ran every node of {figures.count(count, 'run')}."
            for provider, count in Counter(filter(None, map(_whole, runs))).items()
        ],
        protocols=sorted({document["protocol"] for document in documents}),
        quality=[{**_quality(run), **_named(run, several)} for run in runs if run.data["quality"]],
        rounds=[
            {
                "rounds": [_round(data) for data in run.data["rounds"]],
                "struck": _ROUND_TIMES if run.is_wrong else 0,
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
        tools=sorted({str(document["tool"]) for document in documents}),
    )


def _heading(document: Document, documents: Sequence[Document]) -> tuple[str, list[str]]:
    return device_name(document["environment"]), device_traits(document, documents)


def _title(documents: Sequence[Document]) -> str:
    devices = list(dict.fromkeys(device_name(d["environment"]) for d in documents))
    if len(devices) == 1:
        return f"Latency on {devices[0]}"
    return f"Latency on {len(devices)} devices"


def _lead(documents: Sequence[Document], runs: Sequence[Run]) -> list[str]:
    """Say in a few sentences what was measured and what went wrong."""
    models = len({run.data["model"].get("sha256") or run.name for run in runs})
    devices = figures.count(len(documents), "device")
    sentences = [
        f"{figures.count(models, 'model')} in {figures.count(len(runs), 'run')}, {devices}."
    ]
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
    if runs and not failed and not wrong and not warned:
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
            "cells": _cells(run, show_failed),
            "parity": run.data["parity"],
            "struck": _TIMES if run.withheld and show_failed else 0,
            "warnings": run.data["warnings"],
            "error": run.data["error"] or (None if _any(run) else "no samples were taken"),
        }
        for run in runs
    ]


def _any(run: Run) -> Mapping[str, Any] | None:
    return run.statistics or run.withheld


def _cells(run: Run, show_failed: bool) -> list[str]:
    """Spell a run's figures in the order of the columns, without the last one."""
    found = _any(run)
    if found is None:
        return []
    times = [
        figures.duration(found["median_ms"]),
        figures.duration(found["p90_ms"]),
        figures.duration(found["p99_ms"]),
        figures.percent(found["spread"]),
        str(found["count"]),
        figures.ratio(run.ratio),
    ]
    if run.withheld and not show_failed:
        times = [figures.UNKNOWN] * _TIMES
    return [
        *times,
        figures.memory(run.data["memory_bytes"]),
        figures.file_size(run.data["model"]["size_bytes"]),
    ]


def _starts(run: Run) -> list[str]:
    """Spell the times of a run that begins, beside its warm ones."""
    found = run.statistics
    assert found is not None
    return [
        figures.duration(found["first_load_ms"]),
        figures.duration(found["first_run_ms"]),
        figures.duration(found["cold_load_ms"]),
        figures.duration(found["cold_run_ms"]),
        figures.duration(found["median_ms"]),
        figures.ratio(found["sustained_ratio"]),
    ]


def _watched(run: Run) -> str:
    """Say what became of a device while it ran without a pause."""
    sustained, found = run.data["sustained"], run.statistics
    assert found is not None
    told = [f"{figures.count(len(sustained['samples_ms']), 'run')} in a row"]
    if found["sustained_ratio"] is not None:
        told.append(f"{figures.ratio(found['sustained_ratio'])} as long at the end as at the begin")
    if watched := sustained["watched"]:
        before, after = watched[0], watched[-1]
        changes = [
            _change(_clock(before), _clock(after), "MHz"),
            _change(_hottest(before), _hottest(after), "°C"),
        ]
        told += [change for change in changes if change != figures.UNKNOWN]
        if _throttling(before["throttled"], after["throttled"]) not in (
            "no",
            "0×",
            figures.UNKNOWN,
        ):
            told.append("throttled")
    return ", ".join(told)


def _proof(run: Run) -> dict[str, Any]:
    """Spell how far what the timed process gave is from the reference."""
    parity = run.data["parity"]
    return {
        "passed": parity["passed"],
        "reference": parity["reference"],
        "cells": [
            figures.scientific(parity["max_abs_diff"]),
            figures.scientific(parity["tolerance"]),
            figures.decibels(parity["psnr_db"], missing="equal"),
            figures.decibels(parity["least_psnr_db"]),
        ],
    }


def _placement(run: Run) -> dict[str, Any]:
    """Spell what ran where, by nodes of the graph."""
    placement = run.data["placement"]
    nodes = placement["providers"]
    total = sum(nodes.values()) or 1
    return {
        "providers": ", ".join(
            f"{name} {figures.count(count, 'node')} ({figures.percent(count / total)})"
            for name, count in sorted(nodes.items(), key=lambda item: -item[1])
        ),
        "fell_back": placement["fell_back"],
    }


def _whole(run: Run) -> str | None:
    """Return the provider that ran all of a graph, if one did."""
    placement = run.data["placement"]
    if placement is None or len(placement["providers"]) != 1 or placement["fell_back"]:
        return None
    return str(*placement["providers"])


def _programs(document: Document) -> list[tuple[str, str]]:
    """Return the programs that ran the models, as a label and a text."""
    spelled = []
    for run in document["runs"]:
        program = run["program"]
        digest = program["sha256"]
        words = [program["name"], program["version"], digest and f"sha256 {digest[:_HASH_DIGITS]}…"]
        spelled.append(" ".join(word for word in words if word))
    return [("Run by", ", ".join(dict.fromkeys(spelled)))]


def _quality(run: Run) -> dict[str, Any]:
    """Spell the parity figures that a model carries, beside how long it takes."""
    quality = run.data["quality"]
    sizes = quality["sizes"]
    return {
        "median": figures.duration(run.median_ms),
        "psnr": figures.decibels(quality["psnr_db"], missing="equal"),
        "least": figures.decibels(quality["least_psnr_db"]),
        "snr": figures.decibels(quality["snr_db"], missing="equal"),
        "largest": figures.scientific(quality["max_abs_diff"]),
        "tolerance": figures.scientific(quality["tolerance"]),
        "passed": quality["passed"],
        "reference": quality["reference"],
        "sizes": figures.size(sizes[0]) if len(sizes) == 1 else f"{len(sizes)} sizes",
    }


def _named(run: Run, with_device: bool) -> dict[str, Any]:
    """Return a run with what tells it from the others in a table of all devices."""
    qualifiers = (*run.qualifiers, run.device) if with_device else run.qualifiers
    return {"run": run, "qualifiers": qualifiers}


def _round(data: dict[str, Any]) -> list[str]:
    samples, warmup = data["samples_ms"], data["warmup_ms"]
    sensors = data.get("sensors") or {}
    before, after = sensors.get("before") or {}, sensors.get("after") or {}
    load = data.get("other_load")
    return [
        figures.duration(statistics.median(samples)) if samples else figures.UNKNOWN,
        str(len(samples)),
        f"{len(warmup)} in {figures.duration(sum(warmup))}" if warmup else "0",
        figures.duration(data["first_run_ms"]),
        figures.duration(data["load_ms"]),
        _waited(data["waited"]),
        figures.UNKNOWN if load is None else f"{load:.2f}\u00a0cores",
        _change(_clock(before), _clock(after), "MHz"),
        _change(_hottest(before), _hottest(after), "°C"),
        _throttling(before.get("throttled"), after.get("throttled")),
        _power(after) or figures.UNKNOWN,
    ]


def _waited(waited: Mapping[str, Any] | None) -> str:
    """Spell how long a device cooled, and to what."""
    if waited is None:
        return figures.UNKNOWN
    late = "timed out, " if waited["timed_out"] else ""
    reached = f"{waited['temperature_c']:.1f}\u00a0°C ({waited['sensor']})"
    return f"{late}{figures.duration(1000 * waited['seconds'])}, {reached}"


def _power(sensors: dict[str, Any]) -> str:
    """Spell what sets a device's clocks and feeds it."""
    battery, pinned = sensors.get("battery"), sensors.get("clocks_pinned")
    return ", ".join(
        filter(
            None,
            (
                sensors.get("power_mode"),
                sensors.get("governor"),
                None if pinned is None else f"clocks {'' if pinned else 'not '}pinned",
                battery
                and " ".join(filter(None, (f"{battery['percent']:.0f}\u00a0%", battery["status"]))),
            ),
        )
    )


def _throttling(before: bool | int | None, after: bool | int | None) -> str:
    """Spell whether the device throttles now, or how often it did while sampling."""
    if after is None:
        return figures.UNKNOWN
    if isinstance(after, bool):
        return "yes" if after else "no"
    return f"{after - (before or 0)}×"


def _clock(sensors: dict[str, Any]) -> float | None:
    clocks = sensors.get("clock_mhz")
    return statistics.fmean(clocks) if clocks else None


def _hottest(sensors: dict[str, Any]) -> float | None:
    temperatures = sensors.get("temperature_c")
    return max(temperatures.values()) if temperatures else None


def _change(before: float | None, after: float | None, unit: str) -> str:
    if before is None and after is None:
        return figures.UNKNOWN
    spelled = [figures.UNKNOWN if v is None else f"{v:.0f}" for v in (before, after)]
    return f"{spelled[0]} → {spelled[1]}\u00a0{unit}"


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
