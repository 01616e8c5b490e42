"""Compares two bench documents row by row, and refuses what cannot be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from lama_edge.benchmarks.bench.bootstrap import ratio_interval
from lama_edge.benchmarks.documents.verdicts import is_wrong
from lama_edge.errors import UsageError, printable, shown

Verdict = Literal["slower", "faster", "same"]
Run = Mapping[str, Any]
THRESHOLD = 0.02
_SEED = 20223
_MACHINE = ("device", "chip", "cores", "machine")


@dataclass(frozen=True)
class ComparedRow:
    """One row of both documents.

    Attributes:
        base: name of the base row: model, size and provider.
        new: name of the new row.
        base_median_ms: median of its samples.
        new_median_ms: median of its samples.
        ratio: new over base; above 1 is slower.
        ratio_low: low end of the ratio's 95 % confidence interval.
        ratio_high: its high end.
        peak_memory_ratio: new over base; None where it is not known, or was measured otherwise.
        load_ratio: of the loading in a fresh process, new over base; None likewise.
        size_ratio: of the models' files, new over base; None where it is not known.
        verdict: ``slower`` and ``faster`` only when the whole interval lies on that side of 1 and
            the ratio beyond the threshold.
    """

    base: str
    new: str
    base_median_ms: float
    new_median_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    peak_memory_ratio: float | None
    load_ratio: float | None
    size_ratio: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """What became of the new document's rows.

    Attributes:
        threshold: smallest relative change that counts.
        rows: in the base's order.
        notes: what differs without forbidding the comparison, one line each.
    """

    threshold: float
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """Whether any row became slower."""
        return any(row.verdict == "slower" for row in self.rows)

    def lines(self) -> Iterator[str]:
        """Spell the comparison for people: one line for each row, then the notes."""
        for row in self.rows:
            name = row.new if row.new == row.base else f"{row.new} against {row.base}"
            extras = "".join(
                f", {what} {ratio:.3f}"
                for what, ratio in (
                    ("load", row.load_ratio),
                    ("peak memory", row.peak_memory_ratio),
                    ("model size", row.size_ratio),
                )
                if ratio is not None
            )
            yield printable(
                f"{row.verdict:<6}  {name}: {row.base_median_ms:.4g} ms -> "
                f"{row.new_median_ms:.4g} ms, ratio {row.ratio:.3f} "
                f"({row.ratio_low:.3f} to {row.ratio_high:.3f}){extras}"
            )
        yield from (printable(f"note: {note}") for note in self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ready for JSON."""
        return {
            "threshold": self.threshold,
            "regressed": self.regressed,
            "rows": [asdict(row) for row in self.rows],
            "notes": list(self.notes),
        }


def compare(
    base: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    threshold: float = THRESHOLD,
) -> Comparison:
    """Compare two bench documents.

    Rows are paired by model name, size and provider, and by the program too where one document has
    rows of several; when each document has a single row, those two are a pair whatever their
    models are called.

    Args:
        base: a document as `load_document` gives it.
        new: the other one.
        threshold: smallest relative change that counts, 0.02 is 2 %.

    Raises:
        UsageError: when the documents have no row in common, a row has no statistics or its
            parity failed, or the two differ in what would make a ratio meaningless: device, chip,
            cores, machine, browser, target, provider, runtime (versions may differ), threads, size,
            batch, form of the inputs, architecture, or, where both tell, the GPU of a page, pinned
            clocks, governor, power mode and whether the battery was charged.
    """
    if not 0 <= threshold < float("inf"):
        raise UsageError(f"threshold is {threshold}; give 0 or more, 0.02 is 2 %")
    for name in _MACHINE:
        _same(f"environment.{name}", base["environment"][name], new["environment"][name])
    sides = base["environment"], new["environment"]
    _same("environment.browser", *map(_browser, sides))
    if all(map(_gpu, sides)):
        _same("environment.gpu", *map(_gpu, sides))
    # Python's rows are compared with a worker's, unless a document has both.
    several = any(len({run["program"]["name"] for run in side["runs"]}) > 1 for side in (base, new))
    title = _title_in_program if several else _title
    pairs, notes = _pairs(base["runs"], new["runs"], title)
    protocols = base["protocol"], new["protocol"]
    alike = protocols[0] == protocols[1]
    if not alike:
        notes.append(
            f"the protocol is {protocols[0]} in the base and {protocols[1]} in the new document: "
            "memory and loading were measured otherwise and have no ratio"
        )
    rows = []
    for old, young in pairs:
        _check_comparable(old, young)
        notes += _differences(old, young)
        row = _compare_rows(old, young, threshold, alike=alike)
        rows.append(replace(row, base=title(old), new=title(young)))
    notes += _environment_differences(base["environment"], new["environment"])
    return Comparison(threshold, tuple(rows), tuple(dict.fromkeys(notes)))


