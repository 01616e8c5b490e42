"""Reads compiled classes: what they declare, and what of others they use.

After chapter 4 of the Java Virtual Machine Specification, as far as is asked for here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

PUBLIC, PROTECTED, STATIC, SYNTHETIC = 0x1, 0x4, 0x8, 0x1000

# Bytes of the constants that only have to be skipped, by their tags.
_FIXED = {3: 4, 4: 4, 5: 8, 6: 8, 8: 2, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
_UTF8, _CLASS, _INTEGER, _STRING, _NAME_AND_TYPE = 1, 7, 3, 8, 12
_REFERENCES = (9, 10, 11)


@dataclass(frozen=True)
class Member:
    """A field or method.

    Attributes:
        descriptor: as in the class file, such as ``(I[B)Ljava/lang/String;``.
        flags: of the JVM specification.
        annotations: descriptors of those that are kept in class files.
        parameter_annotations: the same for each parameter; empty where none has one.
        constant: the number or text of a constant.
    """

    name: str
    descriptor: str
    flags: int
    is_deprecated: bool = False
    annotations: frozenset[str] = frozenset()
    parameter_annotations: tuple[frozenset[str], ...] = ()
    constant: int | str | None = None


@dataclass(frozen=True)
class ClassFile:
    """A class. Names are as in the file, such as ``android/graphics/Bitmap$Config``.

    Attributes:
        flags: of the JVM specification.
        uses: fields and methods that its code names: class, name, descriptor.
    """

    name: str
    flags: int
    parent: str
    interfaces: tuple[str, ...]
    fields: tuple[Member, ...]
    methods: tuple[Member, ...]
    uses: frozenset[tuple[str, str, str]]


@dataclass
class _Reader:
    data: bytes
    at: int = 0
    constants: dict[int, tuple[int, object]] = field(default_factory=dict)

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values

    def one(self, form: str = "H") -> int:
        return self.take(form)[0]

    def read_constants(self) -> None:
        count, at = self.one(), 1
        while at < count:
            tag = self.one("B")
            value: object = None
            if tag == _UTF8:
                length = self.one()
                value = self.data[self.at : self.at + length].decode("utf-8", "replace")
                self.at += length
            elif tag in _REFERENCES or tag == _NAME_AND_TYPE:
                value = self.take("HH")
            elif tag in (_CLASS, _STRING):
                value = self.one()
            elif tag == _INTEGER:
                value = self.one("i")
            else:
                self.at += _FIXED[tag]
            self.constants[at] = tag, value
            at += 2 if tag in (5, 6) else 1

    def text(self, place: int) -> str:
        value = self.constants[place][1]
        assert isinstance(value, str)
        return value

    def class_name(self, place: int) -> str:
        value = self.constants[place][1]
        return self.text(value) if isinstance(value, int) else ""

    def reference(self, value: object) -> tuple[str, str, str]:
        assert isinstance(value, tuple)
        owner, place = value
        names = self.constants[place][1]
        assert isinstance(names, tuple)
        return self.class_name(owner), self.text(names[0]), self.text(names[1])

    def annotations(self) -> frozenset[str]:
        found = set()
        for _ in range(self.one()):
            found.add(self.text(self.one()))
            if self.one():
                raise ValueError("an annotation with values, which is not read here")
        return frozenset(found)

    def member(self) -> Member:
        flags, name, descriptor, count = self.take("HHHH")
        is_deprecated, annotations, constant = False, frozenset[str](), None
        of_parameters: tuple[frozenset[str], ...] = ()
        for _ in range(count):
            attribute, length = self.text(self.one()), self.one("I")
            end = self.at + length
            if attribute == "Deprecated":
                is_deprecated = True
            elif attribute == "RuntimeInvisibleAnnotations":
                annotations = self.annotations()
            elif attribute == "RuntimeInvisibleParameterAnnotations":
                of_parameters = tuple(self.annotations() for _ in range(self.one("B")))
            elif attribute == "ConstantValue":
                tag, value = self.constants[self.one()]
                constant = self.text(value) if tag == _STRING else value  # type: ignore[arg-type]
            self.at = end
        return Member(
            self.text(name),
            self.text(descriptor),
            flags,
            is_deprecated,
            annotations,
            of_parameters,
            constant if isinstance(constant, int | str) else None,
        )


def read_class(path: Path) -> ClassFile:
    """Read a ``.class`` file; raises ValueError where it is none."""
    reader = _Reader(path.read_bytes())
    if reader.one("I") != 0xCAFEBABE:
        raise ValueError(f"{path} is no class file")
    reader.take("HH")
    reader.read_constants()
    flags, name, parent = reader.take("HHH")
    interfaces = [reader.class_name(reader.one()) for _ in range(reader.one())]
    fields = [reader.member() for _ in range(reader.one())]
    methods = [reader.member() for _ in range(reader.one())]
    uses = [
        reader.reference(value) for tag, value in reader.constants.values() if tag in _REFERENCES
    ]
    return ClassFile(
        reader.class_name(name),
        flags,
        reader.class_name(parent) if parent else "",
        tuple(interfaces),
        tuple(fields),
        tuple(methods),
        frozenset(uses),
    )


def read_classes(folder: Path) -> list[ClassFile]:
    """Read all classes below a folder, by their paths."""
    return [read_class(path) for path in sorted(folder.rglob("*.class"))]
