"""What an export is for that names no size: one rule, in the same words everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lama_edge.cli import _parser
from lama_edge.cli.shell.completion import parsers_of
from lama_edge.exporters.formats.record import (
    ANY_SIZE,
    ONE_SIZE,
    SIZE_RULE,
    Format,
    format_named,
    formats,
)
from lama_edge.pipeline import Export, _complete

ROOT = Path(__file__).parents[3]
PARSERS = {parser.prog: parser for parser in parsers_of(_parser())}
every_format = pytest.mark.parametrize("form", formats(), ids=lambda form: form.name)


def _default(form: Format) -> str:
    (word,) = form.sizes
    return word


@every_format
def test_a_format_is_for_any_size_or_for_512(form: Format) -> None:
    assert form.sizes in (ANY_SIZE, ONE_SIZE)
    job = _complete(Export(form.name, None, Path(f"a{form.suffix}")), form)
    assert job.sizes == tuple(form.parse_size(word) for word in form.sizes)


@every_format
def test_the_help_says_the_default(form: Format) -> None:
    (size,) = (
        action
        for action in PARSERS[f"lama-edge export {form.name}"]._actions
        if "--size" in action.option_strings
    )
    assert f"(default: {_default(form)}" in str(size.help)
    assert "512x768 (height x width)" in str(size.help)


@every_format
def test_the_page_of_the_format_says_the_default(form: Format) -> None:
    pages = [*(ROOT / "docs").rglob(f"{form.name}.md"), ROOT / "README.md"]
    said = pages[0].read_text(encoding="utf-8")
    if form.name == "onnx":  # it has no page of its own
        assert f"`{_default(form)}`" in said or "any size" in said
        return
    assert re.search(rf"`(--size )?{_default(form)}` \(the default\)", said)


def test_the_rule_stands_in_the_readme_and_in_the_help_with_the_formats_it_makes_any() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rule, _, formats_named = SIZE_RULE.partition(", else ")
    (line,) = (line for line in readme.splitlines() if rule in line)
    named = line.partition(rule)[2].partition(")")[0].removeprefix(" (").split(", ")
    titles = {one.name for one in formats() if one.sizes == ANY_SIZE}
    assert {name.strip("`") for name in named} == titles
    assert f"), else for {formats_named}" in line
    assert SIZE_RULE in str(PARSERS["lama-edge export"].description)


def test_a_file_for_browsers_is_for_one_size_unless_any_is_asked_for() -> None:
    form = format_named("onnx")
    job = Export("onnx", None, Path("a.onnx"), options={"for": "web"})
    assert _complete(job, form).sizes == (form.parse_size("512"),)
