"""Holds stand-ins, and what the library uses of Android, to Android's own list: declarations.py.

Prints a line for each of these, and ends with 1 if there are any:

- a stand-in's declaration that is not Android's: name, parameters, what may be null, deprecation
- a member of Android's that the library's classes use and phones of minSdk 24 lack, unless it is
  among those that the code asks the version for

The list is of API 21 to 37: declarations for TypeScript that NativeScript made of the SDK, which
`.ci/kotlin` fetches. It does not say what of a type is fixed, only its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from class_files import PROTECTED, PUBLIC, STATIC, SYNTHETIC, ClassFile, Member, read_classes
from compile import compiled, tools

_MIN_SDK = 24
# What is newer, and where the code makes sure of it.
ASKED_FOR = {
    "android.graphics.Bitmap.getColorSpace": "isLinear asks for 26",
    "android.graphics.ColorSpace.Rgb.getOetf": "isLinear asks for 26",
    "android.graphics.Bitmap.hasGainmap": "workingCopy asks for 34",
    "android.graphics.Bitmap.setGainmap": "workingCopy asks for 34",
    # Of RGBA_F16 alone, which came with it.
    "android.util.Half.toFloat": "Halves is for bitmaps of 26",
    "android.util.Half.toHalf": "Halves is for bitmaps of 26",
}

# What Kotlin's `when` looks up of an enum, doing without constants that are not there.
_ENUMS = "$WhenMappings"
_NUMBERS = "BSIJFD"
_TEXTS = ("java.lang.String", "java.lang.CharSequence")
_OF_OBJECT = ("equals", "hashCode", "toString")
_NULLABLE = "Lorg/jetbrains/annotations/Nullable;"
_NOT_NULL = "Lorg/jetbrains/annotations/NotNull;"


@dataclass(frozen=True)
class Declared:
    """A member as the list has it: types are TypeScript's, None the result of a constructor."""

    parameters: tuple[str, ...] | None
    result: str
    is_static: bool
    since: int
    is_deprecated: bool


@dataclass
class DeclaredClass:
    """A class as the list has it; `since` is that of the class or of what it lies in."""

    since: int
    parents: list[str]
    members: dict[str, list[Declared]] = field(default_factory=dict)


_OPEN = re.compile(r"(?:declare|export) module (\w+) \{$")
_CLASS = re.compile(
    r"export (?:abstract )?class (\w+)(?:<.*?>)?"
    r"(?:\s+extends (.*?))?(?:\s+implements (.*?))?\s+\{$"
)
_SINCE = re.compile(r"/\*\* @since (\d+) \*/$")
_METHOD = re.compile(r"(?:public )?(static )?(\w+)(?:<.*?>)?\((.*)\)(?:: (.*))?;$")
_FIELD = re.compile(r"(?:public )?(static )?(\w+): (.*);$")


def read_list(text: str) -> dict[str, DeclaredClass]:
    """Read the declarations: classes by their full names."""
    classes: dict[str, DeclaredClass] = {}
    # Of each brace that is open: the name up to there, or None of what is not looked into.
    inside: list[str | None] = [""]
    since, is_deprecated = 1, False
    for line in map(str.strip, text.splitlines()):
        if seen := _SINCE.match(line):
            since = int(seen[1])
        elif line.startswith("/** @deprecated"):
            is_deprecated = True
        elif not line or line.startswith(("/", "*")):
            pass
        elif line.startswith("}"):
            inside.pop()
        else:
            _read_line(line, classes, inside, since, is_deprecated)
            since, is_deprecated = 1, False
    return classes


def _read_line(
    line: str,
    classes: dict[str, DeclaredClass],
    inside: list[str | None],
    since: int,
    is_deprecated: bool,
) -> None:
    here = inside[-1]
    if here is not None and (found := _OPEN.match(line)):
        inside.append(f"{here}.{found[1]}".lstrip("."))
    elif here is not None and (found := _CLASS.match(line)):
        name = f"{here}.{found[1]}"
        if here in classes:
            since = max(since, classes[here].since)
        # Of enums the list leaves out what they come from.
        above = found[2] or ("" if name == "java.lang.Object" else "java.lang.Enum")
        parents = _types(f"{above}, {found[3] or ''}")
        classes[name] = DeclaredClass(since, [_plain(parent) for parent in parents if parent])
        inside.append(name)
    elif line.endswith("{"):
        inside.append(None)
    elif here in classes and here is not None:
        owner = classes[here]
        since = max(since, owner.since)
        if found := _METHOD.match(line):
            types = tuple(part.partition(":")[2].strip() for part in _types(found[3]) if part)
            result = (found[4] or "void").strip()
            made = Declared(types, result, bool(found[1]), since, is_deprecated)
            owner.members.setdefault(found[2], []).append(made)
        elif found := _FIELD.match(line):
            made = Declared(None, found[3], bool(found[1]), since, is_deprecated)
            owner.members.setdefault(found[2], []).append(made)


def _types(text: str) -> list[str]:
    """Split at the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character in "<(") - (character in ">)" and text[at - 1 : at] != "=")
        if character == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _plain(declared: str) -> str:
    """Return a type without what may be null, type arguments and remarks."""
    declared = re.sub(r"/\*.*?\*/", "", declared).replace("| null", "")
    return re.sub(r"<.*>", "", declared).strip()


def found_members(
    classes: dict[str, DeclaredClass], owner: str, name: str, descriptor: str
) -> list[Declared]:
    """Return the declarations of a class, or else of what it comes from, that fit a member."""
    if owner not in classes:
        return []
    name = "constructor" if name == "<init>" else name
    fits = [made for made in classes[owner].members.get(name, []) if _fits(made, descriptor)]
    for parent in classes[owner].parents if not fits and name != "constructor" else ():
        fits += found_members(classes, parent, name, descriptor)
    return fits


def _fits(made: Declared, descriptor: str) -> bool:
    if not descriptor.startswith("("):
        return made.parameters is None and _is_type(made.result, descriptor, is_field=True)
    if made.parameters is None:
        return False
    *parameters, result = _split(descriptor)
    return (
        len(parameters) == len(made.parameters)
        and all(map(_is_type, made.parameters, parameters))
        and _is_type(made.result, result)
    )


def _split(descriptor: str) -> list[str]:
    """Return the types of a method's parameters and of its result."""
    return re.findall(r"\[*(?:L[^;]+;|[A-Z])", descriptor)


