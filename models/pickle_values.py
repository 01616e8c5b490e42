"""What the calls in a checkpoint's pickle stand for: tensors, containers, and records without life.

A pickle builds its objects by naming a class or function and what to call it with. None is ever
called, imported or looked up here. Tensors and dictionaries become what they are, and other objects
records of their attributes. What names anything else of Python's own library than its data is
refused, since no checkpoint needs it and an ordinary unpickler would run it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

from lama_edge.errors import shown

_MAX_SIZE = 1 << 40  # keeps sizes and strides within 64 bits
_MAX_NAME_CHARACTERS = 400  # of a class in classes
_SCRIPTED = "__torch__"  # classes of a TorchScript archive, defined in its own code folder
# Python's own modules, by Python 2's names too, which protocols below 3 write.
_STANDARD = sys.stdlib_module_names | {"__builtin__", "commands", "copy_reg", "popen2"}
# What of them pickled data names; the builtins are listed one by one.
_DATA_MODULES = {
    "argparse",
    "array",
    "collections",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "ipaddress",
    "pathlib",
    "typing",
    "uuid",
    "zoneinfo",
}
_DATA = {
    "_codecs.encode",  # bytes, as protocols below 3 write them
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "functools.partial",
    "random.Random",
    "re._compile",
    "types.SimpleNamespace",
    "zoneinfo.ZoneInfo._unpickle",
}
_BUILTINS = {
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
    "unicode",
    "xrange",
}


class RefusedError(Exception):
    """The pickle asks for something that reading tensors does not need."""


@dataclass(frozen=True)
class StorageReference:
    """A reference to one storage member of the zip."""

    kind: str
    key: str
    numel: int


@dataclass(frozen=True)
class TensorReference:
    """A tensor in the file, not read yet."""

    storage: StorageReference
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """An object of any other class: its attributes and items, without its code."""

    attributes: dict[Any, Any]


class ScriptModule(Record):
    """A module of a TorchScript archive."""


@dataclass(frozen=True)
class Global:
    """A class or function that the pickle names; it is neither imported nor looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Held:
    """Stands for a set, without its items."""


@dataclass(frozen=True)
class _Bound(Held):
    """A `functools.partial`, in which protocols below 4 make objects of keyword arguments."""

    callee: Any


HELD = Held()
# Told of by its name, and not read: torch saves tensors.
_NUMPY_ARRAY = TensorReference(StorageReference("numpy array", "", 0), 0, (), ())


def update(target: Any, items: list[Any]) -> None:
    """Set items of a dictionary or record; those whose key is no text are left out.

    Nobody asks for them, and hashing a tuple can overflow the stack or take for ever.
    """
    if not isinstance(target, dict | Record | Held):
        raise RefusedError(f"it sets items of {kind(target)}")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if isinstance(key, dict | list):
            raise RefusedError(f"it has a dictionary with {kind(key)} as a key")
        if isinstance(key, str) and not isinstance(target, Held):
            (target.attributes if isinstance(target, Record) else target)[key] = value


def extend(target: Any, items: list[Any]) -> None:
    """Add items to a list or record, or to a set, which is held without its items."""
    if isinstance(target, Record):
        target.attributes.setdefault("items", []).extend(items)
    elif isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Held):
        raise RefusedError(f"it appends to {kind(target)}")


def build(built: Any, state: Any) -> Any:
    """Set a record's attributes; those that torch attaches to a dictionary are dropped."""
    if isinstance(built, ScriptModule) and not isinstance(state, dict):
        raise RefusedError(f"a module's state in it is {kind(state)}")
    if isinstance(built, Record):
        # Of a class with __slots__ the state is two dictionaries, of one with its own way anything.
        for part in state if isinstance(state, tuple) else (state,):
            built.attributes.update(part if isinstance(part, dict) else {"state": part})
    elif not isinstance(built, dict | Held | TensorReference):
        raise RefusedError(f"it changes {kind(built)}")
    return built


