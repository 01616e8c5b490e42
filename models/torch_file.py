"""Reads tensors from torch's zip checkpoints as data: nothing in the file is ever run.

A torch checkpoint is a zip with a pickle (`data.pkl`) that names tensors and one member per
storage. The pickle is read by an unpickler that knows tensors and ordered dictionaries; every
other global becomes an inert name, and a pickle that calls or builds one is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError

_MAX_PICKLE_BYTES = 64 << 20
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}
_MEMO_OPCODES = {"PUT", "BINPUT", "LONG_BINPUT"}
_BFLOAT16 = "BFloat16Storage"


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


class _Inert:
    """Stands for a global that is not looked up; it can be held, but not called or built."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


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
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise self._error(
                "is no torch checkpoint (not a zip file); files from before torch 1.6 must be "
                "saved again with a newer torch"
            ) from error
        try:
            self._root = self._find_root()
            self.content = self._read_pickle()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> TorchFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def state_dict(self) -> dict[str, TensorReference]:
        """Return the tensors by name: of the entry ``state_dict`` where there is one."""
        content = self.content
        if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
        if not isinstance(content, dict):
            raise self._error("holds no state_dict")
        return {
            name: value
            for name, value in content.items()
            if isinstance(name, str) and isinstance(value, TensorReference)
        }

    def read(self, tensor: TensorReference) -> NDArray[Any]:
        """Read one tensor; bfloat16 comes back as float32.

        Raises:
            CheckpointError: when its data is missing, too short or damaged.
        """
        storage = tensor.storage
        member = f"{self._root}data/{storage.key}"
        data = self._read_member(member)
        dtype = np.dtype("<u2" if storage.kind == _BFLOAT16 else _DTYPES[storage.kind])
        if len(data) != storage.numel * dtype.itemsize:
            raise self._error(
                f"is damaged: {member} has {len(data)} bytes, its tensors need "
                f"{storage.numel * dtype.itemsize}"
            )
        flat = np.frombuffer(data, dtype=dtype)
        if storage.kind == _BFLOAT16:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        strides = tuple(step * flat.itemsize for step in tensor.stride)
        view = np.lib.stride_tricks.as_strided(
            flat[tensor.offset :], tensor.shape, strides, writeable=False
        )
        return np.array(view)

    def _find_root(self) -> str:
        names = [name for name in self._zip.namelist() if name.endswith("data.pkl")]
        if len(names) != 1:
            raise self._error("is no torch checkpoint (a zip without a data.pkl)")
        root = names[0].removesuffix("data.pkl")
        if f"{root}code/" in {name[: len(root) + 5] for name in self._zip.namelist()}:
            raise self._error(
                "is a TorchScript archive, which is not supported: give the Lightning "
                "checkpoint or a .safetensors file"
            )
        if f"{root}byteorder" in self._zip.namelist():
            order = self._read_member(f"{root}byteorder")
            if order != b"little":
                raise self._error(f"has the byte order {order!r}; only little-endian is supported")
        return root

    def _read_pickle(self) -> Any:
        data = self._read_member(f"{self._root}data.pkl", limit=_MAX_PICKLE_BYTES)
        try:
            _check_memo(data)
            return _TensorUnpickler(io.BytesIO(data)).load()
        except _RefusedError as error:
            raise self._error(f"is refused: {error}; nothing was run") from error
        except Exception as error:
            # A hostile or damaged pickle can raise anything; the file is refused either way.
            reason = " ".join(str(error).split())[:200]
            raise self._error(
                f"is refused: its pickle is damaged or not a plain state_dict "
                f"({type(error).__name__}: {reason}); nothing was run"
            ) from error

    def _read_member(self, name: str, *, limit: int | None = None) -> bytes:
        try:
            info = self._zip.getinfo(name)
            if info.compress_type != zipfile.ZIP_STORED:
                raise self._error(f"has a compressed member {name}, which torch never writes")
            if limit is not None and info.file_size > limit:
                raise self._error(f"has a {name} of {info.file_size} bytes, over {limit}")
            return self._zip.read(info)
        except KeyError as error:
            raise self._error(f"is damaged: {name} is missing") from error
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
            raise self._error(f"is damaged: {name} cannot be read ({error})") from error
        except NotImplementedError as error:
            raise self._error(f"cannot be read: {error}") from error

    def _error(self, what: str) -> CheckpointError:
        return CheckpointError(f"the checkpoint {str(self._path)!r} {what}")


class _TensorUnpickler(pickle.Unpickler):
    """Knows tensors and ordered dictionaries; everything else stays an inert name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global; no module is ever imported."""
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): _ordered_dict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        return known.get((module, name)) or _Inert(f"{module}.{name}")

    def persistent_load(self, reference: Any) -> _Storage:
        """Return the reference to a storage."""
        tag, kind, key, _location, numel = reference
        if tag != "storage" or not isinstance(kind, _Inert):
            raise _RefusedError("it refers to something that is no tensor storage")
        type_name = kind.name.rpartition(".")[2]
        if type_name not in _DTYPES and type_name != _BFLOAT16:
            raise _RefusedError(f"it holds tensors of an unsupported type {kind.name}")
        return _Storage(type_name, str(key), _size(numel))


class _StateDict(OrderedDict[Any, Any]):
    """An ordered dictionary that ignores the attributes torch attaches (`_metadata`)."""

    def __setstate__(self, state: object) -> None:
        """Drop the state."""


def _ordered_dict(*arguments: Any) -> _StateDict:
    return _StateDict(*arguments)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> TensorReference:
    if not isinstance(storage, _Storage) or len(shape) != len(stride) or len(shape) > 8:
        raise _RefusedError("a tensor in it is malformed")
    reference = TensorReference(
        storage, _size(offset), tuple(map(_size, shape)), tuple(map(_size, stride))
    )
    steps = zip(reference.shape, reference.stride, strict=True)
    last = reference.offset + sum((extent - 1) * step for extent, step in steps)
    elements = math.prod(reference.shape)
    if elements > storage.numel or (elements and last >= storage.numel):
        raise _RefusedError("a tensor in it reaches beyond its data")
    return reference


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _size(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise _RefusedError(f"it has a size of {value!r}")
    return value


def _check_memo(data: bytes) -> None:
    """Refuse memo indices beyond the pickle's length: the unpickler would allocate for them."""
    for opcode, argument, _position in pickletools.genops(data):
        if opcode.name in _MEMO_OPCODES and isinstance(argument, int) and argument > len(data):
            raise _RefusedError(f"its memo index {argument} is absurd")
