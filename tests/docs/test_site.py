"""The site: it builds without a fault, and what is wrong with a page is found."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

import pytest
from looking import View, looker
from places import ROOT, alone_in

BUILDING = ROOT / "docs" / "building"
sys.path.append(str(BUILDING))

from command_reference import reference  # noqa: E402
from make_site import build  # noqa: E402
from page_staging import relinked, staged_pages  # noqa: E402
from site_checks import faults  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical", reason="zensical is not installed")
    target = tmp_path_factory.mktemp("built") / "site"
    # A build is made in a folder of the repository, and other workers may ask for one.
    with alone_in(ROOT / "build"):
        assert build(target) == []
    return target


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give a repository of one page, with the configuration of the real one."""
    pytest.importorskip("zensical", reason="zensical is not installed")
    # Beside the site's own folder, where Python looks first.
    module = tmp_path / "build" / "docs" / "badly_documented.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        'def f(a: int):\n    """Do.\n\n    Args:\n        b (int): not there.\n    """\n'
    )
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "small"\n')
    shutil.copytree(BUILDING / "assets", tmp_path / "docs" / "building" / "assets")
    text = (BUILDING / "mkdocs.yml").read_text(encoding="utf-8")
    head, _, _ = text.partition("\nnav:\n")
    config = tmp_path / "docs" / "building" / "mkdocs.yml"
    config.write_text(f"{head}\nnav:\n  - index.md\n", encoding="utf-8")
    return tmp_path


def faults_of(root: Path, page: str) -> str:
    (root / "docs" / "index.md").write_text(f"# Start\n\n{page}\n", encoding="utf-8")
    return "\n".join(build(root / "site", root))


def test_the_site_builds_without_a_warning_and_has_every_page(site: Path) -> None:
    pages = [place for place in staged_pages(ROOT).values() if place.suffix == ".md"]
    for page in pages:
        assert (site / page.with_suffix(".html")).is_file(), page
    assert len(pages) > 50


def test_pages_show_the_api_and_every_command(site: Path) -> None:
    python = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("Inpainter", "open_runner", "Raises", "float32"):
        assert name in python
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for words in ("lama-edge-export-litert", "lama-edge-inpaint", "--calibrate</span> DIR"):
        assert words in commands


def test_a_page_without_a_fault_builds(small: Path) -> None:
    assert faults_of(small, "All is [well](#start), and [elsewhere](https://example.com).") == ""


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[Nowhere](nowhere.md)", "page does not exist"),
        ("[Nowhere](#nowhere)", "anchor"),
        ("![Shown](shown.png)", "shown.png"),
        ('<a href="nowhere.html">Nowhere</a>', "leads nowhere"),
        ("::: lama_edge.nothing", "lama_edge.nothing"),
        ("::: lama_edge.errors.reason\n    options:\n      colour: red", "colour"),
        ("::: badly_documented", "does not appear in the function signature"),
        ("![](https://example.com/seen.png)", "from elsewhere"),
        ('<script src="//example.com/spy.js"></script>', "from elsewhere"),
        ('<p style="background: url(https://example.com/seen.png)"></p>', "from elsewhere"),
    ],
)
def test_a_fault_in_a_page_ends_the_build(small: Path, page: str, said: str) -> None:
    assert said in faults_of(small, page)


def test_no_line_ends_within_an_option(small: Path) -> None:
    assert faults_of(small, "Say `lama-edge demo --static DIR`.\n\n```text\nx --for web\n```") == ""
    page = (small / "site" / "index.html").read_text(encoding="utf-8")
    assert '<span class="whole">--static</span> DIR</code>' in page
    assert '<code><span class="whole">lama-edge</span> demo' in page
    assert "x --for web\n" in page


def test_a_page_that_nobody_would_come_to_ends_the_build(small: Path) -> None:
    (small / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    assert "lost.md is not in the navigation" in faults_of(small, "Hello.")


def test_style_sheets_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p id=here>")
    (tmp_path / "site.css").write_text('@import "https://example.com/font.css";')
    assert faults(tmp_path) == ["site.css: loads 'https://example.com/font.css' from elsewhere"]


def test_links_out_of_docs_hold_in_the_site(tmp_path: Path) -> None:
    pages = {PurePosixPath("docs/how-to/a.md"): PurePosixPath("how-to/a.md"),
             PurePosixPath("README.md"): PurePosixPath("readme.md")}  # fmt: skip
    (tmp_path / "src").mkdir()
    text = "[all](../../README.md#use), [code](../../src), [`src`](../../src), [x](gone.md)"
    source = PurePosixPath("docs/how-to/a.md")
    assert relinked(text, source, pages, tmp_path, None) == (
        "[all](../readme.md#use), code (`src`), `src`, [x](gone.md)"
    )
    shown = relinked(text, source, pages, tmp_path, "https://example.com/blob/main")
    assert "[code](https://example.com/blob/main/src)" in shown


def test_the_command_reference_has_what_help_has() -> None:
    parser = argparse.ArgumentParser(prog="tool")
    commands = parser.add_subparsers()
    one = commands.add_parser("one", description="Do <one> thing.", epilog="Needs: [more]")
    one.add_argument("--size", metavar="N", default=8, help="of a_b, `a_b` (default %(default)s)")
    one.add_argument("--hidden", help=argparse.SUPPRESS)
    assert reference(parser) == (
        "\n## tool one\n\nDo \\<one\\> thing.\n\n```text\ntool one [-h] [--size N]\n```\n\n"
        "`--size N`\n:   of a\\_b, `a_b` (default 8)\n\n\nNeeds: \\[more\\]\n\n"
    )


@pytest.mark.browser
def test_the_site_asks_for_nothing_else_and_searches_when_opened_as_files(site: Path) -> None:
    with looker() as browser:
        asked = browser.open(site / "index.html", View())
        page = browser.page
        page.locator(".md-search__button").click()
        page.get_by_placeholder("Search").fill("tolerances")
        found = page.get_by_text(re.compile(r"\d+ results")).first
        found.wait_for(timeout=30_000)
        assert int(found.inner_text().split()[0]) > 5
    assert asked
    assert [address for address in asked if not address.startswith(site.as_uri())] == []