def _is_type(declared: str, descriptor: str, is_field: bool = False) -> bool:
    plain = _plain(declared)
    # Of a constant the list has the value in the place of its type.
    is_number = plain == "number" or (is_field and re.fullmatch(r"-?[\d.e+-]+", plain))
    is_text = plain == "string" or (is_field and plain.startswith('"'))
    name = descriptor[1:-1].replace("/", ".").replace("$", ".")
    if plain == "any" or (re.fullmatch(r"[A-Z]\w?", plain) and descriptor.startswith("L")):
        return True
    if descriptor.startswith("["):
        return plain == "androidNative.Array"
    if descriptor.startswith("L"):
        return bool(is_text) if name in _TEXTS else plain == name
    words = {"V": "void", "Z": "boolean", "C": "string"}
    return bool(is_number) if descriptor in _NUMBERS else plain == words[descriptor]


def strangers(classes: dict[str, DeclaredClass], folder: Path) -> Iterator[str]:
    """Say what of the stand-ins in a folder Android does not declare as they do."""
    for made in read_classes(folder):
        name = made.name.replace("/", ".").replace("$", ".")
        members = [member for member in made.fields + made.methods if _is_seen(member)]
        if not name.startswith("android.") or not made.flags & PUBLIC:
            continue
        if name not in classes:
            yield f"{name}: Android has no such class"
            continue
        for parent in (made.parent, *made.interfaces):
            if parent.replace("/", ".") not in ("java.lang.Object", *_above(classes, name)):
                yield f"{name} is no {parent}"
        for member in members:
            yield from _member_problems(classes, name, member)


def _above(classes: dict[str, DeclaredClass], name: str) -> Iterator[str]:
    """Yield all that a class comes from."""
    for parent in classes[name].parents if name in classes else ():
        yield parent
        yield from _above(classes, parent)


def _is_seen(member: Member) -> bool:
    is_open = member.flags & (PUBLIC | PROTECTED) and not member.flags & SYNTHETIC
    return bool(is_open) and not member.name.startswith("standIn") and member.name not in _OF_OBJECT


def _member_problems(
    classes: dict[str, DeclaredClass], owner: str, member: Member
) -> Iterator[str]:
    name = f"{owner}.{member.name}{member.descriptor}"
    fits = found_members(classes, owner, member.name, member.descriptor)
    fits = [made for made in fits if made.is_static == bool(member.flags & STATIC)]
    if not fits:
        seen = classes[owner].members.get(member.name, [])
        yield f"{name}: Android declares {seen or 'no such member'}"
        return
    declared = fits[0]
    if declared.is_deprecated != member.is_deprecated:
        yield f"{name} is {'' if declared.is_deprecated else 'not '}deprecated"
    if isinstance(member.constant, int | str) and declared.result not in ("number", "string"):
        value = f'"{member.constant}"' if isinstance(member.constant, str) else str(member.constant)
        if declared.result != value:
            yield f"{name} is {declared.result} and not {value}"
    if declared.parameters is None:
        return  # What of fields may be null the list does not say.
    none: tuple[frozenset[str], ...] = (frozenset(),) * len(declared.parameters)
    marks = [(declared.result, member.annotations)]
    marks += zip(declared.parameters, member.parameter_annotations or none, strict=True)
    for place, (type_, given) in enumerate(marks):
        what = f"parameter {place}" if place else "what it gives"
        if ("| null" in type_) != (_NULLABLE in given):
            yield f"{name}: {what} may {'' if '| null' in type_ else 'not '}be null"
        elif "| null" in type_ and _NOT_NULL in given:
            yield f"{name}: {what} is said to be null and not to be"


def too_new(
    classes: dict[str, DeclaredClass], made: list[ClassFile], asked_for: dict[str, str]
) -> Iterator[str]:
    """Say what classes use that is newer than minSdk and not asked for, or asked for in vain."""
    unused = set(asked_for)
    for file in made:
        if file.name.endswith(_ENUMS):
            continue
        for owner, name, descriptor in sorted(file.uses):
            dotted = owner.replace("/", ".").replace("$", ".")
            full = f"{dotted}.{name}"
            fits = found_members(classes, dotted, name, descriptor)
            unused.discard(full)
            if (not dotted.startswith("android.") and not fits) or full in asked_for:
                continue
            if not fits:
                yield f"{file.name} uses {full}{descriptor}, which Android's list has not"
            elif (since := min(fit.since for fit in fits)) > _MIN_SDK:
                yield f"{file.name} uses {full}, which is there since {since}"
    yield from (f"{full} is asked for and not used" for full in sorted(unused))


def main() -> None:
    """Print what is wrong."""
    classes = read_list((tools() / "android" / "declarations.d.ts").read_text())
    problems: list[str] = []
    for module in ("stand-ins", "stand-ins-sample"):
        problems += strangers(classes, compiled(module))
    library = [file for module in ("core", "lama-edge") for file in read_classes(compiled(module))]
    problems += too_new(classes, library, ASKED_FOR)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
