"""Models that lie at URLs, brought to this machine with what stands beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from lama_edge.errors import ModelError
from lama_edge.files import beside, join_part
from lama_edge.runtimes.base import runtimes_of
from lama_edge.runtimes.onnxruntime.parts import external_files_of
from lama_edge.stores.addresses import is_url, open_store
from lama_edge.stores.base import Store, base_name
from lama_edge.stores.local import LocalStore


def fetched_model(model: str | Path, into: Path) -> str | Path:
    """Return a model of this machine: it, or a copy of the one at a URL.

    With a file come its manifest and its weights, where they stand beside it; a folder, such as an
    ``.mlpackage``, comes whole.

    Args:
        model: an exported model or a checkpoint, or what else `open_runner` takes, or its URL;
            ``#PART`` at its end names a part.
        into: a folder for the copy.

    Raises:
        ModelError: when nothing is at the URL.
        LamaEdgeError: as `open_store`, and when its store cannot be read.
    """
    if not is_url(model):
        return model
    url, _, part = str(model).partition("#")
    store = open_store(url)
    if isinstance(store, LocalStore):
        return join_part(store.path, part or None)
    kind = store.kind()
    if kind == "missing":
        raise ModelError(f"the model {store.spell()!r} does not exist: check the URL")
    path = into / base_name(store)
    if kind == "folder":
        for entry in store.entries(recursive=True):
            _copy(store, entry.name, path / entry.name)
    else:
        _copy(store, "", path)
        _copy_beside(open_store(url.rpartition("/")[0]), path)
    return join_part(path, part or None)


def _copy_beside(folder: Store, path: Path) -> None:
    names = {path.with_suffix(one.weights).name for one in runtimes_of(path) if one.weights}
    if path.suffix.lower() == ".onnx":
        names = external_files_of(path)
    for name in sorted({*names, beside(path).name}):
        if folder.find(name) is not None:
            _copy(folder, name, path.with_name(name))


def _copy(store: Store, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.fetched(name) as copy:
        shutil.copyfile(copy, path)
