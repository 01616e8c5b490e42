"""Reads tensors from torch's zip checkpoints as data: nothing in the file is ever run.

A torch checkpoint is a zip with a pickle (`data.pkl`) that names tensors and one member per
storage. Python's own unpickler calls what the file tells it to, so the pickle is interpreted
here: tensors and plain containers are built, objects of training libraries are held without
content, and a pickle that calls or builds anything else is refused.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError
from lama_edge.models.config import reason, shown

# A tensor takes about 120 bytes of the pickle and of the zip directory, so 5000 of them (big-lama
# with discriminator, losses and optimizer) 0.6 MB; reading can take a hundred times the size.
_MAX_PICKLE_BYTES = 2 << 20
_MAX_READ_BYTES = 8 << 20
_MAX_STORAGE_BYTES = 1 << 30
_MAX_SIZE = 1 << 40  # keeps sizes and strides within 64 bits
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
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
_BUILTINS = {"__builtin__.frozenset", "__builtin__.set"}


class _RefusedError(Exception):
    """The pickle asks for something that reading tensors does not need."""


@dataclass(frozen=True)
class _Storage:
    """A reference to one storage member of the zip."""

    kind: str
    key: str
    numel: int


@dataclass(frozen=True)
class TensorReference:
    """A tensor in the file, not read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class TorchFile:
    """An open torch checkpoint.

    Args:
        path: a file written by `torch.save` (torch 1.6 or newer).

    Raises:
        CheckpointError: when the file is no such checkpoint, is damaged, or is refused.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = _BoundedFile(io.FileIO(path))
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror}") from error
        try:
            self._zip = self._open_zip()
            self._root = self._find_root()
            self._content = self._read_pickle()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def state_dict(self) -> dict[str, TensorReference]:
        """Return the tensors by name: of the entry ``state_dict`` where there is one."""
        content = self._content
        if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
        if not isinstance(content, dict):
            raise self._error("holds no state_dict: give a checkpoint of a generator")
        return {
            name: value
            for name, value in content.items()
            if isinstance(name, str) and isinstance(value, TensorReference)
        }

    def read(self, tensors: Mapping[str, TensorReference]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read tensors, each storage once; floating-point ones come as float32.

        Raises:
            CheckpointError: when data is missing, damaged, of an unsupported type, or absurdly
                large.
        """
        by_storage: dict[_Storage, list[str]] = {}
        for name, tensor in tensors.items():
            if tensor.storage.kind not in _DTYPES:
                raise self._error(
                    f"has the tensor {shown(name)} of the unsupported type "
                    f"{shown(tensor.storage.kind)}"
                )
            by_storage.setdefault(tensor.storage, []).append(name)
        total = sum(storage.numel * _dtype(storage).itemsize for storage in by_storage)
        if total > _MAX_STORAGE_BYTES:
            raise self._error(
                f"needs {total} bytes for its tensors, over {_MAX_STORAGE_BYTES}: "
                "is it a LaMa checkpoint?"
            )
        for storage, names in by_storage.items():
            flat = self._read_storage(storage)
            for name in names:
                yield name, _view(flat, tensors[name])

    def _read_storage(self, storage: _Storage) -> NDArray[Any]:
        member = f"{self._root}data/{storage.key}"
        dtype = _dtype(storage)
        data = self._read_member(member, limit=_MAX_STORAGE_BYTES)
        if len(data) != storage.numel * dtype.itemsize:
            raise self._error(
                f"is damaged: {shown(member)} has {len(data)} bytes, its tensors need "
                f"{storage.numel * dtype.itemsize}"
            )
        return np.frombuffer(data, dtype=dtype)

    def _open_zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._file)
        except Exception as error:  # a damaged directory raises whatever its parser meets
            raise self._error(
                f"is no torch checkpoint or is damaged ({reason(error)}): get it again; files "
                "from before torch 1.6 must be saved again with a newer torch"
            ) from error

    def _find_root(self) -> str:
        names = self._zip.namelist()
        pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
        if not pickles:
            raise self._error("is no torch checkpoint: it is a zip without a data.pkl")
        if len(pickles) > 1 or len(set(names)) != len(names):
            raise self._error("is refused: its zip holds members twice, as torch never writes")
        root = pickles[0].removesuffix("data.pkl")
        if any(name.startswith(f"{root}code/") for name in names):
            raise self._error(
                "is a TorchScript archive, which is not supported: give the Lightning "
                "checkpoint or a .safetensors file"
            )
        if f"{root}byteorder" in names:
            order = self._read_member(f"{root}byteorder", limit=16)
            if order != b"little":
                raise self._error(
                    f"has the byte order {bytes(order)!r}, supported is little: save it again "
                    "on a little-endian machine"
                )
        return root

    def _read_pickle(self) -> Any:
        data = self._read_member(f"{self._root}data.pkl", limit=_MAX_PICKLE_BYTES)
        try:
            return _Interpreter().load(data)
        except _RefusedError as error:
            raise self._error(
                f"is refused: {error}; nothing was run, get the weights from a source you trust"
            ) from error
        except Exception as error:  # a damaged pickle raises whatever the interpreter meets
            raise self._error(
                f"is refused: its pickle is damaged ({type(error).__name__}: "
                f"{reason(error)}); nothing was run, get the file again"
            ) from error

    def _read_member(self, name: str, *, limit: int) -> bytearray:
        data = bytearray()
        try:
            info = self._zip.getinfo(name)
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise self._error(f"has a compressed {shown(name)}, which torch never writes")
            if info.file_size > limit:
                raise self._error(
                    f"has {info.file_size} bytes of {shown(name)}, over {limit}: "
                    "is it a LaMa checkpoint?"
                )
            with self._zip.open(info) as member:
                while chunk := member.read(_MAX_READ_BYTES):
                    data += chunk
        except CheckpointError:
            raise
        except KeyError as error:
            raise self._error(f"is damaged: {shown(name)} is missing; get it again") from error
        except Exception as error:  # zipfile raises whatever a damaged file makes it meet
            raise self._error(
                f"is damaged: {shown(name)} cannot be read ({reason(error)}); get it again"
            ) from error
        return data

    def _error(self, what: str) -> CheckpointError:
        return CheckpointError(f"the checkpoint {str(self._path)!r} {what}")