def construct(callee: Any, arguments: Any) -> Any:
    """Return what calling a class or function stands for; it is not called."""
    if isinstance(callee, _Bound):
        callee = callee.callee
    if not isinstance(callee, Global) or not isinstance(arguments, tuple):
        raise RefusedError(f"it calls {kind(callee)}")
    match str(callee):
        case "collections.OrderedDict" if not arguments:
            return {}
        case "torch._utils._rebuild_tensor_v2":
            return _tensor(*arguments[:4])
        case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state":
            return arguments[0]
        case "numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct":
            return _NUMPY_ARRAY
        case "functools.partial":
            return _Bound(arguments[0])
        case "builtins.getattr" | "__builtin__.getattr" if len(arguments) == 2:
            return _member(*arguments)
        case "torch._tensor._rebuild_from_type_v2":
            return construct(arguments[0], arguments[2])
        case "copyreg._reconstructor" | "copy_reg._reconstructor":
            return construct(arguments[0], ())
    root = callee.module.partition(".")[0]
    if root == _SCRIPTED:
        if arguments:
            raise RefusedError("a module in it is made with arguments")
        return ScriptModule({})
    if _is_foreign(callee):
        raise _refused(callee)
    return Record({"arguments": arguments} if arguments else {})


def _member(owner: Any, name: Any) -> Global:
    """Return what a class of the user's has by a name: a method, or an enumeration's member."""
    whole = f"{getattr(owner, 'name', '')}.{name}"
    if not isinstance(owner, Global) or not isinstance(name, str):
        raise _refused(Global("builtins", "getattr"))
    if len(whole) > _MAX_NAME_CHARACTERS:
        raise RefusedError("a name in it is too long")
    member = Global(owner.module, whole)
    if _is_foreign(member):
        raise _refused(member)
    return member


def _refused(callee: Global) -> RefusedError:
    return RefusedError(f"it calls {shown(str(callee))}, which is no part of a checkpoint")


def _is_foreign(callee: Global) -> bool:
    """Tell whether no data has it: part of Python's library, or reached through what is."""
    root = callee.module.partition(".")[0]
    # From protocol 4 on a name may lead through what a module imported: `torch` and `os.system`.
    if _STANDARD.intersection(callee.name.split(".")[:-1]):
        return True
    return root in _STANDARD and not _is_data(callee, root)


def _is_data(callee: Global, root: str) -> bool:
    if callee.module in ("builtins", "__builtin__"):
        return callee.name in _BUILTINS
    # What a class of them has is no class: `pathlib.Path.touch`.
    return (root in _DATA_MODULES and "." not in callee.name) or str(callee) in _DATA


def storage(reference: Any) -> StorageReference:
    """Return the storage that a persistent identifier names."""
    match reference:
        case ("storage", Global() as kind_, str() as key, _, numel):
            return StorageReference(kind_.name, key, _size(numel))
    raise RefusedError("it refers to something that is no tensor storage")


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any) -> TensorReference:
    if (
        not isinstance(storage, StorageReference)
        or not isinstance(shape, tuple)
        or not isinstance(stride, tuple)
        or len(shape) != len(stride)
        or len(shape) > 8
    ):
        raise RefusedError("a tensor in it is malformed")
    extents, steps = tuple(map(_size, shape)), tuple(map(_size, stride))
    last = _size(offset) + sum((n - 1) * step for n, step in zip(extents, steps, strict=True))
    elements = math.prod(extents)
    if elements > storage.numel or (elements and last >= storage.numel):
        raise RefusedError("a tensor in it reaches beyond its data")
    if math.prod(max(1, extent) for extent in extents) > _MAX_SIZE:
        raise RefusedError("a tensor in it has an absurd shape")
    return TensorReference(storage, offset, extents, steps)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise RefusedError(f"it has {shown(value)} as a size")
    return value


def kind(value: Any) -> str:
    """Spell what a value is, for an error."""
    return shown(str(value)) if isinstance(value, Global) else f"a {type(value).__name__}"
