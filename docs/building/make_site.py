"""Builds the site of the pages in `docs`: make_site.py [SITE]; `make docs` runs it.

Anything that is worth a warning ends it: of the generator, of the API's docstrings, a link or an
anchor that leads nowhere, a page that is not in the navigation, or something that a page would
load from elsewhere. Nothing is fetched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from command_reference import reference
from page_staging import ELSEWHERE, stage, staged_pages
from site_checks import faults

from lama_edge.cli import _parser

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
MADE = {"reference/commands.md": lambda: reference(_parser())}
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?:  .*\n)*")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What the generator says of a build that is well; anything else is of interest, and the docstrings'
# reader has no other way to complain.
_WELL = re.compile(r"Build started|No issues found|Build finished in .*")
# Code within a line, and the words in it at whose hyphens browsers would break; long ones they may.
_INLINE = re.compile(r"(?<=<code>)(?<!</span><code>)[^<]+(?=</code>)")
_HYPHENATED = re.compile(r"(?<!\S)(?=\w*-)[\w-]{2,24}(?!\S)")


def build(target: Path, root: Path = ROOT) -> list[str]:
    """Build the site.

    Args:
        target: the folder that it comes into; one that is there is replaced.
        root: the repository, or what has its `docs` and its pyproject.toml.

    Returns:
        What is wrong, a line each; the site is in its place where the generator made one.
    """
    room, building = root / "build" / "docs", root / "docs" / "building"
    stage(root, room / "pages", MADE, _repository(root))
    shutil.copytree(building / "assets", room / "pages" / "assets")
    config = _configured((building / "mkdocs.yml").read_text(encoding="utf-8"), root)
    (room / "mkdocs.yml").write_text(config, encoding="utf-8")
    shutil.rmtree(room / "site", ignore_errors=True)
    # What it kept of the last build would be silent about warnings of then.
    shutil.rmtree(room / ".cache", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=room,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    text = _TRACEBACK.sub("", _COLOURS.sub("", done.stdout))
    said = [line for line in text.splitlines() if line.strip() and not _WELL.fullmatch(line)]
    found = _not_in_navigation(root, config) + said
    if done.returncode != 0:
        return found or [f"the generator ended with exit code {done.returncode}"]
    # What a server shows for what it does not have: as a file it finds neither style nor links.
    (room / "site" / "404.html").unlink()
    for page in (room / "site").rglob("*.html"):
        page.write_text(_kept_whole(page.read_text(encoding="utf-8")), encoding="utf-8")
    found += faults(room / "site")
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(room / "site", target)
    return found


def _kept_whole(page: str) -> str:
    """Return a page in which no line ends within `--for` or `lama-edge`."""
    return _INLINE.sub(
        lambda code: _HYPHENATED.sub(r'<span class="whole">\g<0></span>', code[0]), page
    )


def _repository(root: Path) -> str | None:
    """Return the address that pyproject.toml gives for the repository's files, if it does."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Repository")
    return None if address is None else f"{address.rstrip('/')}/blob/main"


def _configured(text: str, root: Path) -> str:
    """Return mkdocs.yml with a line for every record, and none for a page that is elsewhere."""
    pages = sorted(str(place) for place in staged_pages(root).values())
    lines = []
    for line in text.splitlines(keepends=True):
        if line.endswith("- adr/*.md\n"):
            lines += [line.replace("adr/*.md", one) for one in pages if one.startswith("adr/")]
        elif not any(line.endswith(f" {one}\n") for one in {*ELSEWHERE.values()} - {*pages}):
            lines.append(line)
    return "".join(lines)


def _not_in_navigation(root: Path, config: str) -> list[str]:
    """Return a line for each page that no reader would come to."""
    named = set(re.findall(r"[\w./-]+\.md\b", config))
    pages = {str(place) for place in staged_pages(root).values() if place.suffix == ".md"}
    return [f"{page} is not in the navigation of mkdocs.yml" for page in sorted(pages - named)]


def main() -> int:
    """Build into the folder that the command line names, `site` by default."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    if target.exists() and not (target / "objects.inv").is_file():
        print(f"{target} is no site of ours: remove it, or name another folder", file=sys.stderr)
        return 2
    found = build(target.resolve())
    for line in found:
        print(line, file=sys.stderr)
    pages = len(list(target.rglob("*.html")))
    print(f"{target}: {pages} pages, {len(found) or 'no'} fault{'s' if len(found) != 1 else ''}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
