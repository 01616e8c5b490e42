"""Interprets the pickles that `torch.save` writes, as data: nothing in them is ever run.

Python's own unpickler calls what the pickle tells it to. Here tensors and plain containers are
built, objects of training libraries are held without content, and a pickle that calls or builds
anything else is refused. No module that a pickle names is imported or looked up.
"""

from __future__ import annotations

import math
import pickletools
from dataclasses import dataclass
from typing import Any

from lama_edge.errors import shown

_MAX_SIZE = 1 << 40  # keeps sizes and strides within 64 bits
_LIBRARIES = {
    "_codecs",  # numpy's scalars
    "argparse",
    "collections",
    "lightning",
    "numpy",
    "omegaconf",
    "pathlib",
    "pytorch_lightning",
    "torch",
    "typing",
}
_SCRIPTED = "__torch__"  # classes of a TorchScript archive, defined in its own code folder
_BUILTINS = {"__builtin__.frozenset", "__builtin__.set"}


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
class ScriptModule:
    """A module of a TorchScript archive: its attributes, without its code."""

    attributes: dict[Any, Any]


@dataclass(frozen=True)
class _Global:
    """A class or function that the pickle names; it is neither imported nor looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class _Held:
    """Stands for any object of a training library, without its content."""


_HELD = _Held()


def read_pickle(data: bytes | bytearray) -> Any:
    """Return what a pickle describes: plain containers, with tensors as references.

    Raises:
        RefusedError: when it asks for anything that reading tensors does not need.
        Exception: of any kind when it is damaged.
    """
    return _Interpreter().load(data)


class _Interpreter:
    """Runs the pickle opcodes that `torch.save` writes, without any that could call code."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def load(self, data: bytes | bytearray) -> Any:
        """Return what the pickle describes."""
        for opcode, argument, _position in pickletools.genops(data):
            if opcode.name == "STOP":
                break
            self._step(opcode.name, argument)
        return self._stack.pop()

    def _step(self, opcode: str, argument: Any) -> None:
        stack = self._stack
        match opcode:
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                stack.append(argument)
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode])
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "MARK":
                self._marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(opcode[-1]))))
            case "APPEND" | "APPENDS":
                added = self._pop(1) if opcode == "APPEND" else self._since_mark()
                _extend(stack[-1], added)
            case "SETITEM" | "SETITEMS":
                added = self._pop(2) if opcode == "SETITEM" else self._since_mark()
                _update(stack[-1], added)
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                stack.append(_Global(module, name))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                callee, arguments = self._pop(2)
                stack.append(_construct(callee, arguments))
            case "BUILD":
                built, state = self._pop(2)
                stack.append(_build(built, state))
            case "PROTO":
                pass
            case _:
                raise RefusedError(f"it uses {opcode}, which torch.save does not write by default")

    def _pop(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) < count:
            raise IndexError("its stack is empty")
        del self._stack[-count:]
        return items

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        items = self._stack[mark:]
        del self._stack[mark:]
        return items


def _extend(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, _Held):
        raise RefusedError(f"it appends to {_kind(target)}")


def _update(target: Any, items: list[Any]) -> None:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing a tuple can overflow the stack or take forever, and integers from 2**61 - 1
        # on can be made to collide.
        if not isinstance(key, str | int | _Global | None) or (
            isinstance(key, int) and key.bit_length() > 60
        ):
            raise RefusedError(f"it has a dictionary with {_kind(key)} as a key")
        if isinstance(target, dict):
            target[key] = value
        elif not isinstance(target, _Held):
            raise RefusedError(f"it sets items of {_kind(target)}")


def _build(built: Any, state: Any) -> Any:
    """Set a scripted module's attributes; those that torch attaches to a dictionary are dropped."""
    if isinstance(built, ScriptModule):
        if not isinstance(state, dict):
            raise RefusedError(f"a module's state in it is {_kind(state)}")
        built.attributes.update(state)
    elif not isinstance(built, dict | _Held):
        raise RefusedError(f"it changes {_kind(built)}")
    return built


def _construct(callee: Any, arguments: Any) -> Any:
    if not isinstance(callee, _Global) or not isinstance(arguments, tuple):
        raise RefusedError(f"it calls {_kind(callee)}")
    match str(callee):
        case "collections.OrderedDict" if not arguments:
            return {}
        case "torch._utils._rebuild_tensor_v2":
            return _tensor(*arguments[:4])
        case "torch._utils._rebuild_parameter":
            return arguments[0]
    if callee.module.partition(".")[0] == _SCRIPTED and not arguments:
        return ScriptModule({})
    if callee.module.partition(".")[0] not in _LIBRARIES and str(callee) not in _BUILTINS:
        raise RefusedError(f"it calls {shown(str(callee))}, which is no part of a checkpoint")
    return _HELD


def _storage(reference: Any) -> StorageReference:
    match reference:
        case ("storage", _Global() as kind, str() as key, _, numel):
            return StorageReference(kind.name, key, _size(numel))
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


def _kind(value: Any) -> str:
    return shown(str(value)) if isinstance(value, _Global) else f"a {type(value).__name__}"
