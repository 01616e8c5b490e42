"""Writes down what of the library others can call: api_dump.py [--check].

    api_dump.py            rewrites lama-edge/api/lama-edge.api, for a change that is meant
    api_dump.py --check    prints what differs from it, and ends with 1 if anything does

A class a paragraph, a member a line, as javap prints what is public or protected to Kotlin.
"""

from __future__ import annotations

import difflib
import os
import re
import sys

from compile import HERE, class_path, compiled, run, telling

PATH = HERE / "lama-edge" / "api" / "lama-edge.api"
PARTS = ("core", "lama-edge")


def api() -> str:
    """Return the library's signatures, in an order that does not depend on that of its sources."""
    folders = [compiled(part).with_name("abi") for part in PARTS]
    # A file whose functions are all internal leaves an empty class.
    classes = sorted(str(path) for folder in folders for path in folder.rglob("*.class"))
    libraries = os.pathsep.join(map(str, class_path("lama-edge")))
    printed = run(["javap", "-protected", "-cp", libraries, *classes])
    paragraphs = []
    for text in re.split(r"^Compiled from .*\n", printed, flags=re.MULTILINE)[1:]:
        head, *members = text.splitlines()
        # For Kotlin's compiler alone: constructors that nobody else can call.
        kept = sorted(m for m in members if not re.match(r"}|.*\bDefaultConstructorMarker\)", m))
        if kept or not head.rstrip(" {").endswith("Kt"):
            paragraphs.append("\n".join([head, *kept, "}"]))
    return "\n\n".join(sorted(paragraphs, key=_name)) + "\n"


def _name(paragraph: str) -> str:
    found = re.search(r"(?:class|interface) (\S+)", paragraph)
    return found[1] if found else paragraph


def main() -> None:
    """Do what the command line asks."""
    now = api()
    if "--check" not in sys.argv[1:]:
        PATH.parent.mkdir(exist_ok=True)
        PATH.write_text(now)
        return
    written = PATH.read_text() if PATH.exists() else ""
    differences = difflib.unified_diff(
        written.splitlines(), now.splitlines(), str(PATH.relative_to(HERE)), "sources", lineterm=""
    )
    if written != now:
        sys.exit("\n".join(differences) + "\nif this is meant: make android-api")


if __name__ == "__main__":
    telling(main)
