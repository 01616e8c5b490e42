"""What lama-edge asks of other packages, extra by extra, beside what is installed here.

It reads what pip installed by, of the forms that lama-edge's own ``pyproject.toml`` has: the
package that knows every form is installed only where something else brings it.
"""

from __future__ import annotations

import operator
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

PACKAGE = "lama-edge"
# What builds and tests lama-edge itself, and its site.
_DEVELOPERS = ("dev", "docs")
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?\s*\(?(?P<bounds>[^;()]*)\)?\s*(?:;(?P<when>.*))?"
)
_BOUND = re.compile(r"([<>=!]=|[<>])\s*([\w.+-]+)")
_CONDITION = re.compile(r"""(\w+)\s*([<>=!]=|[<>])\s*["']([^"']*)["']""")
_COMPARED = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Requirement:
    """What one line asks for.

    Attributes:
        name: the package's, as indexes spell it: lower case, with dashes.
        bounds: of its version, such as ``(">=", "1.17")``.
        extras: of the package.
        extra: the extra that asks for it; empty is always.
    """

    name: str
    bounds: tuple[tuple[str, str], ...]
    extras: tuple[str, ...]
    extra: str

    @property
    def wanted(self) -> str:
        """The bounds as pip takes them, such as ``>=1.5,<1.6``."""
        return ",".join(sorted((sign + bound for sign, bound in self.bounds), reverse=True))

    def takes(self, version: str) -> bool:
        """Tell whether a version is within the bounds, by its numbers alone."""
        return all(
            _COMPARED[sign](*_padded(_numbers(version), _numbers(bound)))
            for sign, bound in self.bounds
        )


@dataclass(frozen=True)
class Extra:
    """An extra, with those that it brings, as it is installed here.

    Attributes:
        name: empty for what is always needed.
        installed: the version of each package that is there.
        missing: the packages that are not.
        outside: those whose version is not the one that is asked for.
    """

    name: str
    installed: Mapping[str, str]
    missing: tuple[str, ...]
    outside: tuple[Requirement, ...]

    @property
    def command(self) -> str:
        """What installs it, and mends its versions."""
        return f'pip install "{PACKAGE}[{self.name}]"' if self.name else f"pip install {PACKAGE}"


def read(line: str) -> Requirement | None:
    """Read a line of a package's requirements.

    Returns:
        None where it is not for this machine.
    """
    found = _REQUIREMENT.fullmatch(line.strip())
    if found is None:
        return None
    conditions = _CONDITION.findall(found["when"] or "")
    if not all(_holds(*one) for one in conditions if one[0] != "extra"):
        return None
    return Requirement(
        name=canonical(found["name"]),
        bounds=tuple(_BOUND.findall(found["bounds"])),
        extras=tuple(re.findall(r"[\w.-]+", found["extras"] or "")),
        extra=next((value for name, _, value in conditions if name == "extra"), ""),
    )


def canonical(name: str) -> str:
    """Spell a package's name as indexes do."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_extras() -> list[Extra]:
    """Compare what lama-edge asks for with what is here.

    Returns:
        What is always needed, then each extra in the order in which they are declared, but the
        developers'; nothing where lama-edge itself was not installed by pip.
    """
    try:
        own = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return []
    asked = [one for one in map(read, own.requires or ()) if one is not None]
    names = ["", *(own.metadata.get_all("Provides-Extra") or ())]
    return [_compared(name, [*_of(name, asked)]) for name in names if name not in _DEVELOPERS]


def _of(extra: str, asked: Sequence[Requirement]) -> Iterator[Requirement]:
    """Give what an extra asks for, and the extras in it."""
    for one in asked:
        if one.extra != extra:
            continue
        if one.name != PACKAGE:
            yield one
        for inner in one.extras if one.name == PACKAGE else ():
            yield from _of(inner, asked)


def _compared(name: str, asked: Sequence[Requirement]) -> Extra:
    versions = {one.name: _version(one.name) for one in asked}
    missing = tuple(package for package, version in versions.items() if version is None)
    installed = {package: version for package, version in versions.items() if version is not None}
    outside = [one for one in asked if one.name in installed and not one.takes(installed[one.name])]
    return Extra(name, installed, missing, tuple(dict.fromkeys(outside)))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _holds(name: str, sign: str, value: str) -> bool:
    if name == "python_version":
        return bool(_COMPARED[sign](*_padded(sys.version_info[:2], _numbers(value))))
    here = {
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_system": platform.system(),
    }
    return bool(_COMPARED[sign](here.get(name, ""), value))


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's release: ``2.13.0+cpu`` is 2, 13, 0."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found.group().split("."))) if found else ()


def _padded(*versions: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    longest = max(map(len, versions))
    for one in versions:
        yield one + (0,) * (longest - len(one))
