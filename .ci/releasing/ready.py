"""Says whether a version may be released: ready.py [--check] ROOT.

The changelog has to have the version's section, dated and with what changed, and nothing unreleased
beside it; every file that names the version has to name the same; a tag of a version on the commit
has to be this one. With --check what is missing in the changelog, or said by no tag yet, is a note:
everything else can be tried before the day.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import tomllib

# Where the version stands beside pyproject.toml: the file, and what stands round it.
PLACES = {
    "src/lama_edge/__init__.py": r'^__version__ = "(.+)"$',
    "runtimes/web/package.json": r'^  "version": "(.+)",$',
    "runtimes/cpp/CMakeLists.txt": r"^project\(lama_edge VERSION (\S+) ",
    "CITATION.cff": r"^version: (\S+)$",
}
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def wrong_versions(root: Path, version: str) -> list[str]:
    """Return a line for each file that names another version."""
    lines = []
    for name, pattern in PLACES.items():
        found = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        said = found[1] if found else None
        if said != version:
            lines.append(f"{name} says version {said}, and pyproject.toml {version}: make them one")
    return lines


def missing_in_changelog(text: str, version: str) -> str | None:
    """Return what a changelog lacks for a version, or None."""
    parts = _HEADING.split(text)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    wanted = f"## {version} - YYYY-MM-DD"
    headings = [heading for heading in sections if heading.split(" ")[0] == version]
    if not headings:
        return f"CHANGELOG.md has no section {wanted!r}: give what is unreleased this heading"
    day = headings[0].removeprefix(version).removeprefix(" - ")
    try:
        date.fromisoformat(day)
    except ValueError:
        return f"CHANGELOG.md has '## {headings[0]}', which has no date: write {wanted!r}"
    if not sections[headings[0]].strip():
        return f"CHANGELOG.md says nothing of {version}: write what changed"
    if sections.get("Unreleased", "").strip():
        return (
            f"CHANGELOG.md has changes under Unreleased: they are in {version} too, move them there"
        )
    return None


def wrong_tag(root: Path, version: str) -> str | None:
    """Return what is wrong with the tags of versions on the commit, or None."""
    command = ["git", "-C", str(root), "tag", "--points-at", "HEAD", "v[0-9]*"]
    tags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if tags and f"v{version}" not in tags:
        return f"this commit is tagged {tags[0]}, and pyproject.toml says {version}: tag v{version}"
    return None


def main(words: list[str]) -> None:
    """Print the version; end with one line where it may not be released."""
    parser = argparse.ArgumentParser(description="Say whether a version may be released.")
    parser.add_argument("--check", action="store_true", help="the changelog may lack it yet")
    parser.add_argument("root", type=Path)
    asked = parser.parse_args(words)
    project = tomllib.loads((asked.root / "pyproject.toml").read_text(encoding="utf-8"))
    version: str = project["project"]["version"]
    lines = [*wrong_versions(asked.root, version), wrong_tag(asked.root, version)]
    missing = missing_in_changelog(
        (asked.root / "CHANGELOG.md").read_text(encoding="utf-8"), version
    )
    if not asked.check:
        lines.append(missing and f"{missing}; `make release RELEASE=check` tries all the rest")
    wrong = [line for line in lines if line]
    if wrong:
        sys.exit(f"no release: {wrong[0]}")
    if missing:
        print(f"a check, no release: {missing}", file=sys.stderr)
    print(version)


if __name__ == "__main__":
    main(sys.argv[1:])
