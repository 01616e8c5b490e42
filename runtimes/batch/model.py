"""A run's model on the machine that opens it: where it lies, or fetched there from its URL."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lama_edge.errors import ModelError
from lama_edge.files import (
    atomic_artifact,
    beside,
    join_part,
    make_folder,
)
from lama_edge.models.zoo import cache_folder
from lama_edge.runtimes.base import runtimes_of
from lama_edge.runtimes.model_files import external_data, located, model_sha256
from lama_edge.stores.addresses import is_url, open_store
from lama_edge.stores.base import Entry, Store, StoreError


def local_model(model: str | Path, sha256: str | None = None) -> str:
    """Return a model's path on this machine, with its part; one at a URL is fetched to the cache.

    Args:
        model: as for `InpaintMany`.
        sha256: the hash of the one that is meant, where another must not be taken for it.

    Raises:
        ModelError: when it is not there, or is another.
        CheckpointError: when the zoo's file was not fetched here.
        StoreError: when its URL cannot be read.
    """
    model = str(model)
    if is_url(model):
        address, mark, part = model.partition("#")
        path = _fetched(address)
        named = join_part(path, part if mark else None)
    else:
        path, named = located(model), model
    if sha256 is not None and model_sha256(path) != sha256:
        raise ModelError(
            f"the model {model!r} on {platform.node()} is another than where the run was started: "
            "copy it there, or give a URL"
        )
    return named


def _fetched(address: str) -> Path:
    """Return a copy of the model at a URL; one is kept in the cache for each state of the URL."""
    store = open_store(address)
    kind = store.kind()
    if kind == "missing":
        raise StoreError(f"there is no model at {store.spell()!r}: check the URL")
    folder, name = (store, "") if kind == "folder" else _parent(address)
    entries = folder.entries(recursive=True) if kind == "folder" else _files(folder, name)
    state = "\n".join([store.spell(), *(f"{one.name} {one.size} {one.stamp}" for one in entries)])
    key = hashlib.sha256(state.encode()).hexdigest()[:32]
    last = PurePosixPath(store.spell()).name
    target = cache_folder() / "urls" / key
    make_folder(target.parent)
    with _alone(target.with_suffix(".lock")):
        if not target.is_dir():
            with atomic_artifact("folder", target) as temporary:
                inside = temporary / last if kind == "folder" else temporary
                inside.mkdir(parents=True)
                for one in entries:
                    _copy(folder, one.name, inside)
                if kind == "file" and name.lower().endswith(".onnx"):
                    for other in sorted(external_data(inside / name)):
                        _copy(folder, other, inside)
    return target / last


def _parent(address: str) -> tuple[Store, str]:
    parent, _, name = address.rpartition("/")
    return open_store(parent), name


def _files(folder: Store, name: str) -> list[Entry]:
    """Return a model's file, and that of its manifest or weights if there is one."""
    path = Path(name)
    weights = (path.with_suffix(one.weights) for one in runtimes_of(path) if one.weights)
    names = dict.fromkeys((name, str(beside(path)), *map(str, weights)))
    return [found for one in names if (found := folder.find(one)) is not None]


def _copy(store: Store, name: str, folder: Path) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with store.fetched(name) as path:
        shutil.copyfile(path, target)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process of this machine be in the block: workers share what one of them fetches."""
    try:
        import fcntl
    except ImportError:  # on Windows each fetches its own
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
