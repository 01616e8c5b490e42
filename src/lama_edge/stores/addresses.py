"""Stores by their addresses: paths of this machine, and URLs that fsspec knows."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lama_edge.stores.base import Store, StoreError
from lama_edge.stores.local import LocalStore

# A scheme of one letter is a drive of Windows.
_URL = re.compile(r"(?P<outer>(?:[a-z][a-z0-9+.-]+::)*)(?P<scheme>[a-z][a-z0-9+.-]+)://", re.I)


def is_url(text: str | Path) -> bool:
    """Return whether an address is a URL and no path, such as ``s3://bucket/folder``."""
    return isinstance(text, str) and _URL.match(text) is not None


def open_store(address: str | Path) -> Store:
    """Return the store at an address; nothing is asked of it yet.

    Args:
        address: a path, or a URL of this machine (``file://``) or that fsspec knows, such as
            ``s3://bucket/folder``, ``gs://``, ``abfs://``, ``hf://``, ``sftp://``, ``https://``.

    Raises:
        StoreError: when the URL is of no scheme that fsspec knows, or of several.
        MissingBackendError: when a package that it needs is not installed.
    """
    match = _URL.match(address) if isinstance(address, str) else None
    if match is None:
        return LocalStore(address)
    scheme = match["scheme"].lower()
    if match["outer"] or "::" in str(address):
        raise StoreError(f"the URL {str(address)!r} chains several: give one, such as s3://b/c")
    if scheme in ("file", "local"):
        return LocalStore(_path_of(str(address)))
    from lama_edge.stores.remote import RemoteStore

    return RemoteStore(str(address))


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return Path(path)
