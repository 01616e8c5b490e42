"""What every place of files can do, whether it is a folder here or a URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from lama_edge.errors import LamaEdgeError

Kind = Literal["folder", "file", "missing"]


class StoreError(LamaEdgeError):
    """A store that cannot be used: credentials, bucket, connection. It ends a run."""


class StoreFileError(LamaEdgeError):
    """One file of a store that cannot be used: missing, refused, damaged on its way."""


@dataclass(frozen=True)
class Entry:
    """A file of a store.

    Attributes:
        name: where it is, relative to the store, with ``/`` between folders; empty where the
            store is this one file.
        size: in bytes; 0 where the store does not say.
        stamp: text that changes when the file is written anew; empty where the store says
            nothing of the kind.
    """

    name: str
    size: int
    stamp: str


class Store(ABC):
    """A folder, or a single file, on this machine or at a URL; `open_store` gives one.

    A name is relative to the store, with ``/`` between folders; the empty one is the store
    itself, for stores that are one file. Stores can be pickled: another process opens its own.

    All methods that touch files raise `StoreError` where the whole store cannot be used, and
    `StoreFileError` where it is this one file. A folder on this machine that cannot be written
    is a `UsageError`, as for every output.

    Attributes:
        address: as it was given, with whatever secrets are in it; `spell` is for messages.
    """

    address: str

    @abstractmethod
    def spell(self, name: str = "") -> str:
        """Return what messages and records call a file: its path or URL, without secrets."""

    @abstractmethod
    def place(self, name: str = "") -> str:
        """Return what two ways to spell the same file, or folder, have in common.

        Of this machine that is the path without links, even where nothing is there.
        """

    @abstractmethod
    def kind(self) -> Kind:
        """Return what stands at the address. Where folders are made by names alone, as in S3,
        an empty one is missing, and may be written to."""

    @abstractmethod
    def entries(
        self, below: str = "", *, recursive: bool = False, left_out: Sequence[Store] = ()
    ) -> list[Entry]:
        """Return the files of a folder, in the order of their names.

        Hidden files and those in hidden folders are none, nor are those behind links to folders.

        Args:
            below: a folder in the store; its own links are followed. Where it is missing, there
                are none. Names are relative to the store all the same.
            recursive: whether folders inside are read too.
            left_out: stores whose folders are not, where they lie inside.
        """

    @abstractmethod
    def find(self, name: str) -> Entry | None:
        """Return what is known of a file; None where there is none."""

    @abstractmethod
    def fetched(self, name: str) -> AbstractContextManager[Path]:
        """Give a path to read a file at: its own, or that of a copy of the same name and suffix,
        which is removed after the block."""

    @abstractmethod
    def head(self, name: str, size_bytes: int) -> bytes:
        """Return the first bytes of a file: as many as are asked for, or are there."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a file's bytes."""

    @abstractmethod
    def written(self, name: str) -> AbstractContextManager[Path]:
        """Give a path to write a file at, which takes its place whole when the block succeeds.

        Nobody ever sees half a file. Folders around it are made. The path does not exist yet,
        and has the name's suffix.
        """

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Write a file of these bytes, as `written` does."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is none that fails."""

    @abstractmethod
    def check_writable(self) -> None:
        """Refuse a store that cannot be written to, before any long work is done.

        A folder is made where it is missing, but no bucket.
        """

    @abstractmethod
    def sweep(self, *, older_than_s: float) -> int:
        """Remove the temporary files that killed runs left, in all folders, and count them.

        Args:
            older_than_s: the age, in seconds, from which on those of other machines count as
                left; whether a process of this machine lives is known.
        """


def base_name(store: Store, name: str = "") -> str:
    """Return the last step of a file's path or URL."""
    return PurePosixPath(name or store.place().partition("?")[0]).name
