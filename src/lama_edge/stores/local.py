"""Folders of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from lama_edge.errors import UsageError, one_line
from lama_edge.files import atomic_output, make_folder, output_room, remove_left
from lama_edge.stores.base import Entry, Kind, Store, StoreFileError


class LocalStore(Store):
    """A folder, or a file, of this machine.

    Args:
        path: where it is; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.address = str(path)

    def spell(self, name: str = "") -> str:
        """See `Store.spell`."""
        return str(self.path / name)

    def place(self, name: str = "") -> str:
        """See `Store.place`."""
        return (self.path / name).resolve().as_posix()

    def kind(self) -> Kind:
        """See `Store.kind`."""
        if self.path.is_dir():
            return "folder"
        return "file" if self.path.exists() else "missing"

    def entries(
        self, below: str = "", *, recursive: bool = False, left_out: Sequence[Store] = ()
    ) -> list[Entry]:
        """See `Store.entries`."""
        top = self.path / below
        if not top.is_dir():
            return []
        others = {store.place() for store in left_out if isinstance(store, LocalStore)}
        found = []
        for place, folders, files in os.walk(top, onerror=_refuse):
            at = Path(place)
            folders[:] = [
                one
                for one in folders
                if recursive and one[0] != "." and (at / one).resolve().as_posix() not in others
            ]
            entries = (self._entry(at / one) for one in files if one[0] != ".")
            found += [entry for entry in entries if entry is not None]
        return sorted(found, key=lambda entry: entry.name)

    def _entry(self, path: Path) -> Entry | None:
        name = "" if path == self.path else path.relative_to(self.path).as_posix()
        try:
            stat = path.stat()
        except OSError:  # a link to nothing, which whoever reads it is told of
            return Entry(name, 0, "")
        if not S_ISREG(stat.st_mode):  # a pipe or a device, which nobody comes to the end of
            return None
        return Entry(name, stat.st_size, f"{stat.st_mtime_ns}-{stat.st_ctime_ns}-{stat.st_ino}")

    def find(self, name: str) -> Entry | None:
        """See `Store.find`."""
        path = self.path / name
        return self._entry(path) if path.exists() else None

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        """See `Store.fetched`."""
        self._read(name, 0)  # refuses what cannot be read
        yield self.path / name

    def head(self, name: str, size_bytes: int) -> bytes:
        """See `Store.head`."""
        return self._read(name, size_bytes)

    def read(self, name: str) -> bytes:
        """See `Store.read`."""
        return self._read(name, -1)

    def _read(self, name: str, size_bytes: int) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(size_bytes)
        except FileNotFoundError as error:
            raise StoreFileError(
                f"the file {self.spell(name)!r} does not exist: check the path"
            ) from error
        except OSError as error:
            raise StoreFileError(
                f"the file {self.spell(name)!r} cannot be read "
                f"({error.strerror or one_line(error)}): check what is there"
            ) from error

    @contextmanager
    def written(self, name: str) -> Iterator[Path]:
        """See `Store.written`."""
        target = self.path / name
        make_folder(target.parent)
        with output_room(target), atomic_output(target, sweeping=False) as temporary:
            yield temporary

    def put(self, name: str, data: bytes) -> None:
        """See `Store.put`."""
        with self.written(name) as temporary:
            temporary.write_bytes(data)

    def remove(self, name: str) -> None:
        """See `Store.remove`."""
        with output_room(self.path / name):
            (self.path / name).unlink(missing_ok=True)

    def check_writable(self) -> None:
        """See `Store.check_writable`."""
        make_folder(self.path)
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"the folder {str(self.path)!r} is not writable: name another")

    def sweep(self, *, older_than_s: float) -> int:
        """See `Store.sweep`."""
        return remove_left(self.path, older_than_s=older_than_s)


def _refuse(error: OSError) -> None:
    raise StoreFileError(
        f"the folder {str(error.filename)!r} cannot be read ({error.strerror}): "
        "give yourself the right to, or move it"
    ) from error
