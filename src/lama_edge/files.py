"""Writing outputs so that nobody ever sees half a file, and hashing inputs."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lama_edge.errors import UsageError, one_line, parameter

# A file, a folder, a file with its manifest beside it, which ends in ``.json`` after its name, or a
# file with its weights beside it, which end in ``.bin`` in the place of its suffix.
ArtifactKind = Literal["file", "folder", "pair", "split"]

_CHUNK_BYTES = 1 << 20
# What the system says where something cannot be written: for want of room, or for good; and, of
# much else too, where one may not.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (*_FULL, errno.EFBIG, errno.EROFS, errno.EIO)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_PART = "#"
_STEM_BYTES = 200  # of 255 that a name may have
# The end of a temporary name, before the suffix: process, chance, and machine, which older ones
# lack.
_TEMPORARY = r"\.tmp-(?P<process>\d+)-[0-9a-f]{8}(?P<machine>[0-9a-f]{4})?"


def split_part(model: str | Path) -> tuple[Path, str | None]:
    """Return a model's path, and the part of it that is named.

    Args:
        model: a path or name, with ``#PART`` at its end where one of several parts is meant. A
            path that exists is taken as it is, whatever characters it has, and so is a part's
            name after one.

    Returns:
        The path without the part, and the part; None where none is named.
    """
    path = Path(model)
    words = path.name.split(_PART)
    joined = [(_PART.join(words[:n]), _PART.join(words[n:])) for n in range(len(words) - 1, 0, -1)]
    named = [(path.parent / name, part) for name, part in joined if name]
    if not named or path.exists():
        return path, None
    return next((one for one in named if one[0].exists()), named[0])


def join_part(model: str | Path, part: str | None) -> str:
    """Return a model's path or name with a part of it named, which `split_part` takes apart."""
    return str(model) if part is None else f"{model}{_PART}{part}"


def check_artifact(
    kind: ArtifactKind,
    target: Path,
    *,
    overwrite: bool,
    contents: str = "",
    split_suffixes: Collection[str],
) -> None:
    """Refuse an artifact's path that cannot be written, before any long work is done.

    Args:
        kind: what the artifact is.
        target: where it shall stand.
        overwrite: whether an existing one may be replaced.
        contents: of a folder, a file that every such folder has; other folders are not replaced.
        split_suffixes: what all split models' names end in: those of one stem would share their
            weights. Of no use for other kinds.

    Raises:
        UsageError: when the folder around it is missing or not writable, or something stands
            there that must not be replaced; a split model's weights where they are another's,
            whatever `overwrite` says.
    """
    if kind == "folder" and target.is_dir():
        if not (target / contents).is_file():
            raise UsageError(
                f"the output {str(target)!r} is a folder, and no package: name another"
            )
        if not overwrite:
            raise UsageError(_exists(target))
        if not os.access(target.parent, os.W_OK):
            raise UsageError(f"the folder {str(target.parent)!r} is not writable")
        return
    check_output(target, overwrite=overwrite)
    if kind == "split" and weights_beside(target).exists():
        others = (target.with_suffix(one) for one in split_suffixes if one != target.suffix)
        owner = next((other for other in others if other.exists()), None)
        if owner is not None or not target.exists():
            whose = f"belongs to {owner.name!r}" if owner else f"is without a {target.name!r}"
            weights = str(weights_beside(target))
            raise UsageError(f"{weights!r} would be replaced and {whose}: name another output")
    if kind in _SECOND:
        check_output(_SECOND[kind](target), overwrite=overwrite)


def beside(target: Path) -> Path:
    """Return where the manifest of a pair stands: ``model.engine.json`` beside ``model.engine``."""
    return target.with_name(target.name + ".json")


def weights_beside(target: Path) -> Path:
    """Return where the weights of a split model stand: ``model.bin`` beside ``model.xml``."""
    return target.with_suffix(".bin")


# Where the second file of an artifact of two stands.
_SECOND: dict[ArtifactKind, Callable[[Path], Path]] = {"pair": beside, "split": weights_beside}


@contextmanager
def output_room(output: Path) -> Iterator[None]:
    """Tell in one line what hinders the block from writing an output.

    Args:
        output: the output; the block may write to other names in its folder.

    Raises:
        UsageError: in the place of the system's errors of writing. Others, such as for want of
            memory, and those that name a file elsewhere, are none of the output's.
    """
    try:
        yield
    except OSError as error:
        ours = error.errno in _UNWRITABLE
        if error.filename is not None:
            folder = Path(str(error.filename)).parent.resolve()
            ours = ours or error.errno in _FORBIDDEN
            ours = ours and folder.is_relative_to(output.parent.resolve())
        if not ours:
            raise
        advice = "free some room, or name another" if error.errno in _FULL else "name another"
        raise UsageError(
            f"the output {str(output)!r} cannot be written ({error.strerror}): {advice}"
        ) from error


@contextmanager
def atomic_artifact(kind: ArtifactKind, target: Path) -> Iterator[Path]:
    """Give a temporary place for an artifact, and put what is made there in the target's.

    An interrupted or failed run leaves at `target` what was there before; a failed renaming is
    undone. What a killed run left beside it is removed by the next run for the same target.

    Args:
        kind: what the artifact is.
        target: where it shall stand; what is there is replaced.

    Yields:
        A path that does not exist yet, with the target's suffix; a pair's manifest, or a split
        model's weights, shall be written beside it.
    """
    if kind in _SECOND:
        writer = _atomic_pair(target, _SECOND[kind])
    else:
        writer = atomic_output(target) if kind == "file" else _atomic_folder(target)
    with writer as temporary:
        yield temporary