class _BoundedFile(io.BufferedReader):
    """Keeps `zipfile` from reading a directory so large that its entries fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_READ_BYTES:
            raise zipfile.BadZipFile(f"{size} bytes at once")
        return super().read(size)


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
                built, _state = self._pop(2)
                if not isinstance(built, dict | _Held):
                    raise _RefusedError(f"it changes {_kind(built)}")
                stack.append(built)
            case "PROTO":
                pass
            case _:
                raise _RefusedError(f"it uses {opcode}, which torch.save does not write by default")

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
        raise _RefusedError(f"it appends to {_kind(target)}")


def _update(target: Any, items: list[Any]) -> None:
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashing a tuple can overflow the stack or take forever, and integers from 2**61 - 1
        # on can be made to collide.
        if not isinstance(key, str | int | _Global | None) or (
            isinstance(key, int) and key.bit_length() > 60
        ):
            raise _RefusedError(f"it has a dictionary with {_kind(key)} as a key")
        if isinstance(target, dict):
            target[key] = value
        elif not isinstance(target, _Held):
            raise _RefusedError(f"it sets items of {_kind(target)}")


def _construct(callee: Any, arguments: Any) -> Any:
    if not isinstance(callee, _Global) or not isinstance(arguments, tuple):
        raise _RefusedError(f"it calls {_kind(callee)}")
    match str(callee):
        case "collections.OrderedDict" if not arguments:
            return {}
        case "torch._utils._rebuild_tensor_v2":
            return _tensor(*arguments[:4])
        case "torch._utils._rebuild_parameter":
            return arguments[0]
    if callee.module.partition(".")[0] not in _LIBRARIES and str(callee) not in _BUILTINS:
        raise _RefusedError(f"it calls {shown(str(callee))}, which is no part of a checkpoint")
    return _HELD


def _storage(reference: Any) -> _Storage:
    match reference:
        case ("storage", _Global() as kind, str() as key, _, numel):
            return _Storage(kind.name, key, _size(numel))
    raise _RefusedError("it refers to something that is no tensor storage")


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any) -> TensorReference:
    if (
        not isinstance(storage, _Storage)
        or not isinstance(shape, tuple)
        or not isinstance(stride, tuple)
        or len(shape) != len(stride)
        or len(shape) > 8
    ):
        raise _RefusedError("a tensor in it is malformed")
    extents, steps = tuple(map(_size, shape)), tuple(map(_size, stride))
    last = _size(offset) + sum((n - 1) * step for n, step in zip(extents, steps, strict=True))
    elements = math.prod(extents)
    if elements > storage.numel or (elements and last >= storage.numel):
        raise _RefusedError("a tensor in it reaches beyond its data")
    if math.prod(max(1, extent) for extent in extents) > _MAX_SIZE:
        raise _RefusedError("a tensor in it has an absurd shape")
    return TensorReference(storage, offset, extents, steps)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_SIZE:
        raise _RefusedError(f"it has {shown(value)} as a size")
    return value


def _view(flat: NDArray[Any], tensor: TensorReference) -> NDArray[Any]:
    strides = tuple(step * flat.itemsize for step in tensor.stride)
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides)
    if tensor.storage.kind == "BFloat16Storage":
        bits = view.astype(np.uint32, order="C")
        bits <<= 16
        return bits.view(np.float32)
    with np.errstate(over="ignore"):  # an infinity is refused when the generator is built
        return np.array(view, dtype=np.float32 if flat.dtype.kind == "f" else None, order="C")


def _dtype(storage: _Storage) -> np.dtype[Any]:
    return np.dtype(_DTYPES[storage.kind])


def _kind(value: Any) -> str:
    return shown(str(value)) if isinstance(value, _Global) else f"a {type(value).__name__}"
