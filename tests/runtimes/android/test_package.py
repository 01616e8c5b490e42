"""The Android library as `make android` packs it, and that a Kotlin program works with it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import sys
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from android_library import ANDROID, building, run_program, run_python
from places import ROOT

import lama_edge
from lama_edge.runtimes.inpainting.inpainter import Inpainter

PACKAGE = "io/github/lamaedge/"
NAME = f"lama-edge-android-{lama_edge.__version__}"
POM = {"": "http://maven.apache.org/POM/4.0.0"}
ANDROID_NAMESPACE = "{http://schemas.android.com/apk/res/android}"

pytestmark = pytest.mark.kotlin

# Of Android the library's own core needs nothing, and so this runs on any JVM.
PROGRAM = """
import io.github.lamaedge.*
import java.io.File
import kotlinx.coroutines.runBlocking

fun main(words: Array<String>) = runBlocking {
    val picture = Pixels(File(words[1]).readBytes(), 50, 70, PixelFormat.RGB)
    val mask = Pixels(File(words[2]).readBytes(), 50, 70, PixelFormat.GREY)
    Inpainter.open(File(words[0])).use { inpainter ->
        File(words[3]).writeBytes(inpainter.inpaint(picture, mask).pixels.data)
    }
}
"""


@pytest.fixture(scope="module")
def repository(kotlin: Path, selftest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maven")
    printed = run_python(ANDROID / "building/package.py", folder, selftest)
    assert f"{NAME}.aar" in printed
    assert "libonnxruntime.so" in printed
    return folder


@pytest.fixture(scope="module")
def version_folder(repository: Path) -> Path:
    return repository / "io/github/lama-edge/lama-edge-android" / lama_edge.__version__


@pytest.fixture(scope="module")
def aar(version_folder: Path) -> Mapping[str, bytes]:
    return contents((version_folder / f"{NAME}.aar").read_bytes())


@pytest.fixture(scope="module")
def classes(aar: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return contents(aar["classes.jar"])


def contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_the_repository_has_each_file_with_its_sums(repository: Path, version_folder: Path) -> None:
    kinds = (".aar", ".pom", "-sources.jar")
    files = [version_folder / f"{NAME}{kind}" for kind in kinds]
    files.append(version_folder.parent / "maven-metadata.xml")
    algorithms = ("md5", "sha1", "sha256", "sha512")
    for path in files:
        for algorithm in algorithms:
            total = hashlib.new(algorithm, path.read_bytes()).hexdigest()
            assert path.with_name(f"{path.name}.{algorithm}").read_text() == total
    written = [path for path in repository.rglob("*") if path.is_file()]
    assert len(written) == len(files) * (1 + len(algorithms))
    metadata = ET.parse(files[-1])
    assert metadata.findtext("versioning/release") == lama_edge.__version__


def test_the_pom_says_what_an_app_needs_besides(version_folder: Path) -> None:
    pom = ET.parse(version_folder / f"{NAME}.pom")
    said = [pom.findtext(name, None, POM) for name in ("groupId", "artifactId", "version")]
    assert said == ["io.github.lama-edge", "lama-edge-android", lama_edge.__version__]
    assert pom.findtext("packaging", None, POM) == "aar"
    assert pom.findtext("licenses/license/name", None, POM) == "Apache-2.0"
    needed = {
        str(entry.findtext("artifactId", None, POM)): entry.findtext("version", None, POM)
        for entry in pom.iterfind("dependencies/dependency", POM)
    }
    assert list(needed) == ["onnxruntime-android", "kotlin-stdlib", "kotlinx-coroutines-android"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", str(version)) for version in needed.values())


def test_the_aar_is_one_that_androids_builds_take(aar: Mapping[str, bytes]) -> None:
    assert set(aar) == {
        "AndroidManifest.xml",
        "META-INF/com/android/build/gradle/aar-metadata.properties",
        "R.txt",
        "classes.jar",
        "proguard.txt",
    }
    manifest = ET.fromstring(aar["AndroidManifest.xml"])
    assert manifest.get("package") == "io.github.lamaedge"
    sdk = manifest.find("uses-sdk")
    assert sdk is not None
    assert sdk.attrib == {f"{ANDROID_NAMESPACE}minSdkVersion": "24"}
    assert aar["proguard.txt"] == (ANDROID / "lama-edge/consumer-rules.pro").read_bytes()
    # What an app has to allow, its makers decide.
    assert manifest.find("uses-permission") is None


def test_the_classes_are_the_librarys_for_every_phone(classes: Mapping[str, bytes]) -> None:
    own = [name for name in classes if name.endswith(".class")]
    assert len(own) > 50
    assert all(name.startswith(PACKAGE) for name in own)
    # Bytecode of Java 8.
    assert {struct.unpack(">IHH", classes[name][:8])[2] for name in own} == {52}
    for part in ("Inpainter", "BitmapsKt"):
        assert f"{PACKAGE}{part}.class" in classes
    others = {name for name in classes if name not in own}
    assert others == {
        "META-INF/io.github.lama-edge/LICENSE",
        "META-INF/lama-edge-core.kotlin_module",
        "META-INF/lama-edge-lama-edge.kotlin_module",
        f"{PACKAGE}selftest.bin",
        f"{PACKAGE}selftest.onnx",
    }
    assert classes["META-INF/io.github.lama-edge/LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_the_sources_are_those_that_were_compiled(version_folder: Path) -> None:
    packed = contents((version_folder / f"{NAME}-sources.jar").read_bytes())
    written = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in (ANDROID / part / "src/main/kotlin" for part in ("core", "lama-edge"))
        for path in folder.rglob("*.kt")
    }
    assert packed == written
    assert f"{PACKAGE}Inpainter.kt" in packed


def test_the_same_sources_give_the_same_bytes(
    repository: Path, selftest: Path, tmp_path: Path
) -> None:
    run_python(ANDROID / "building/package.py", tmp_path, selftest)
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert names == sorted(path.relative_to(repository) for path in repository.rglob("*.*"))
    for name in names:
        if (tmp_path / name).is_file():
            assert (tmp_path / name).read_bytes() == (repository / name).read_bytes()


def test_without_the_self_test_nothing_is_packed(kotlin: Path, tmp_path: Path) -> None:
    (tmp_path / "resources").mkdir()
    words = [ANDROID / "building/package.py", tmp_path / "maven", tmp_path / "resources"]
    result = run_program(sys.executable, *words)
    assert result.returncode == 1
    assert "selftest.onnx: make android makes it" in result.stderr
    assert not list(tmp_path.rglob("*.aar"))


def test_a_program_with_the_packed_classes_erases_as_python_does(
    kotlin: Path, aar: Mapping[str, bytes], exported: Callable[..., Path], tmp_path: Path
) -> None:
    library, program = tmp_path / "classes.jar", tmp_path / "Program.kt"
    library.write_bytes(aar["classes.jar"])
    program.write_text(PROGRAM)
    jars = [
        library,
        kotlin / "kotlin/lib/kotlin-stdlib.jar",
        kotlin / "kotlin/lib/kotlinx-coroutines-core-jvm.jar",
        kotlin / "onnxruntime/classes.jar",
    ]
    path = os.pathsep.join(map(str, jars))
    compiling = building("compile")
    with compiling.alone():
        compiling.kotlinc(
            *("-no-stdlib", "-classpath", path, "-d", str(tmp_path / "program"), str(program)),
            # An app whose Kotlin is the oldest that the library promises.
            *("-language-version", compiling.KOTLIN, "-api-version", compiling.KOTLIN),
        )
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    mask = np.zeros((50, 70), np.uint8)
    mask[10:30, 20:40] = 255
    (tmp_path / "image").write_bytes(image.tobytes())
    (tmp_path / "mask").write_bytes(mask.tobytes())
    model = exported(None)
    native = kotlin / "jvm"
    result = run_program(
        *("java", f"-Donnxruntime.native.path={native}"),
        *("-cp", f"{path}{os.pathsep}{tmp_path / 'program'}", "ProgramKt", model),
        *(tmp_path / name for name in ("image", "mask", "filled")),
        environment={"LD_LIBRARY_PATH": str(native), "ORT_DISABLE_TELEMETRY": "1"},
    )
    assert result.returncode == 0, result.stderr
    filled = np.frombuffer((tmp_path / "filled").read_bytes(), np.uint8).reshape(image.shape)
    with Inpainter.open(model) as inpainter:
        expected = np.asarray(inpainter(image, mask))
    assert np.array_equal(filled[mask == 0], image[mask == 0])
    # A level, where a rounding went the other way.
    assert np.abs(filled.astype(int) - expected).max() <= 1
