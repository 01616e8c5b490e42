"""Reads tensors from torch's zip files as data: nothing in the file is ever run.

A torch checkpoint is a zip with a pickle (`data.pkl`) that names tensors and one member per
storage. `torch_pickle` interprets the pickle; this module reads the zip.
"""

from __future__ import annotations

import io
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, reason, shown
from lama_edge.models.pickle_values import (
    Record,
    RefusedError,
    StorageReference,
    TensorReference,
)
from lama_edge.models.torch_pickle import read_pickle

# A tensor takes about 120 bytes of the pickle and of the zip directory, so 5000 of them (big-lama
# with discriminator, losses and optimizer) 0.6 MB; reading can take a hundred times the size.
_MAX_PICKLE_BYTES = 2 << 20
_MAX_READ_BYTES = 8 << 20
_MAX_STORAGE_BYTES = 1 << 30
_MAX_PATH_CHARACTERS = 400  # of nested containers; real ones stay below 60
_INNER = "state_dict."
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
        """Return every tensor by its dotted path.

        What lies in an entry ``state_dict`` at the top is named as if it lay there itself; what
        lies deeper in dictionaries, lists and modules has their names before its own
        (``gen_state_dict.model.1…``). Those of a TorchScript archive are named as its own
        state_dict names them.
        """
        content = self._content
        if not isinstance(content, dict | Record):
            raise self._error("holds no state_dict: give a checkpoint of a generator")
        found = _flattened(content)
        inner = {n.removeprefix(_INNER): n for n in found if n.startswith(_INNER)}
        names = {inner[n]: n for n in inner if n not in found}
        return {names.get(name, name): tensor for name, tensor in found.items()}

    def read(self, tensors: Mapping[str, TensorReference]) -> Iterator[tuple[str, NDArray[Any]]]:
        """Read tensors, each storage once; floating-point ones come as float32.

        Raises:
            CheckpointError: when data is missing, damaged, of an unsupported type, or absurdly
                large.
        """
        by_storage: dict[StorageReference, list[str]] = {}
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

    def _read_storage(self, storage: StorageReference) -> NDArray[Any]:
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
            return read_pickle(data)
        except RefusedError as error:
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


def _flattened(content: dict[Any, Any] | Record) -> dict[str, TensorReference]:
    """Return the tensors in nested containers by dotted path, in the file's order.

    A container met again is left out: thousands of entries may name the same one.
    """
    found: dict[str, TensorReference] = {}
    seen = {id(content)}
    pending: deque[tuple[str, Any]] = deque([("", content)])
    while pending:
        path, current = pending.popleft()
        for name, value in _items(current):
            # Longer ones are nobody's, and would fill the memory; cut, they are still told of.
            below = f"{path}{name}"[:_MAX_PATH_CHARACTERS]
            if isinstance(value, TensorReference):
                found[below] = value
            elif isinstance(value, dict | list | tuple | Record) and id(value) not in seen:
                seen.add(id(value))
                pending.append((f"{below}.", value))
    return found


def _items(container: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(container, list | tuple):
        return enumerate(container)
    held: dict[Any, Any] = container.attributes if isinstance(container, Record) else container
    return held.items()


def _view(flat: NDArray[Any], tensor: TensorReference) -> NDArray[Any]:
    strides = tuple(step * flat.itemsize for step in tensor.stride)
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, strides)
    return decoded(view, bfloat16=tensor.storage.kind == "BFloat16Storage")


def decoded(array: NDArray[Any], *, bfloat16: bool) -> NDArray[Any]:
    """Copy what a file holds: floating-point numbers as float32, others as they are.

    Args:
        array: of any type.
        bfloat16: whether its 16-bit integers are the bits of bfloat16.
    """
    if bfloat16:
        bits = array.astype(np.uint32, order="C")
        bits <<= 16
        return bits.view(np.float32)
    # An infinity and a NaN are refused when the generator is built.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(array, dtype=np.float32 if array.dtype.kind == "f" else None, order="C")


def _dtype(storage: StorageReference) -> np.dtype[Any]:
    return np.dtype(_DTYPES[storage.kind])
