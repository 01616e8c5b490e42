"""The zoo: what zoo.toml says of the published checkpoints, where they lie here, fetching them."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

import platformdirs

from lama_edge.errors import CheckpointError, UsageError, parameter, shown
from lama_edge.files import sha256_of
from lama_edge.models.archive import ArchiveMember, unpack
from lama_edge.models.config import GeneratorConfig, config_from_dict
from lama_edge.models.download import Progress, download

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

CACHE_VARIABLE = "LAMA_EDGE_CACHE"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ZooEntry:
    """A published checkpoint.

    Attributes:
        name: what the command line calls it.
        architecture: the generator that its weights fit.
        purpose: what it is for, on one line.
        licence: of its weights; ``"unknown"`` where none is stated.
        address: where its publisher keeps the file, if anywhere.
        embedded: the file that comes with the package, relative to this folder.
        size_bytes: exact size of the file, where published.
        sha256: published hash of the file.
        md5: published hash of the file; where it is the only one, `fetch` asks for consent.
        members: what to unpack, if the file is a zip archive.
    """

    name: str
    architecture: GeneratorConfig
    purpose: str
    licence: str
    address: str | None = None
    embedded: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    members: tuple[ArchiveMember, ...] = ()

    @property
    def source(self) -> Literal["embedded", "download", "bring-your-own"]:
        """How one comes by it."""
        if self.embedded:
            return "embedded"
        return "download" if self.address else "bring-your-own"

    def to_dict(self) -> dict[str, Any]:
        """Return what `lama-edge models list --json` prints of it."""
        return {
            "name": self.name,
            "source": self.source,
            "architecture": self.architecture.to_dict(),
            "purpose": self.purpose,
            "licence": self.licence,
            "address": self.address,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "md5": self.md5,
        }


@cache
def zoo_entries() -> tuple[ZooEntry, ...]:
    """Return every published checkpoint, the embedded one first."""
    document = tomllib.loads((_FOLDER / "zoo.toml").read_text(encoding="utf-8"))
    return tuple(_entry(table) for table in document["checkpoint"])


def _entry(table: Mapping[str, Any]) -> ZooEntry:
    options = dict(table)
    options["architecture"] = config_from_dict(options["architecture"])
    options["size_bytes"] = options.pop("bytes", None)
    options["members"] = tuple(
        ArchiveMember(member["path"], member.get("bytes"), member.get("sha256"))
        for member in options.get("members", ())
    )
    return ZooEntry(**options)


def zoo_entry(name: str) -> ZooEntry:
    """Return the checkpoint of that name.

    Raises:
        UsageError: when there is none, naming those with a similar name.
    """
    entries = {entry.name: entry for entry in zoo_entries()}
    if name in entries:
        return entries[name]
    similar = difflib.get_close_matches(name.lower().replace("_", "-"), entries, n=3)
    hint = f"did you mean {' or '.join(similar)}? " if similar else ""
    raise UsageError(
        f"the zoo has no checkpoint {shown(name)}: {hint}see them with: lama-edge models list"
    )


def cache_folder() -> Path:
    """Return the folder of fetched checkpoints, which need not exist yet.

    It is $LAMA_EDGE_CACHE, or else ``lama-edge`` in the platform's place for caches.

    Raises:
        UsageError: when the user has no home folder either.
    """
    try:
        override = os.environ.get(CACHE_VARIABLE)
        if override:
            return Path(override).expanduser().absolute()
        return platformdirs.user_cache_path("lama-edge", appauthor=False, opinion=False)
    except RuntimeError as error:
        raise UsageError(
            f"there is no home folder for a cache: name a folder in {CACHE_VARIABLE}"
        ) from error


def installed_path(entry: ZooEntry) -> Path | None:
    """Return where the checkpoint lies (a file, or the unpacked folder), or None if nowhere.

    Nothing is hashed: `fetch` gives a file this name only once it is verified.
    """
    if entry.embedded:
        return _FOLDER / entry.embedded
    if not entry.address:
        return None
    path = _place(entry)
    wanted = [path / member.path for member in entry.members] or [path]
    return path if all(file.is_file() for file in wanted) else None


def required_path(entry: ZooEntry) -> Path:
    """Return where the checkpoint lies.

    Raises:
        CheckpointError: when it lies nowhere, telling how to come by it.
    """
    path = installed_path(entry)
    if path is None and entry.address:
        raise CheckpointError(
            f"{entry.name} is not here yet: get it with: lama-edge models fetch {entry.name}"
        )
    if path is None:
        raise _no_address(entry)
    return path


def fetch(entry: ZooEntry, *, accept_md5: bool = False, progress: Progress | None = None) -> Path:
    """Download a checkpoint into the cache, verify it and unpack it; done before, verify it again.

    Args:
        entry: the checkpoint.
        accept_md5: whether an md5, which an attacker can forge, is enough where no sha256 was
            published.
        progress: called with the bytes that are there and those there will be, or None.

    Returns:
        What `installed_path` returns from now on; `load_checkpoint` takes it.

    Raises:
        UsageError: when `accept_md5` is needed and missing.
        CheckpointError: when it cannot be had, or is not what was published.
    """
    if entry.embedded:
        return _FOLDER / entry.embedded
    if not entry.address:
        raise _no_address(entry)
    if not entry.sha256 and not accept_md5:
        raise UsageError(
            f"{entry.name} was published with an md5 alone, which proves that it arrived whole, "
            f"not who made it: add {parameter('accept_md5', True)} to fetch it all the same"
        )
    place = _place(entry)
    if entry.members and _is_unpacked(entry, place):
        return place
    archive = cache_folder() / "archives" / _file_name(entry) if entry.members else place
    download(
        entry.address,
        archive,
        sha256=entry.sha256,
        md5=entry.md5,
        size=entry.size_bytes,
        progress=progress,
    )
    if entry.members:
        unpack(archive, place, entry.members)
        archive.unlink(missing_ok=True)
    return place


def _no_address(entry: ZooEntry) -> CheckpointError:
    return CheckpointError(
        f"{entry.name} has no published address and hash: get it from its authors, and give the "
        "path of its folder or file in place of the name"
    )


def _place(entry: ZooEntry) -> Path:
    folder = cache_folder() / entry.name
    return folder if entry.members else folder / _file_name(entry)


def _file_name(entry: ZooEntry) -> str:
    return PurePosixPath(urlsplit(entry.address or "").path).name


def _is_unpacked(entry: ZooEntry, folder: Path) -> bool:
    return all(
        (folder / member.path).is_file()
        and member.sha256 in (None, sha256_of(folder / member.path))
        for member in entry.members
    )
