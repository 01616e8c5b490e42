"""The pages for people: what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import ROOT

PAGES = [
    ROOT / "README.md",
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "THIRD_PARTY_NOTICES.md")),
    *(
        page
        for folder in ("docs", "models", "benchmarks", "runtimes", "tests")
        for page in sorted((ROOT / folder).rglob("*.md"))
        if not {".build", "node_modules"} & set(page.parts)
    ),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    files = [link for link in links if "://" not in link]
    assert [link for link in files if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lists_are_ones_that_the_site_shows_too(page: Path) -> None:
    """GitHub takes a list without an empty line before it, and nests by less than four spaces."""
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = text.splitlines()
    item = re.compile(r"([-*]|\d+\.) ")
    for before, line in zip(["", *lines], lines, strict=False):
        after_text = before and not item.match(before.lstrip()) and before[0] not in " #<"
        assert not (item.match(line) and after_text), f"an empty line is missing before {line!r}"
        assert not re.match(r" {1,3}\S", line), f"indent by four: {line!r}"
