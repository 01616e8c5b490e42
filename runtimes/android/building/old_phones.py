"""Finds what minSdk 24 lacks among the classes that the library uses: old_phones.py [FOLDER...].

Prints them with who uses them, and ends with 1 if there are any; of classes in other folders, if
some are named. The compiler sees Java 8 alone (`compile.py`); this finds what of Java 8 Android has
had since later than version 24, or never.
"""

from __future__ import annotations

import re
import sys

from compile import compiled, run, telling

# Packages that Android has had since before 24, after "Added in API level" of its reference. Not
# among them, for one: java.nio.file and java.time, since 26.
_PACKAGES = {
    "java.io",
    "java.lang",
    "java.lang.annotation",
    "java.lang.ref",
    "java.math",
    "java.net",
    "java.nio",
    "java.nio.channels",
    "java.nio.charset",
    "java.security",
    "java.text",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "java.util.function",
    "java.util.zip",
}
# Classes of those packages that came later.
_LATER = {"java.util.Base64"}
# How lambdas are compiled: D8 and R8 replace it.
_LAMBDAS = re.compile(
    r"java\.lang\.invoke\."
    r"(CallSite|LambdaMetafactory|MethodHandle|MethodHandles(\$Lookup)?|MethodType|SerializedLambda"
    r"|StringConcatFactory)"
)
_USE = re.compile(r"^\s+(\S+)\s+-> (java[.x]\S+)", re.MULTILINE)


def missing(folders: list[str]) -> list[tuple[str, str]]:
    """Return what classes in some folders use that is not on every phone: user, class."""
    printed = run(["jdeps", "-verbose:class", "-filter:none", "--ignore-missing-deps", *folders])
    uses = set(_USE.findall(printed))
    if not uses:
        raise RuntimeError(f"jdeps says nothing that is understood here: {printed[:200]}")
    return sorted(use for use in uses if not _known(use[1]))


def _known(name: str) -> bool:
    if _LAMBDAS.fullmatch(name):
        return True
    return name.rpartition(".")[0] in _PACKAGES and name.split("$")[0] not in _LATER


def main() -> None:
    """Print what is missing."""
    folders = sys.argv[1:] or [str(compiled(part)) for part in ("core", "lama-edge")]
    if found := missing(folders):
        sys.exit("\n".join(f"{user} uses {name}, which minSdk 24 lacks" for user, name in found))


if __name__ == "__main__":
    telling(main)
