"""The page of a parity check: the verdict first, then the figures and pictures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.documents.pictures import CasePictures
from lama_edge.benchmarks.documents.store import PARITY
from lama_edge.benchmarks.documents.verdicts import parity_verdict
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.svg import Bar, Chart, log_scale
from lama_edge.benchmarks.reports.page import environment_facts, render, require
from lama_edge.benchmarks.reports.parity_pictures import CaseShown, show_cases

_CASE_COLUMNS = (
    "Max diff", "Mean diff", "PSNR", "SNR", "SSIM", "Levels differing", "Known changed",
    "Hole", "Border",
)  # fmt: skip


def parity_page(document: Mapping[str, Any], *, pictures: Sequence[CasePictures] = ()) -> str:
    """Return one self-contained HTML page about a parity document.

    Args:
        document: a parity document that fits its schema.
        pictures: pictures of any of its cases.

    Raises:
        DocumentError: when the document does not fit its schema.
        MissingBackendError: when jinja2 is not installed.
    """
    document = require(document, PARITY)
    models = document["models"]
    shown = show_cases(document, pictures)
    failed = sum(not model["passed"] for model in models)
    return render(
        "parity.html.jinja",
        title=_title(len(models), failed, document["reference"]["name"]),
        passed=bool(models) and not failed,
        reference=document["reference"],
        overview=[_overview(index, model) for index, model in enumerate(models)],
        closeness=_closeness(models),
        case_columns=_CASE_COLUMNS,
        models=[_model(index, model, shown) for index, model in enumerate(models)],
        environment=environment_facts(document),
        tool=document["tool"],
    )


def _title(total: int, failed: int, reference: str) -> str:
    if not total:
        return "No model was judged"
    if failed:
        return f"{failed} of {total} models failed against {reference}"
    if total == 1:
        return f"The model matches {reference}"
    return f"All {total} models match {reference}"


def _overview(index: int, model: Mapping[str, Any]) -> dict[str, Any]:
    worst = model["worst"]
    return {
        "anchor": f"model-{index}",
        "name": model["model"]["name"],
        "qualifiers": _qualifiers(model),
        "passed": model["passed"],
        "error": model["error"],
        "why": str(parity_verdict(model)) if worst is not None and not model["passed"] else None,
        "cells": [] if worst is None else _worst_cells(model, worst),
    }


def _worst_cells(model: Mapping[str, Any], worst: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Max diff", figures.scientific(worst["max_abs_diff"])),
        ("Tolerance", figures.scientific(model["tolerance"])),
        ("Tolerance needed", figures.scientific(model["tolerance_needed"])),
        ("Mean diff", figures.scientific(worst["mean_abs_diff"])),
        ("PSNR", figures.decibels_of(worst, "psnr_db")),
        ("Least PSNR", figures.decibels(model["least_psnr_db"])),
        ("SNR", figures.decibels_of(worst, "snr_db")),
        ("SSIM", figures.ssim(worst["ssim"])),
        ("Levels differing", figures.percent(worst["levels_differing"])),
    ]


def _qualifiers(model: Mapping[str, Any]) -> tuple[str, ...]:
    facts = model["model"]
    io = f"{facts['io']} form" if facts.get("io") else None
    return tuple(filter(None, (facts.get("precision"), io, model.get("runtime"))))


def _closeness(models: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the tolerance that each model would have needed beside the one it was given."""
    judged = [m for m in models if m["tolerance_needed"] is not None]
    if not judged:
        return None
    values = [m["tolerance_needed"] for m in judged]
    scale = log_scale([*values, *(m["tolerance"] for m in judged if m["tolerance"])])
    bars = []
    for model in judged:
        needed, tolerance = model["tolerance_needed"], model["tolerance"]
        value = figures.scientific(needed)
        allowed = f" of {figures.scientific(tolerance)}" if tolerance else ""
        name = model["model"]["name"]
        bars.append(
            Bar(
                name=name,
                qualifiers=_qualifiers(model)[:1],
                value=f"{value}{allowed}",
                length=scale.position(needed),
                mark=scale.position(tolerance) if tolerance else None,
                description=f"{name}: needs a tolerance of {value}{allowed} allowed"
                if tolerance
                else f"{name}: needs a tolerance of {value}",
                tone="pass" if model["passed"] else "fail",
            )
        )
    return Chart("", tuple(bars), scale.ticks)


def _model(
    index: int, model: Mapping[str, Any], shown: Mapping[tuple[int, int], CaseShown]
) -> dict[str, Any]:
    cases = model["cases"]
    worst = max((case["max_abs_diff"] for case in cases), default=None)
    pictured = [
        (cases[case], shown[(index, case)]) for case in range(len(cases)) if (index, case) in shown
    ]
    return {
        **_overview(index, model),
        "format": model["model"]["format"],
        "sha256": model["model"]["sha256"],
        "size": figures.file_size(model["model"]["size_bytes"]),
        "tolerance": figures.scientific(model["tolerance"]),
        "needed": figures.scientific(model["tolerance_needed"]),
        "cases": [_case(case, len(cases) > 1 and case["max_abs_diff"] == worst) for case in cases],
        "first_difference": _first_difference(model["first_difference"]),
        "pictured": pictured,
        "legend": pictured[0][1].legend if pictured else None,
    }


def _case(case: Mapping[str, Any], worst: bool) -> dict[str, Any]:
    size = "" if case["size"] in case["name"] else figures.size(case["size"])
    return {
        "name": case["name"],
        "remarks": list(filter(None, (size, "worst" if worst else ""))),
        "cells": [
            figures.scientific(case["max_abs_diff"]),
            figures.scientific(case["mean_abs_diff"]),
            figures.decibels_of(case, "psnr_db"),
            figures.decibels_of(case, "snr_db"),
            figures.ssim(case["ssim"]),
            figures.percent(case["levels_differing"]),
            figures.percent(case["known_changed"]),
            figures.percent(case["hole_share"]),
            "touched" if case["touches_border"] else "free",
        ],
    }


def _first_difference(found: Mapping[str, Any] | None) -> dict[str, str] | None:
    if found is None:
        return None
    return {
        "tensor": str(found["tensor"]),
        "op": str(found["op"]),
        "largest": figures.scientific(found["max_abs_diff"]),
        "position": "[" + ", ".join(str(place) for place in found["position"]) + "]",
        "checked": figures.count(found["checked"], "tensor"),
    }
