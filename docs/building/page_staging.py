"""Copies the pages of the site into a folder, with links that hold there.

Pages are written for whoever reads the repository; some of what they link to is no page of the
site, and some pages lie outside `docs`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

# Pages that lie elsewhere in the repository, and where the site has them.
ELSEWHERE = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "models/embedded/lama_tiny.md": "reference/lama-tiny.md",
    "runtimes/android/README.md": "reference/library-android.md",
    "runtimes/cpp/README.md": "reference/library-cpp.md",
    "runtimes/swift/README.md": "reference/library-swift.md",
    "runtimes/web/README.md": "reference/library-web.md",
}
_IMAGES = (".jpg", ".png", ".svg")
_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\[\]]*\])*\])\(([^()\s#]*)(#[^()\s]*)?\)")


def staged_pages(root: Path) -> dict[PurePosixPath, PurePosixPath]:
    """Return what the site has of the repository: each file's path there, and in the site."""
    docs = root / "docs"
    found = {
        PurePosixPath("docs", inside): PurePosixPath(inside)
        for path in sorted(docs.rglob("*"))
        if path.suffix in (".md", *_IMAGES)
        for inside in [path.relative_to(docs).as_posix()]
    }
    found |= {
        PurePosixPath(source): PurePosixPath(place)
        for source, place in ELSEWHERE.items()
        if (root / source).is_file()
    }
    return found


def stage(
    root: Path,
    target: Path,
    made: Mapping[str, Callable[[], str]],
    repository: str | None,
) -> None:
    """Copy pages and pictures into a folder.

    Args:
        root: the repository's.
        target: a folder that need not be there; what is in it and no page of now goes.
        made: by a page's path in the site, what stands in the place of its line ``<!-- made -->``.
        repository: the address below which the repository's files are shown; None has links to
            what is no page become the path in words.
    """
    pages = staged_pages(root)
    shutil.rmtree(target, ignore_errors=True)
    for source, place in pages.items():
        there = target / place
        there.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            shutil.copyfile(root / source, there)
            continue
        text = (root / source).read_text(encoding="utf-8")
        if str(place) in made:
            text = text.replace("<!-- made -->\n", made[str(place)]())
        there.write_text(relinked(text, source, pages, root, repository), encoding="utf-8")


def relinked(
    text: str,
    source: PurePosixPath,
    pages: Mapping[PurePosixPath, PurePosixPath],
    root: Path,
    repository: str | None,
) -> str:
    """Return a page's text with links that hold in the site.

    Args:
        text: the page's.
        source: the page's path in the repository.
        pages: see `staged_pages`.
        root: the repository's folder.
        repository: see `stage`.
    """
    here = pages[source].parent

    def link(match: re.Match[str]) -> str:
        words, path, anchor = match[1], match[2], match[3] or ""
        if not path or ":" in path:
            return match[0]
        there = PurePosixPath(os.path.normpath(source.parent / path))
        if there in pages:
            return f"{words}({os.path.relpath(pages[there], here)}{anchor})"
        if not (root / there).exists():
            return match[0]  # The build says so.
        if repository is not None:
            return f"{words}({repository}/{there}{anchor})"
        shown = words[1:-1]
        return shown if str(there) in shown else f"{shown} (`{there}`)"

    # What stands between fences is no link.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if index % 2 else _LINK.sub(link, part) for index, part in enumerate(parts))