def _pairs(
    base: Sequence[Run], new: Sequence[Run], title: Callable[[Run], str]
) -> tuple[list[tuple[Run, Run]], list[str]]:
    if len(base) == len(new) == 1:
        return [(base[0], new[0])], []
    olds, youngs = _by_title(base, "base", title), _by_title(new, "new", title)
    common = [title for title in olds if title in youngs]
    if not common:
        raise UsageError(
            f"the documents have no row in common: {', '.join(olds)} against {', '.join(youngs)} "
            "(rows are paired by model name, size and provider)"
        )
    lonely = [f"{title} is in the base only" for title in olds if title not in youngs]
    lonely += [f"{title} is in the new document only" for title in youngs if title not in olds]
    return [(olds[title], youngs[title]) for title in common], lonely


def _by_title(runs: Sequence[Run], which: str, title: Callable[[Run], str]) -> dict[str, Run]:
    found: dict[str, Run] = {}
    for run in runs:
        if title(run) in found:
            raise UsageError(f"the {which} document has two rows of {title(run)}")
        found[title(run)] = run
    return found


def _title(run: Run) -> str:
    return f"{run['model']['name']} at {run['size'] or 'unknown size'} on {run['provider']}"


def _title_in_program(run: Run) -> str:
    return f"{_title(run)} in {run['program']['name']}"


def _check_comparable(base: Run, new: Run) -> None:
    for which, run in (("base", base), ("new", new)):
        if run["statistics"] is None:
            raise UsageError(f"the {which} row of {_title(run)} has no figures: {run['error']}")
        if is_wrong(run):
            raise UsageError(
                f"the {which} row of {_title(run)} computes something else than its reference "
                f"{run['parity']['reference']}: its times mean nothing"
            )
    old, young = _setting(base), _setting(new)
    for name in old:
        _same(name, old[name], young[name])
    was, is_now = _conditions(base), _conditions(new)
    for name in was:
        if was[name] and is_now[name]:
            _same(name, was[name], is_now[name])


def _conditions(run: Run) -> dict[str, str]:
    """Return how the device was set up over all rounds; empty where nothing tells."""
    sensors = [moment for one in run["rounds"] for moment in one["sensors"].values()]
    known = {
        **{name: [one[name] for one in sensors] for name in ("clocks_pinned", "power_mode")},
        "governor": [one["governor"] for one in sensors],
        "charging": [_charging(one["battery"]) for one in sensors],
    }
    return {
        name: ", ".join(sorted({str(value) for value in values if value is not None}))
        for name, values in known.items()
    }


def _charging(battery: Mapping[str, Any] | None) -> bool | None:
    """Say whether a device ran on the mains: whatever is not discharging does."""
    status = None if battery is None else battery["status"]
    if status is None or status.lower() == "unknown":
        return None
    return bool(status.lower() != "discharging")


def _setting(run: Run) -> dict[str, Any]:
    """Return what must be the same on both sides."""
    return {
        **{name: run[name] for name in ("target", "provider", "threads", "size", "batch")},
        "runtime": _runtime(run)[0],
        "model.io": run["model"]["io"],
        "model.architecture": run["model"]["architecture"],
    }


