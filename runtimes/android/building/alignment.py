"""Prints how native libraries are aligned: alignment.py FOLDER, of an AAR's jni, or one such AAR.

Android 15 has phones with pages of 16 KB, and Play takes no app for it with a library of 64 bits
whose segments are aligned to less. Ends with 1 if there is one.
"""

from __future__ import annotations

import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

PAGE = 16 * 1024
WIDE = ("arm64-v8a", "x86_64")
_LOAD = 1


def least_alignment(elf: bytes) -> int:
    """Return the smallest alignment of what a library's file has loaded, in bytes.

    Raises ValueError for what is not an ELF file in little-endian order.
    """
    if elf[:4] != b"\x7fELF" or elf[5] != 1:
        raise ValueError("not an ELF file in little-endian order")
    if elf[4] == 2:
        (start,) = struct.unpack_from("<Q", elf, 32)
        size, count = struct.unpack_from("<HH", elf, 54)
        form, place = "<Q", 48
    else:
        (start,) = struct.unpack_from("<I", elf, 28)
        size, count = struct.unpack_from("<HH", elf, 42)
        form, place = "<I", 28
    headers = [start + index * size for index in range(count)]
    loaded = [at for at in headers if struct.unpack_from("<I", elf, at)[0] == _LOAD]
    if not loaded:
        raise ValueError("an ELF file that loads nothing")
    return min(int(struct.unpack_from(form, elf, at + place)[0]) for at in loaded)


def libraries(place: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield the native libraries of an AAR or its jni folder: architecture, name, content."""
    if place.is_dir():
        for path in sorted(place.glob("*/*.so")):
            yield path.parent.name, path.name, path.read_bytes()
        return
    with zipfile.ZipFile(place) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith("jni/") and name.endswith(".so"):
                yield name.split("/")[1], name.split("/")[-1], archive.read(name)


def main() -> None:
    """Print the table."""
    found = list(libraries(Path(sys.argv[1])))
    if not found:
        sys.exit(f"{sys.argv[1]} has no native library")
    small = 0
    print(f"{'architecture':<14}{'library':<28}{'MB':>6}{'alignment':>12}")
    for architecture, name, content in found:
        least = least_alignment(content)
        short = architecture in WIDE and least < PAGE
        small += short
        verdict = "too small" if short else "" if architecture in WIDE else "32 bits: not asked for"
        print(
            f"{architecture:<14}{name:<28}{len(content) / 1e6:>6.1f}{least:>12}  {verdict}".rstrip()
        )
    if small:
        sys.exit(f"{small} of {len(found)} libraries are aligned to less than {PAGE} bytes")


if __name__ == "__main__":
    main()
