"""Interprets the pickles that `torch.save` writes, as data: nothing in them is ever run.

Python's own unpickler calls what the pickle tells it to. Here `pickle_values` says what a call
stands for, and a pickle that asks for anything else is refused. Every protocol is read, 0 to 5.
"""

from __future__ import annotations

import pickletools
from typing import Any

from lama_edge.models.pickle_values import (
    HELD,
    Global,
    RefusedError,
    build,
    construct,
    extend,
    storage,
    update,
)

# Opcodes that push their argument; genops has decoded it.
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "INT", "LONG", "FLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_CONSTANTS = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
    "EMPTY_SET": HELD,
}


def read_pickle(data: bytes | bytearray) -> Any:
    """Return what a pickle describes: plain containers, with tensors as references.

    Raises:
        RefusedError: when it asks for anything that reading tensors does not need.
        Exception: of any kind when it is damaged.
    """
    return _Interpreter().load(data)


class _Interpreter:
    """Runs the opcodes of a pickle, without any that could call code."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def load(self, data: bytes | bytearray) -> Any:
        """Return what the pickle describes."""
        for opcode, argument, _position in pickletools.genops(data):
            if opcode.name == "STOP":
                break
            if opcode.name in _LITERALS:
                self._stack.append(argument)
            elif opcode.name in _CONSTANTS:
                self._stack.append(_CONSTANTS[opcode.name])
            elif not self._shape(opcode.name, argument):
                self._make(opcode.name, argument)
        return self._stack.pop()

    def _shape(self, opcode: str, argument: Any) -> bool:
        """Follow the opcodes of memo, marks and containers; False for any other."""
        stack = self._stack
        match opcode:
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self._memo[argument])
            case "BINPUT" | "LONG_BINPUT" | "PUT" | "MEMOIZE":
                self._memo[len(self._memo) if argument is None else argument] = stack[-1]
            case "MARK":
                self._marks.append(len(stack))
            case "POP":
                self._pop(1)
            case "POP_MARK":
                self._since_mark()
            case "DUP":
                stack.append(stack[-1])
            case "EMPTY_LIST" | "LIST":
                stack.append(self._since_mark() if opcode == "LIST" else [])
            case "EMPTY_DICT":
                stack.append({})
            case "DICT":
                items = self._since_mark()
                stack.append({})
                update(stack[-1], items)
            case "TUPLE":
                stack.append(tuple(self._since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(opcode[-1]))))
            case "PROTO" | "FRAME":
                pass
            case _:
                return False
        return True

    def _make(self, opcode: str, argument: Any) -> None:
        """Follow the opcodes that add to containers and stand for objects."""
        stack = self._stack
        match opcode:
            case "APPEND" | "APPENDS" | "ADDITEMS":
                added = self._pop(1) if opcode == "APPEND" else self._since_mark()
                extend(stack[-1], added)
            case "SETITEM" | "SETITEMS":
                added = self._pop(2) if opcode == "SETITEM" else self._since_mark()
                update(stack[-1], added)
            case "FROZENSET":
                self._since_mark()
                stack.append(HELD)
            case "GLOBAL" | "STACK_GLOBAL":
                named = argument.split(" ", 1) if opcode == "GLOBAL" else self._pop(2)
                if not all(isinstance(word, str) for word in named):
                    raise RefusedError("it names a class by something that is no text")
                stack.append(Global(*named))
            case "BINPERSID":
                stack.append(storage(stack.pop()))
            case "PERSID":
                stack.append(storage(argument))
            case "REDUCE" | "NEWOBJ" | "NEWOBJ_EX":
                callee, arguments, *_ = self._pop(3 if opcode == "NEWOBJ_EX" else 2)
                stack.append(construct(callee, arguments))
            case "BUILD":
                built, state = self._pop(2)
                stack.append(build(built, state))
            case _:
                raise RefusedError(f"it uses {opcode}, which torch.save never writes")

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
