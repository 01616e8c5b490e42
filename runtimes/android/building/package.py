"""Packs the library as a Maven repository has it: package.py FOLDER RESOURCES.

In the folder: the AAR, its pom, its sources, their sums, and maven-metadata.xml, below
io/github/lama-edge/lama-edge-android. A Gradle build that names the folder as a repository finds
the library there. RESOURCES is a folder with the self-test's files, which are packed beside the
classes. The same sources, resources and tools give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

from compile import HERE, KOTLIN, MODULES, compiled, telling, tools

ROOT = HERE.parent.parent
GROUP, ARTIFACT = "io.github.lama-edge", "lama-edge-android"
NAMESPACE, MIN_SDK = "io.github.lamaedge", 24
PARTS = ("core", "lama-edge")
SELF_TEST = tuple(f"io/github/lamaedge/selftest.{kind}" for kind in ("onnx", "bin"))
_ANDROID = "http://schemas.android.com/apk/res/android"
_TOOLS = "http://schemas.android.com/tools"
_POM = "http://maven.apache.org/POM/4.0.0"
# Zip knows no time before; when something was packed says nothing.
_TIME = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    """Return the project's version."""
    text = (ROOT / "src/lama_edge/__init__.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("src/lama_edge/__init__.py has no __version__")
    return found[1]


def dependencies() -> list[tuple[str, str, str, str]]:
    """Return what an app with the library gets: group, artifact, version, scope.

    The versions are those that the library is tested with, of Kotlin the oldest that it asks for.
    """
    catalog = (HERE / "gradle/libs.versions.toml").read_text()
    versions = dict(re.findall(r'^([\w-]+) = "([^"]+)"$', catalog, re.MULTILINE))
    return [
        ("com.microsoft.onnxruntime", "onnxruntime-android", versions["onnxruntime"], "compile"),
        ("org.jetbrains.kotlin", "kotlin-stdlib", f"{KOTLIN}.0", "compile"),
        ("org.jetbrains.kotlinx", "kotlinx-coroutines-android", versions["coroutines"], "compile"),
    ]


def pack(files: dict[str, bytes]) -> bytes:
    """Return a zip archive of files by name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content)
    return archive.getvalue()


def classes(resources: Path) -> bytes:
    """Return classes.jar: the library's classes, a folder of resources, the licence."""
    files = {"META-INF/io.github.lama-edge/LICENSE": (ROOT / "LICENSE").read_bytes()}
    for folder in (*map(compiled, PARTS), resources):
        files |= _files(folder)
    for name in SELF_TEST:
        if name not in files:
            raise FileNotFoundError(f"{resources} has no {name}: make android makes it")
    return pack(files)


def sources() -> bytes:
    """Return the jar of sources that development environments show."""
    files: dict[str, bytes] = {}
    for part in PARTS:
        files |= _files(HERE / MODULES[part].sources)
    return pack(files)


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def manifest() -> bytes:
    """Return the AAR's AndroidManifest.xml: the written one, with what Gradle's plugin puts in."""
    ET.register_namespace("android", _ANDROID)
    ET.register_namespace("tools", _TOOLS)
    root = ET.parse(HERE / "lama-edge/src/main/AndroidManifest.xml").getroot()  # noqa: S314
    root.set("package", NAMESPACE)
    root.insert(0, ET.Element("uses-sdk", {f"{{{_ANDROID}}}minSdkVersion": str(MIN_SDK)}))
    return _text(root)


def _text(root: ET.Element) -> bytes:
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def aar(resources: Path) -> bytes:
    """Return the library as Android's builds take it, with a folder of resources."""
    return pack(
        {
            "AndroidManifest.xml": manifest(),
            "classes.jar": classes(resources),
            "proguard.txt": (HERE / "lama-edge/consumer-rules.pro").read_bytes(),
            "R.txt": b"",
            "META-INF/com/android/build/gradle/aar-metadata.properties": (
                b"aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\n"
                b"minCompileSdkExtension=0\nminAndroidGradlePluginVersion=1.0.0\n"
            ),
        }
    )


def pom() -> bytes:
    """Return the pom: what the library is, whose, and what it needs."""
    ET.register_namespace("", _POM)

    def add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
        element = ET.SubElement(parent, f"{{{_POM}}}{name}")
        element.text = text
        return element

    project = ET.Element(f"{{{_POM}}}project")
    for name, text in {
        "modelVersion": "4.0.0",
        "groupId": GROUP,
        "artifactId": ARTIFACT,
        "version": version(),
        "packaging": "aar",
        "name": "lama-edge for Android",
        "description": "Erases what a mask covers from pictures with LaMa, on the phone.",
    }.items():
        add(project, name, text)
    licence = add(add(project, "licenses"), "license")
    add(licence, "name", "Apache-2.0")
    add(licence, "url", "https://www.apache.org/licenses/LICENSE-2.0.txt")
    needed = add(project, "dependencies")
    for needs in dependencies():
        dependency = add(needed, "dependency")
        for name, text in zip(("groupId", "artifactId", "version", "scope"), needs, strict=True):
            add(dependency, name, text)
    return _text(project)


def repository(folder: Path, resources: Path) -> Path:
    """Write the library into a Maven repository; return the folder of this version."""
    above = folder.joinpath(*GROUP.split("."), ARTIFACT)
    place = above / version()
    place.mkdir(parents=True, exist_ok=True)
    metadata = ET.Element("metadata")
    for name, text in (("groupId", GROUP), ("artifactId", ARTIFACT)):
        ET.SubElement(metadata, name).text = text
    versioning = ET.SubElement(metadata, "versioning")
    ET.SubElement(versioning, "release").text = version()
    ET.SubElement(ET.SubElement(versioning, "versions"), "version").text = version()
    name = f"{ARTIFACT}-{version()}"
    files = {
        place / f"{name}.aar": aar(resources),
        place / f"{name}.pom": pom(),
        place / f"{name}-sources.jar": sources(),
        above / "maven-metadata.xml": _text(metadata),
    }
    for path, content in files.items():
        path.write_bytes(content)
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            total = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
            path.with_name(f"{path.name}.{algorithm}").write_text(total)
    return place


def main() -> None:
    """Pack the library; say what was made, and what an app has with it."""
    place = repository(Path(sys.argv[1]), Path(sys.argv[2]))
    for path in sorted(place.iterdir()):
        if path.suffix in (".aar", ".jar", ".pom"):
            print(f"{path.stat().st_size:>9}  {path}")
    libraries = tools() / "onnxruntime/jni"
    print(f"\nONNX Runtime's libraries, which an app has with it ({libraries}):", flush=True)
    script = Path(__file__).with_name("alignment.py")
    sys.exit(subprocess.run([sys.executable, script, libraries]).returncode)


if __name__ == "__main__":
    telling(main)
