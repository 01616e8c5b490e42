"""ncnn's models: what lies where in a ``.param`` file and the ``.bin`` file beside it.

The ``.param`` file is text: a mark, how many layers and blobs there are, and a line for each layer.
The ``.bin`` file is the layers' weights in turn, as long as they are, and ncnn reads no further: so
there is room behind them for a manifest, and for the SHA-256 of the ``.param`` file and all before,
since ncnn goes by what it reads without a look. The last 72 bytes are how long the manifest is, in
hexadecimal, and the digest.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections import Counter
from pathlib import Path

from lama_edge.errors import ModelError, reason

MARK = "7767517"
_LENGTH_DIGITS, _DIGEST_DIGITS = 8, 64
_END = re.compile(rb"([0-9a-f]{8})([0-9a-f]{64})")


def seal(param: Path, weights: Path, text: str) -> None:
    """Put a manifest into a model, in place of the one there; the same input gives the same bytes.

    Args:
        param: the ``.param`` file.
        weights: the ``.bin`` file, which is changed.
        text: the manifest.
    """
    data = weights.read_bytes()
    end = _manifest_place(data)
    data = data[: len(data) if end is None else end[0]]
    encoded = text.encode()
    data += encoded + f"{len(encoded):0{_LENGTH_DIGITS}x}".encode()
    weights.write_bytes(data + _digest(param, data))


def sealed_text(param: Path, weights: Path) -> str | None:
    """Return the manifest of a model that is as it was exported.

    Returns:
        The text; None when the model was not sealed.

    Raises:
        ModelError: when a file is missing or cannot be read, or one of them was changed since.
    """
    try:
        with weights.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise ModelError(
            f"{str(param)!r} is without its weights {weights.name!r}: copy both files"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(weights)!r} cannot be read: {reason(error)}") from error
    with data:
        place = _manifest_place(data)
        if place is None:
            return None
        with memoryview(data) as view:
            digest = _digest(param, view[:-_DIGEST_DIGITS])
        if digest != data[-_DIGEST_DIGITS:]:
            raise ModelError(
                f"{str(param)!r} and {weights.name!r} are damaged, of two models, or were changed "
                "since they were exported; copy both files again, or export the model again"
            )
        # What is no text is no manifest either, as its reader says.
        return data[slice(*place)].decode(errors="replace")


def layers(param: Path) -> Counter[str]:
    """Count a model's layers by type, the commonest first; those that compute nothing left out.

    Raises:
        ModelError: when it cannot be read as a ``.param`` file.
    """
    try:
        mark, _, *lines = param.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(param)!r} is no .param file: {reason(error)}") from error
    if mark != MARK:
        raise ModelError(f"{str(param)!r} is no .param file: it begins with {mark[:20]!r}")
    found = Counter(line.split()[0] for line in lines if line.strip())
    for idle in ("Input", "MemoryData", "Split"):
        del found[idle]
    return Counter(dict(found.most_common()))


def _manifest_place(data: bytes | mmap.mmap) -> tuple[int, int] | None:
    """Return where the manifest begins and ends; None where there is none."""
    found = _END.fullmatch(data[-_LENGTH_DIGITS - _DIGEST_DIGITS :])
    end = len(data) - _LENGTH_DIGITS - _DIGEST_DIGITS
    length = 0 if found is None else int(found[1], 16)
    return (end - length, end) if 0 < length <= end else None


def _digest(param: Path, weights: bytes | memoryview) -> bytes:
    try:
        digest = hashlib.sha256(param.read_bytes())
    except OSError as error:
        raise ModelError(f"{str(param)!r} cannot be read: {reason(error)}") from error
    digest.update(weights)
    return digest.hexdigest().encode()
