"""Says what wheels hold, and writes an SBOM of each: contents.py WHEEL...

Beside each wheel its SBOM, ``NAME-VERSION.cdx.json``: CycloneDX 1.7, with what the wheel carries of
others and what it asks to be installed. The same wheel gives the same bytes, where
SOURCE_DATE_EPOCH is set. A file that ``vendored.toml`` does not know stops it: somebody has to say
whose it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
import zipfile
from datetime import datetime, timezone
from email import message_from_bytes
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomllib
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

VENDORED = Path(__file__).with_name("vendored.toml")
_MODULES, _PACKAGING = "Python modules", "metadata and licences"


class UnknownFileError(Exception):
    """A file in a wheel that no entry of ``vendored.toml`` has."""


def entries(wheel: Path) -> list[dict[str, Any]]:
    """Return the entries of ``vendored.toml`` that are a wheel's."""
    return tomllib.loads(VENDORED.read_text(encoding="utf-8"))[wheel.name.split("-")[0]]


def sort_files(wheel: Path) -> dict[str, list[zipfile.ZipInfo]]:
    """Return a wheel's files by what they are; a file of several entries is the first one's.

    Raises:
        UnknownFileError: at a file of none.
    """
    known = entries(wheel)
    sorted_: dict[str, list[zipfile.ZipInfo]] = {_MODULES: []}
    sorted_ |= {entry["what"]: [] for entry in known} | {_PACKAGING: []}
    with zipfile.ZipFile(wheel) as archive:
        files = archive.infolist()
    for file in files:
        owners = [entry["what"] for entry in known if _is_of(file.filename, entry)]
        if ".dist-info/" in file.filename:
            owners = [_PACKAGING]
        elif file.filename.endswith(".py"):
            owners = [_MODULES]
        if not owners:
            raise UnknownFileError(
                f"{wheel.name} holds {file.filename}, which no entry in {VENDORED.name} has: add "
                "it there, and to THIRD_PARTY_NOTICES.md where it is somebody else's"
            )
        sorted_[owners[0]].append(file)
    return sorted_


def table(wheel: Path) -> str:
    """Return what a wheel holds, and how large it is, as lines."""
    kinds = {what: files for what, files in sort_files(wheel).items() if files}
    width = max(map(len, kinds))
    unpacked = sum(file.file_size for files in kinds.values() for file in files)
    size = wheel.stat().st_size
    lines = [f"{wheel.name}: {size / 1e6:.2f} MB, {unpacked / 1e6:.2f} MB unpacked"]
    for what, files in kinds.items():
        packed, whole = (
            sum(getattr(file, name) for file in files) / 1e6
            for name in ("compress_size", "file_size")
        )
        lines.append(
            f"  {what:{width}}  {len(files):4} files  {packed:6.2f} MB  {whole:6.2f} MB unpacked"
        )
    return "\n".join(lines)


def sbom(wheel: Path, made: datetime) -> dict[str, Any]:
    """Return a wheel's CycloneDX document, as JSON has it.

    Args:
        wheel: the file.
        made: when it says that it was made.
    """
    sort_files(wheel)
    name, version, *_ = parse_wheel_filename(wheel.name)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    own = f"pkg:pypi/{name}@{version}"
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(path))
        # Without pages, a wheel lacks what is in them.
        carried = [
            _carried(archive, entry, str(version))
            for entry in entries(wheel)
            if "name" in entry and any(_is_of(file, entry) for file in archive.namelist())
        ]
    asked = _asked(metadata.get_all("Requires-Dist") or [], name)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{own}#{sha256}')}",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {
                "bom-ref": own,
                "type": "library",
                "name": name,
                "version": str(version),
                "description": metadata["Summary"],
                "licenses": [{"license": {"id": metadata["License-Expression"]}}],
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "purl": own,
            },
        },
        "components": carried + asked,
        "dependencies": [
            {"ref": own, "dependsOn": sorted(one["bom-ref"] for one in carried + asked)},
            *({"ref": one["bom-ref"]} for one in carried + asked),
        ],
    }


def check(document: dict[str, Any]) -> None:
    """Hold a document to CycloneDX's own schema.

    Raises:
        ValueError: when it breaks it.
    """
    error = JsonStrictValidator(SchemaVersion.V1_7).validate_str(json.dumps(document))
    if error is not None:
        raise ValueError(f"the SBOM breaks CycloneDX 1.7: {error}")


def _is_of(name: str, entry: dict[str, Any]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in entry["files"])


def _carried(archive: zipfile.ZipFile, entry: dict[str, Any], wheels: str) -> dict[str, Any]:
    """Return the component of an entry; its version may be the wheel's own."""
    files = sorted(name for name in archive.namelist() if _is_of(name, entry))
    licence = entry["licence"]
    component: dict[str, Any] = {
        "bom-ref": f"carried:{entry['name']}",
        "type": entry["type"],
        "name": entry["name"],
        "description": entry["what"],
        "scope": "required",
        # Words where SPDX has no identifier.
        "licenses": [{"license": {"name" if " " in licence else "id": licence}}],
        "evidence": {"occurrences": [{"location": name} for name in files]},
    }
    if len(files) == 1:
        content = hashlib.sha256(archive.read(files[0])).hexdigest()
        component["hashes"] = [{"alg": "SHA-256", "content": content}]
    if "version" in entry:
        component["version"] = wheels if entry["version"] == "of the wheel" else entry["version"]
        component["purl"] = f"{entry['purl']}@{component['version']}"
    if "supplier" in entry:
        component["supplier"] = {"name": entry["supplier"]}
    if "source" in entry:
        component["externalReferences"] = [{"type": "website", "url": entry["source"]}]
    return component


def _asked(lines: list[str], own: str) -> list[dict[str, Any]]:
    """Return the components of what a wheel asks for: none of them is in it."""
    asked: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name != own:
            asked.setdefault(name, []).append(requirement)
    components = []
    for name, requirements in sorted(asked.items()):
        always = [one for one in requirements if "extra" not in str(one.marker or "")]
        component: dict[str, Any] = {
            "bom-ref": f"asked:{name}",
            "type": "library",
            "name": name,
            "scope": "required" if always else "optional",
            "isExternal": True,
            "purl": f"pkg:pypi/{name}",
            "properties": [
                {"name": "lama-edge:requires-dist", "value": str(one)} for one in requirements
            ],
        }
        ranges = {str(one.specifier) for one in always or requirements} - {""}
        if len(ranges) == 1:
            bounds = sorted(ranges.pop().split(","), reverse=True)
            component["versionRange"] = "vers:pypi/" + "|".join(bounds)
        components.append(component)
    return components


def main(paths: list[str]) -> None:
    """Print what wheels hold, and write their SBOMs."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    made = (
        datetime.fromtimestamp(float(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    )
    for path in map(Path, paths):
        try:
            document = sbom(path, made)
            check(document)
        except (UnknownFileError, ValueError) as error:
            sys.exit(f"no release: {error}")
        name, version, *_ = parse_wheel_filename(path.name)
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        path.with_name(f"{name}-{version}.cdx.json").write_text(text, encoding="utf-8")
        print(table(path))


if __name__ == "__main__":
    main(sys.argv[1:])
