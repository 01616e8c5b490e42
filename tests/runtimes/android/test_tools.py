"""The Android library's tools: Gradle's files, libraries' alignment, what old phones lack."""

from __future__ import annotations

import itertools
import re
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import tomllib
from android_library import ANDROID, building, run_program, run_python
from places import ROOT

BUILDING = ANDROID / "building"
# What the compiler says against a script that is well written but lacks Gradle.
WITHOUT_GRADLE = ("unresolved", "cannot infer", "none of the following", "type mismatch")


def fails(*words: str | Path) -> str:
    """Return what a Python program that ends with 1 complains of."""
    result = run_program(sys.executable, *words)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stderr


def elf(alignments: list[int], wide: bool) -> bytes:
    """Return an ELF file's headers: a segment that is loaded for each alignment, and a note."""
    head, size, form = (64, 56, "<II5QQ") if wide else (52, 32, "<I6II")
    table = b""
    for kind, alignment in [(4, 4), *((1, alignment) for alignment in alignments)]:
        table += struct.pack(form, kind, *[0] * 6, alignment)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    rest = struct.pack("<HHI", 3, 0, 1)
    rest += struct.pack("<QQQ" if wide else "<III", 0, head, 0)
    rest += struct.pack("<IHHHHHH", 0, head, size, 1 + len(alignments), 0, 0, 0)
    return ident + rest + table


@pytest.mark.kotlin
def test_onnx_runtimes_libraries_suit_phones_with_large_pages(kotlin: Path) -> None:
    table = run_python(BUILDING / "alignment.py", kotlin / "onnxruntime/jni")
    for architecture in ("arm64-v8a", "x86_64"):
        assert re.search(rf"^{architecture} +libonnxruntime\.so +\d+\.\d +16384$", table, re.M)
    assert len(table.splitlines()) == 9


@pytest.mark.parametrize("as_archive", [False, True])
def test_a_library_that_is_aligned_to_less_is_found(tmp_path: Path, as_archive: bool) -> None:
    files = {
        "arm64-v8a/libgood.so": elf([16384, 65536], wide=True),
        "arm64-v8a/libbad.so": elf([16384, 4096], wide=True),
        "armeabi-v7a/libold.so": elf([4096], wide=False),
    }
    place = tmp_path / "some.aar"
    if as_archive:
        with zipfile.ZipFile(place, "w") as archive:
            for name, content in files.items():
                archive.writestr(f"jni/{name}", content)
    else:
        for name, content in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    complaint = fails(BUILDING / "alignment.py", place)
    assert complaint == "1 of 3 libraries are aligned to less than 16384 bytes\n"


@pytest.mark.kotlin
def test_the_library_uses_nothing_that_old_phones_lack(kotlin: Path) -> None:
    run_python(BUILDING / "old_phones.py")


@pytest.mark.kotlin
def test_what_old_phones_lack_would_be_found(kotlin: Path, tmp_path: Path) -> None:
    source = tmp_path / "Late.java"
    source.write_text(
        "class Late { Object a = java.time.Instant.now(), b = java.util.Base64.getEncoder(),"
        " c = java.util.Optional.empty(); Runnable d = () -> {}; }"
    )
    run_program("javac", "--release", "17", source).check_returncode()
    source.unlink()
    complaint = fails(BUILDING / "old_phones.py", tmp_path)
    assert sorted(re.findall(r"Late uses (\S+), which", complaint)) == [
        "java.time.Instant",
        "java.util.Base64",
        "java.util.Base64$Encoder",
    ]


@pytest.fixture(scope="module")
def catalog() -> dict[str, dict[str, object]]:
    return tomllib.loads((ANDROID / "gradle/libs.versions.toml").read_text())


@pytest.mark.kotlin
def test_gradles_catalog_names_the_versions_that_are_tested(
    kotlin: Path, catalog: dict[str, dict[str, object]]
) -> None:
    def in_jar(jar: str, name: str) -> str:
        with zipfile.ZipFile(kotlin / jar) as archive:
            return archive.read(name).decode()

    native = (kotlin / "jvm/libonnxruntime.so").read_bytes()
    versions = catalog["versions"]
    assert versions["kotlin"] == (kotlin / "kotlin/build.txt").read_text().split("-")[0].strip()
    assert f"VERS_{versions['onnxruntime']}\0".encode() in native
    coroutines = "META-INF/kotlinx_coroutines_core.version"
    jar = "kotlin/lib/kotlinx-coroutines-core-jvm.jar"
    assert versions["coroutines"] == in_jar(jar, coroutines).strip()
    junit = in_jar("junit/junit4.jar", "META-INF/MANIFEST.MF")
    assert f"Implementation-Version: {versions['junit']}" in junit


def test_gradles_files_name_what_the_catalog_has(catalog: dict[str, dict[str, object]]) -> None:
    scripts = list(ANDROID.rglob("*.gradle.kts"))
    assert len(scripts) == 6
    text = "\n".join(script.read_text() for script in scripts)
    known = {f"libs.{name.replace('-', '.')}" for name in catalog["libraries"]}
    known |= {f"libs.plugins.{name.replace('-', '.')}" for name in catalog["plugins"]}
    assert set(re.findall(r"\blibs\.[\w.]+\w", text)) == known
    entries = [*catalog["libraries"].values(), *catalog["plugins"].values()]
    asked = {str(entry.get("version", {}).get("ref")) for entry in entries} - {"None"}
    assert asked == set(catalog["versions"])
    settings = (ANDROID / "settings.gradle.kts").read_text()
    for module in re.findall(r'":([^"]+)"', settings):
        assert (ANDROID / module.replace(":", "/") / "build.gradle.kts").is_file()
    assert set(re.findall(r"compileSdk = (\d+)", text)) == {"36"}


