"""Checks a built site: its links lead somewhere, and it loads nothing from anywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches as it shows a page, by tag: the attributes that name it.
_LOADED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
}
# Links that are fetched too; others, such as `canonical`, only name something.
_FETCHED = {
    *("stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect"),
    *("dns-prefetch", "manifest", "apple-touch-icon", "shortcut"),
}
_FROM_ELSEWHERE = re.compile(r"^(https?:)?//", re.IGNORECASE)
_IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')\s;]+)", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.styles: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in ("a", "area") and "href" in given:
            self.links.append(given["href"])
        for name in _LOADED.get(tag, ()):
            if name in given:
                # A set of sources is a list of addresses, each with a size.
                each = given[name].split(",") if name == "srcset" else [given[name]]
                self.loads += [one.split()[0] for one in each if one.strip()]
        if tag == "link" and _FETCHED & set(given.get("rel", "").lower().split()):
            self.loads.append(given.get("href", ""))
        self.styles.append(given.get("style", ""))
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)


def faults(site: Path) -> list[str]:
    """Return what is wrong with a built site, a line each.

    Args:
        site: the folder with its ``index.html``.
    """
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        here = path.relative_to(site).as_posix()
        for address in page.links:
            if (fault := _broken(address, path, pages)) is not None:
                found.append(f"{here}: the link {address!r} {fault}")
        for address in page.loads:
            if _FROM_ELSEWHERE.match(address):
                found.append(f"{here}: loads {address!r} from elsewhere")
            elif (fault := _broken(address, path, pages)) is not None:
                found.append(f"{here}: {address!r} {fault}")
        found += [f"{here}: loads {one!r} from elsewhere" for one in _styled(page.styles)]
    for path in sorted(site.rglob("*.css")):
        styles = _styled([path.read_text(encoding="utf-8")])
        found += [f"{path.relative_to(site)}: loads {one!r} from elsewhere" for one in styles]
    return found


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def _styled(styles: list[str]) -> Iterator[str]:
    for text in styles:
        yield from _IN_STYLES.findall(text)


def _broken(address: str, path: Path, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if there.is_dir():
        there /= "index.html"
    if not there.is_file():
        return "leads nowhere"
    anchor = unquote(parts.fragment)
    if anchor and there in pages and anchor not in pages[there].anchors:
        return "names a place that the page does not have"
    return None