@contextmanager
def atomic_output(target: Path, *, overwrite: bool = True, sweeping: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `target`, and rename it to `target` when the block succeeds.

    An interrupted or failed run leaves at `target` what was there before. Temporary files that
    a killed run left behind are removed by the next run for the same target.

    Args:
        target: where the finished file (or folder) shall stand.
        overwrite: whether an existing target may be replaced.
        sweeping: whether to look for what killed runs left of this target, which reads the whole
            folder; who writes many files there calls `remove_left` once.

    Yields:
        A path that does not exist yet, with the target's suffix.

    Raises:
        UsageError: when the folder is missing, or the target exists and must not be replaced.
    """
    check_output(target, overwrite=overwrite)
    if sweeping:
        remove_stale(target)
    temporary = target.with_name(temporary_name(target.name))
    try:
        yield temporary
        if temporary.is_file():
            _flush_to_disk(temporary)
        temporary.replace(target)
    finally:
        _remove(temporary)


def check_output(target: Path, *, overwrite: bool = True) -> None:
    """Refuse a target that cannot be written, before any long work is done.

    Raises:
        UsageError: when the folder is missing or not writable, the target is a folder, or it
            exists and must not be replaced.
    """
    parent = target.parent
    if not parent.is_dir():
        raise UsageError(f"the folder {str(parent)!r} does not exist: create it first")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"the folder {str(parent)!r} is not writable")
    if target.is_dir():
        raise UsageError(f"the output {str(target)!r} is a folder: name a file in it")
    if target.exists() and not overwrite:
        raise UsageError(_exists(target))


def _exists(target: Path) -> str:
    return f"the output {str(target)!r} exists: add {parameter('overwrite', True)} to replace it"


def make_folder(folder: Path) -> None:
    """Make a folder and those around it, where they are missing.

    Raises:
        UsageError: when something else stands there, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if folder.is_file() else one_line(error)
        raise UsageError(
            f"the folder {str(folder)!r} cannot be made ({reason}): name another output"
        ) from error


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 as lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def temporary_name(name: str) -> str:
    """Return a hidden name that nothing has, for what shall be named `name` when it is whole."""
    end = f".tmp-{os.getpid()}-{secrets.token_hex(4)}{_this_machine()}{Path(name).suffix}"
    return f".{_short_stem(name)}{end}"


def _short_stem(name: str) -> str:
    """Return a name without its suffix, cut where a temporary name would be too long with it."""
    stem = Path(name).stem
    if len(os.fsencode(stem)) <= _STEM_BYTES:
        return stem
    return stem.encode("utf-8", "ignore")[:_STEM_BYTES].decode("utf-8", "ignore")


def is_left(name: str, age_s: float, *, older_than_s: float) -> bool:
    """Return whether a name is that of a temporary file which nobody will finish.

    Args:
        name: of a file, as `temporary_name` gives them.
        age_s: how long ago it was written, in seconds.
        older_than_s: the age from which on one of another machine counts as left.
    """
    match = re.fullmatch(rf"\..+{_TEMPORARY}(?:\.[^.]*)?", name)
    if match is None:
        return False
    if match["machine"] == _this_machine():
        return not _is_running(int(match["process"]))
    return age_s > older_than_s


def remove_left(folder: Path, *, older_than_s: float) -> int:
    """Remove the temporary files that killed runs left in a folder and those inside it.

    Args:
        folder: links in it are not followed; it may be missing.
        older_than_s: as for `is_left`.

    Returns:
        How many were removed.
    """
    removed = 0
    now = time.time()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                if is_left(name, now - path.lstat().st_mtime, older_than_s=older_than_s):
                    _remove(path)
                    removed += 1
    return removed


def remove_stale(target: Path) -> None:
    """Remove the temporary files of a target that killed runs left behind."""
    stem = re.escape(_short_stem(target.name))
    pattern = re.compile(rf"\.{stem}{_TEMPORARY}{re.escape(target.suffix)}")
    for path in target.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match and not _is_running(int(match["process"])):
            _remove(path)


def _this_machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()) & 0xFFFF:04x}"


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        # Windows refuses to delete a file that is open, so a live run keeps its file there.
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    if os.path.isdir(path):  # noqa: PTH112 - whatever its name is, which `Path` may raise of
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _atomic_folder(target: Path) -> Iterator[Path]:
    """See `atomic_artifact`; nothing stands there only between two renamings."""
    remove_stale(target)
    temporary, previous = (target.with_name(temporary_name(target.name)) for _ in range(2))
    try:
        yield temporary
        if target.exists():
            target.replace(previous)
        try:
            temporary.replace(target)
        except OSError:
            if previous.exists():
                previous.replace(target)
            raise
    finally:
        for path in (temporary, previous):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _atomic_pair(target: Path, second: Callable[[Path], Path]) -> Iterator[Path]:
    """See `atomic_artifact`."""
    remove_stale(target)
    folder = target.with_name(temporary_name(target.name))
    folder.mkdir()
    try:
        new = folder / target.name
        yield new
        for path in (new, second(new)):
            _flush_to_disk(path)
        _replace_both(new, target, folder, second)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace_both(new: Path, target: Path, folder: Path, second: Callable[[Path], Path]) -> None:
    """Replace the file while no second one stands beside it, so that a kill cannot mix two."""
    moves = [
        (second(target), folder / "previous second"),
        (target, folder / "previous"),
        (new, target),
        (second(new), second(target)),
    ]
    done: list[tuple[Path, Path]] = []
    try:
        for one, place in moves:
            if one.exists():
                one.replace(place)
                done.append((one, place))
    except OSError:
        for one, place in reversed(done):
            place.replace(one)
        raise
