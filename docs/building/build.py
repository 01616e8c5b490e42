"""Builds the site of the pages in `docs`: build.py [SITE]; `make docs` runs it.

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

from checks import faults
from commands import reference
from staging import ELSEWHERE, stage, staged_pages

from lama_edge.cli import _parser

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MADE = {"reference/commands.md": lambda: reference(_parser())}
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The generator's remarks on modules of its own and on time are no faults of ours.
_WARNING = re.compile(r"^(warning|error)\b", re.IGNORECASE | re.MULTILINE)


def build(target: Path, root: Path = ROOT) -> list[str]:
    """Build the site.

    Args:
        target: the folder that it comes into; one that is there is replaced.
        root: the repository.

    Returns:
        What is wrong, a line each; the site is in its place all the same where the generator made
        one.
    """
    room = root / "build" / "docs"
    stage(root, room / "pages", MADE, _repository(root))
    shutil.copytree(HERE / "assets", room / "pages" / "assets")
    config = _configured((HERE / "mkdocs.yml").read_text(encoding="utf-8"), root)
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
    said = _COLOURS.sub("", done.stdout).partition("Traceback")[0]
    found = _not_in_navigation(root, config)
    if done.returncode != 0 or _WARNING.search(said):
        found.append(said.strip())
    if (room / "site").is_dir():
        found += faults(room / "site")
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(room / "site", target)
    return found


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
        elif not any(line.endswith(f"- {one}\n") for one in {*ELSEWHERE.values()} - {*pages}):
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
    found = build(target.resolve())
    for line in found:
        print(line, file=sys.stderr)
    pages = len(list(target.rglob("*.html")))
    print(f"{target}: {pages} pages, {len(found) or 'no'} fault{'s' if len(found) != 1 else ''}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
