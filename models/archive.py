"""Unpacks the wanted members of a zip archive, checked for path escapes, sizes and hashes."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lama_edge.errors import CheckpointError, LamaEdgeError, reason, shown
from lama_edge.files import atomic_output, sha256_of

_COPY_BYTES = 1 << 20
_MAX_ARCHIVE_MEMBERS = 1000
# Of members whose size nobody published: an official config.yaml has a few kB.
_MAX_MEMBER_BYTES = 1 << 20


@dataclass(frozen=True)
class ArchiveMember:
    """A file to unpack from an archive.

    Attributes:
        path: where it shall lie in the checkpoint's folder; in the archive it may lie one folder
            deeper.
        size_bytes: its exact size, where published; else 1 MiB is the most.
        sha256: its published hash.
    """

    path: str
    size_bytes: int | None = None
    sha256: str | None = None


def unpack(archive: Path, folder: Path, members: tuple[ArchiveMember, ...]) -> None:
    """Unpack those members of a zip archive, and no others, to a folder that appears all at once.

    Args:
        archive: the zip file.
        folder: what shall hold the members; one that stands there is removed first.
        members: the members' paths, sizes and hashes.

    Raises:
        CheckpointError: when the archive is damaged, unsafe, or lacks a member, or a member is
            not what was published.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            found = _find(file, members)
            _remove(folder)
            with atomic_output(folder) as temporary:
                for member, info in found.items():
                    _extract(file, info, member, temporary / member.path)
    except LamaEdgeError:
        raise
    except Exception as error:  # zipfile raises whatever a hostile archive makes it meet
        raise CheckpointError(
            f"the archive {str(archive)!r} cannot be unpacked ({reason(error)}): "
            "delete it and fetch again"
        ) from error


def _find(
    file: zipfile.ZipFile, members: tuple[ArchiveMember, ...]
) -> dict[ArchiveMember, zipfile.ZipInfo]:
    """Return the archive's records of the members, which lie at its top or in one folder there."""
    records = _records(file)
    found = []
    for root in sorted({(), *(parts[:1] for parts in records)}):
        matches = {m: records.get((*root, *PurePosixPath(m.path).parts), []) for m in members}
        if all(len(infos) == 1 for infos in matches.values()):
            found.append({member: infos[0] for member, infos in matches.items()})
    if len(found) != 1:
        names = " and ".join(member.path for member in members)
        raise _refused(file, f"it holds {names} {len(found)} times, not once")
    return found[0]


def _records(file: zipfile.ZipFile) -> dict[tuple[str, ...], list[zipfile.ZipInfo]]:
    """Return the archive's records by path; refuse archives that no honest tool writes."""
    infos = file.infolist()
    if len(infos) > _MAX_ARCHIVE_MEMBERS:
        raise _refused(file, f"it holds {len(infos)} files, over {_MAX_ARCHIVE_MEMBERS}")
    records: dict[tuple[str, ...], list[zipfile.ZipInfo]] = {}
    for info in infos:
        path = PurePosixPath(info.filename)
        # A backslash separates folders on Windows, and a colon follows a drive.
        if path.is_absolute() or ".." in path.parts or set("\\:") & set(info.filename):
            raise _refused(file, f"it holds a file named {shown(info.filename)}")
        records.setdefault(path.parts, []).append(info)
    return records


def _extract(
    file: zipfile.ZipFile, info: zipfile.ZipInfo, member: ArchiveMember, target: Path
) -> None:
    mode = info.external_attr >> 16  # what Unix tools write there; 0 from others
    if info.is_dir() or (mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG)):
        raise _refused(file, f"{member.path} is no regular file in it")
    if member.size_bytes is None and info.file_size > _MAX_MEMBER_BYTES:
        raise _refused(file, f"{member.path} has {info.file_size} bytes, over {_MAX_MEMBER_BYTES}")
    if member.size_bytes not in (None, info.file_size):
        raise _refused(
            file, f"{member.path} has {info.file_size} bytes, published are {member.size_bytes}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # zipfile reads no more than the declared size, and checks the CRC at its end.
    with file.open(info) as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy, _COPY_BYTES)
        copy.flush()
        os.fsync(copy.fileno())
    found = sha256_of(target) if member.sha256 else None
    if found != member.sha256:
        raise _refused(file, f"{member.path} has sha256 {found}, published is {member.sha256}")


def _refused(file: zipfile.ZipFile, why: str) -> CheckpointError:
    return CheckpointError(
        f"the archive {file.filename!r} is not what was published: {why}; nothing was unpacked"
    )


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)
