"""The blocks of pages: what they are in, and whether they say that nothing here can run them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

# What people follow step by step, so that all of it has to run.
FOLLOWED = [
    ROOT / "docs" / "index.md",
    *sorted((ROOT / "docs" / "for").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
]
_BLOCK = re.compile(
    r"^(?:(?P<indent> *)<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^(?P<own> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=own)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: the page.
        line: the block's first line there, counted from 1.
        language: what stands behind the fence.
        text: what is in it, without the fence's indentation.
        reason: why it is not run; None runs it.
    """

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def name(self) -> str:
        """Where it is, for a message."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Give a page's blocks in order; of Markdown in a comment before one, its reason."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        lines = [line.removeprefix(found["own"]) for line in found["text"].splitlines()]
        line = text.count("\n", 0, found.start("text")) + 1
        yield Block(page, line, found["language"], "\n".join(lines) + "\n", found["reason"])


def commands(text: str) -> list[str]:
    """Return the commands of a block, each on one line, without prompts and what they print."""
    joined = text.replace("\\\n", " ").splitlines()
    prompted = [line for line in joined if re.match(r"\w*\$ ", line)]
    return [line.partition("$ ")[2] for line in prompted] if prompted else joined