def script(module: str) -> str:
    """Return the Gradle file of a module that `building` compiles."""
    folder = ANDROID / building("compile").MODULES[module].sources
    return (folder.parents[2] / "build.gradle.kts").read_text()


@pytest.mark.parametrize("module", ["core", "lama-edge", "drawing", "app"])
def test_gradle_compiles_as_it_is_done_here(module: str) -> None:
    compiler = building("compile")
    text = script(module)
    options = compiler.MODULES[module].options
    named = dict(itertools.pairwise(options))

    def asked(setting: str, prefix: str) -> str | None:
        found = re.search(rf"^ +{setting} = {prefix}_(\w+)$", text, re.MULTILINE)
        return found and found[1].replace("_", ".")

    for option, setting in (
        ("-language-version", "languageVersion"),
        ("-api-version", "apiVersion"),
    ):
        assert asked(setting, r"KotlinVersion\.KOTLIN") == named.get(option)
    targets = {
        asked("jvmTarget", r"JvmTarget\.JVM"),
        asked("sourceCompatibility", r"JavaVersion\.VERSION"),
        asked("targetCompatibility", r"JavaVersion\.VERSION"),
    }
    # What is not published asks for nothing here; Gradle's plugins must agree in any case.
    release = "-Xjdk-release="
    releases = {word.removeprefix(release) for word in options if word.startswith(release)}
    assert targets == releases or (len(targets) == 1 and not options)
    assert ("explicitApi()" in text) == ("-Xexplicit-api=strict" in options)
    assert "allWarningsAsErrors = true" in text
    # Where Android's own classes lie, whose methods throw, tests against stand-ins would fail.
    with_stand_ins = any("stand-ins" in need for need in needs(compiler, module))
    cleared = re.search(r'named\("test"\) \{\s+kotlin\.directories\.clear\(\)', text)
    assert (cleared is not None) == with_stand_ins


def needs(compiler: ModuleType, module: str) -> set[str]:
    """Return the modules that one is compiled against."""
    direct = compiler.MODULES[module].needs
    return set(direct).union(*(needs(compiler, need) for need in direct))


def test_gradle_publishes_what_is_packed_here(catalog: dict[str, dict[str, object]]) -> None:
    package = building("package")
    text = script("lama-edge")
    published = set()
    (listed,) = re.findall(r"^dependencies \{$(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    for scope, name in re.findall(r"(\w+)\(libs\.([\w.]+)\)", listed):
        entry = catalog["libraries"][name.replace(".", "-")]
        group, artifact = entry["module"].split(":")
        version = catalog["versions"][entry["version"]["ref"]]
        published.add((group, artifact, version, {"api": "compile"}[scope]))
    (standard,) = re.findall(r'coreLibrariesVersion = "(.+)"', text)
    published.add(("org.jetbrains.kotlin", "kotlin-stdlib", standard, "compile"))
    assert published == set(package.dependencies())
    assert f'namespace = "{package.NAMESPACE}"\n' in text
    assert f"minSdk = {package.MIN_SDK}\n" in text
    assert f'artifactId = "{package.ARTIFACT}"\n' in text
    assert f'group = "{package.GROUP}"\n' in (ANDROID / "build.gradle.kts").read_text()


def test_what_gradle_lacks_is_made_where_it_looks_for_it() -> None:
    text = script("lama-edge")
    (target,) = re.findall(r"run `make ([a-z-]+)`", text)
    (file,) = re.findall(r'rootDir\.resolve\("(core/.+)"\)', text)
    words = ["make", "--dry-run", target]
    said = run_program(*words, folder=ROOT).stdout
    assert f"selftest.py {(ANDROID / file).parent.relative_to(ROOT)}\n" in said


@pytest.mark.kotlin
def test_what_gradle_runs_of_the_samples_tests_passes_without_pytests_files(
    junit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAMA_EDGE_CASES", raising=False)
    junit("drawing", skipped=1)


@pytest.mark.kotlin
def test_kotlin_is_formatted(kotlin: Path) -> None:
    command = ("java", "-jar", kotlin / "ktlint/ktlint", "--relative")
    checked = run_program(*command, folder=ANDROID)
    assert checked.returncode == 0, f"{checked.stdout}\nmake android-format does most of it"


@pytest.mark.kotlin
def test_gradles_files_are_well_formed_kotlin(kotlin: Path, tmp_path: Path) -> None:
    """Gradle is not at hand: all that may be wrong with them is that they do not find it."""
    scripts = []
    for script in ANDROID.rglob("*.gradle.kts"):
        copy = tmp_path / "-".join(script.relative_to(ANDROID).parts)
        shutil.copyfile(script, copy)
        scripts.append(copy)
    # That it would be found.
    damaged = tmp_path / "damaged.gradle.kts"
    damaged.write_text(scripts[-1].read_text().replace("}", "", 1))
    compiler = building("compile")
    library = kotlin / "kotlin/lib/kotlin-stdlib.jar"
    with compiler.alone(), pytest.raises(compiler.CompileError) as caught:
        compiler.kotlinc(
            *("-no-stdlib", "-classpath", str(library), "-Xallow-any-scripts-in-source-roots"),
            *("-d", str(tmp_path / "out"), *map(str, scripts), str(damaged)),
        )
    said = re.findall(r"^(?:.*/)?(.*\.kts):\d+:\d+: error: (.*)$", str(caught.value), re.MULTILINE)
    wrong = [(at, text) for at, text in said if not text.lower().startswith(WITHOUT_GRADLE)]
    assert {at for at, _ in wrong} == {damaged.name}, wrong
