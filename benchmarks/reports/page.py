"""Turns a template and what it shows into one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from lama_edge.benchmarks.documents.store import DocumentError, check_document
from lama_edge.benchmarks.reports import figures, images
from lama_edge.errors import needs_extra


def render(template: str, **view: Any) -> str:
    """Fill a template of this package; whatever is inserted is escaped.

    Args:
        template: file name in the folder ``templates``.
        view: what the template shows.

    Raises:
        MissingBackendError: when jinja2 is not installed.
    """
    with needs_extra("bench"):
        import jinja2
        import markupsafe
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The style sheet is ours: escaping would break its selectors.
    style = markupsafe.Markup(_template("page.css"))  # noqa: S704
    return environment.get_template(template).render(
        style=style,
        unknown=figures.UNKNOWN,
        ramp=", ".join(images.RAMP),
        over_ramp=", ".join(images.OVER_RAMP),
        **view,
    )


def _template(name: str) -> str:
    folder = resources.files("lama_edge.benchmarks.reports") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def require(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the document in the newest version of its kind, or refuse it.

    Raises:
        DocumentError: saying what is wrong where.
    """
    try:
        return check_document(document, kind)
    except DocumentError as error:
        raise DocumentError(f"the document {error}") from error


def device_name(environment: Mapping[str, Any]) -> str:
    """Return what to call a device: its own name, else its chip; of a page alone its browser."""
    if environment.get("device"):
        return str(environment["device"])
    if environment.get("browser") and "python" not in environment:
        return f"{browser_title(environment)} on {environment['os']}"
    return str(environment.get("chip") or "unknown device")


def browser_title(environment: Mapping[str, Any]) -> str | None:
    """Return a browser's name and the first number of its version; None where no page ran."""
    browser = environment.get("browser")
    return browser and f"{browser['name']} {browser['version'].partition('.')[0]}"


def _browser(environment: Mapping[str, Any]) -> str | None:
    browser = environment.get("browser")
    if not browser:
        return None
    isolated = "isolated" if browser["isolated"] else "not isolated, which leaves it one thread"
    return f"{browser['name']} {browser['version']}, {isolated}"


def _graphics(environment: Mapping[str, Any]) -> str | None:
    gpu = environment.get("gpu")
    if not gpu:
        return None
    named = " ".join(filter(None, (gpu["vendor"], gpu["architecture"], gpu["description"])))
    half = "with" if gpu["shader_f16"] else "without"
    return f"{named or 'unnamed'}, {half} shader-f16"


def environment_facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of the machine that a document was made on, as label and text."""
    environment = document["environment"]
    cores = environment.get("cores")
    facts = [
        ("Device", environment.get("device")),
        ("Chip", environment.get("chip")),
        ("Cores", None if cores is None else str(cores)),
        ("Memory", figures.memory(environment.get("memory_bytes"))),
        ("System", _joined([environment.get("os"), environment.get("machine")])),
        ("Browser", _browser(environment)),
        ("WebGPU", _graphics(environment)),
        ("Python", environment.get("python")),
        ("Packages", _joined([f"{k} {v}" for k, v in _packages(environment)])),
        ("Measured on", document.get("measured_on")),
        ("Measured with", document.get("tool")),
    ]
    return [(label, str(text)) for label, text in facts if text and text != figures.UNKNOWN]


def _packages(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted((environment.get("packages") or {}).items())


def _joined(parts: Sequence[Any]) -> str:
    return ", ".join(str(part) for part in parts if part)