def _same(name: str, base: Any, new: Any) -> None:
    if base != new:
        raise UsageError(
            f"not comparable: {name} is {shown(base)} in the base and {shown(new)} in the new "
            "document; measure both on one machine with the same settings"
        )


def _runtime(run: Run) -> tuple[str, str]:
    name, _, version = str(run["runtime"]).partition(" ")
    return name, version


def _differences(base: Run, new: Run) -> Iterator[str]:
    """Say what the reader of a ratio should know of the two sides."""
    (runtime, old), (_, young) = _runtime(base), _runtime(new)
    if old != young:
        yield f"{runtime} is {old} in the base and {young} in the new document"
    was_in, is_in = (side["program"]["name"] for side in (base, new))
    if was_in != is_in and "unknown" not in (was_in, is_in):
        yield f"{_title(new)}: run by {was_in} in the base and by {is_in} in the new document"
    conditions = _conditions(base), _conditions(new)
    for name in conditions[0]:
        was, is_now = (side[name] or "unknown" for side in conditions)
        if was != is_now:
            yield f"{name} is {was} in the base and {is_now} in the new document"
    for name in ("precision", "dft", "format", "parameters", "for"):
        was, is_now = (side["model"].get(name) for side in (base, new))
        if was != is_now:
            yield f"{_title(new)}: {name} is {was} in the base and {is_now} in the new document"
    for which, run in (("base", base), ("new", new)):
        for warning in run["warnings"]:
            yield f"{which}, {_title(run)}: {warning}"


def _browser(environment: Mapping[str, Any]) -> str | None:
    """Spell which browser a page ran in, its version left out."""
    found = environment.get("browser")
    isolation = "" if found is None or found["isolated"] else ", not isolated"
    return None if found is None else f"{found['name']}{isolation}"


def _gpu(environment: Mapping[str, Any]) -> str:
    found = environment.get("gpu") or {}
    names = (found.get(name) for name in ("vendor", "architecture", "description"))
    return " ".join(filter(None, names))


def _environment_differences(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    versions = [
        {**side, "browser": (side.get("browser") or {}).get("version")} for side in (base, new)
    ]
    return [
        f"{name} is {versions[0].get(name) or 'unknown'} in the base and "
        f"{versions[1].get(name) or 'unknown'} in the new document"
        for name in ("os", "python", "browser")
        if versions[0].get(name) != versions[1].get(name)
    ]


def _compare_rows(base: Run, new: Run, threshold: float, *, alike: bool) -> ComparedRow:
    old, young = _samples(base), _samples(new)
    base_median, new_median = (float(np.median(np.concatenate(side))) for side in (old, young))
    ratio = new_median / base_median
    low, high = ratio_interval(old, young, seed=_SEED)
    verdict: Verdict = "same"
    if low > 1 and ratio >= 1 + threshold:
        verdict = "slower"
    elif high < 1 and ratio <= 1 / (1 + threshold):
        verdict = "faster"
    return ComparedRow(
        base=_title(base),
        new=_title(new),
        base_median_ms=base_median,
        new_median_ms=new_median,
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        peak_memory_ratio=_ratio(new["memory_bytes"], base["memory_bytes"]) if alike else None,
        load_ratio=_ratio(new["statistics"]["cold_load_ms"], base["statistics"]["cold_load_ms"])
        if alike
        else None,
        size_ratio=_ratio(new["model"]["size_bytes"], base["model"]["size_bytes"]),
        verdict=verdict,
    )


def _samples(run: Run) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    rounds = [np.asarray(one["samples_ms"], dtype=np.float64) for one in run["rounds"]]
    if any((one <= 0).any() for one in rounds):
        raise UsageError(f"{_title(run)} has samples of no duration; measure it again")
    return rounds


def _ratio(new: float | None, base: float | None) -> float | None:
    return new / base if new and base else None
