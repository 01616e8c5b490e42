"""What R8 is told to keep, tried with ProGuard, whose language it is; and the manifest."""

from __future__ import annotations

import io
import os
import shutil
import struct
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from android_library import ANDROID, run_program, run_python

RULES = ANDROID / "lama-edge/consumer-rules.pro"
# Calls of Kotlin's from Java: a lambda is work that may wait.
MAIN = """\
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import android.graphics.Bitmap;
import io.github.lamaedge.*;
import java.io.File;
import kotlin.coroutines.EmptyCoroutineContext;
import kotlinx.coroutines.BuildersKt;

public class Main {
    public static void main(String[] arguments) throws Exception {
        Bitmap picture = Bitmap.createBitmap(32, 32, Bitmap.Config.RGB_565);
        Bitmap mask = Bitmap.createBitmap(32, 32, Bitmap.Config.ARGB_8888);
        mask.eraseColor(-1);
        EmptyCoroutineContext here = EmptyCoroutineContext.INSTANCE;
        Inpainter inpainter = BuildersKt.runBlocking(here, (scope, then) ->
                Inpainter.Companion.open(new File(arguments[0]), new ModelOptions(), then));
        Erased done = BuildersKt.runBlocking(here, (scope, then) -> BitmapsKt.inpaintWithReport(
                inpainter, picture, mask, new InpaintOptions(), then));
        System.out.println(inpainter.getInfo().getPrecision() + " " + done.getReport().getRuns());
        inpainter.close();
        try {
            OrtEnvironment.getEnvironment().createSession(new byte[1]);
        } catch (OrtException error) {
            System.out.println(error.getCode());
        }
    }
}
"""
# What is no app's business, or only the JVM's: Android's own classes beyond the stand-ins, and what
# coroutines have for debuggers.
ALL = """\
-keep class Main { public static void main(java.lang.String[]); }
-repackageclasses x
-allowaccessmodification
-dontoptimize
-dontnote
-dontwarn android.**
-dontwarn ai.onnxruntime.TelemetryInitializer
-dontwarn sun.misc.**
-dontwarn java.lang.instrument.**
-dontwarn org.codehaus.mojo.animal_sniffer.**
"""
# The newest class files that ProGuard 6 reads, Java 13's.
NEWEST = 57


def lowered(files: dict[str, bytes], archive: Path) -> Path:
    """Write classes as an archive of an age that ProGuard reads; what newer ones have is kept."""
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in files.items():
            version = min(NEWEST, struct.unpack_from(">H", content, 6)[0])
            packed.writestr(name, content[:6] + struct.pack(">H", version) + content[8:])
    return archive


def classes_of(archive: bytes, below: str = "") -> dict[str, bytes]:
    """Return an archive's classes below a folder, by their names in it."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        names = [name for name in packed.namelist() if name.endswith(".class")]
        names = [name for name in names if name.startswith(below)]
        return {name: packed.read(name) for name in names}


def java_home() -> Path:
    """Return the folder of the JDK."""
    javac = shutil.which("javac")
    assert javac
    return Path(javac).resolve().parent.parent


@pytest.fixture(scope="module")
def app(kotlin: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder with an app that uses the library, and what ProGuard is told of it."""
    folder = tmp_path_factory.mktemp("app")
    printed = run_python(ANDROID / "building/compile.py", "lama-edge")
    path = [Path(part) for part in printed.strip().split(os.pathsep)]
    (folder / "Main.java").write_text(MAIN)
    command = ["javac", "--release", "8", "-nowarn", "-d", str(folder / "main")]
    words = [*command, "-cp", os.pathsep.join(map(str, path)), str(folder / "Main.java")]
    run_program(*words).check_returncode()
    system: dict[str, bytes] = {}
    for module in ("java.base", "java.logging"):
        found = classes_of((java_home() / f"jmods/{module}.jmod").read_bytes(), "classes/java/")
        system |= {name.removeprefix("classes/"): content for name, content in found.items()}
    runtime = classes_of((kotlin / "onnxruntime/classes.jar").read_bytes())
    libraries = [lowered(system, folder / "system.jar")]
    program = [folder / "main", lowered(runtime, folder / "runtime.jar")]
    for part in path:
        is_outside = "stand-ins" in str(part) or part.name.startswith("annotations-")
        if part != kotlin / "onnxruntime/classes.jar":
            (libraries if is_outside else program).append(part)
    config = [f"-injars {part}(!META-INF/**,**)" for part in program]
    config += [f"-outjars {folder}/app.jar", *(f"-libraryjars {part}" for part in libraries)]
    stand_ins = next(part for part in path if "stand-ins" in str(part))
    (folder / "stand-ins").symlink_to(stand_ins)
    return folder, "\n".join([*config, f"-include {kotlin}/onnxruntime/proguard.txt", ALL])


def shrink(kotlin: Path, folder: Path, config: str) -> str:
    """Run ProGuard; return what it prints."""
    (folder / "app.pro").write_text(config)
    result = run_program(
        *("java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar"),
        *(kotlin / "android/proguard.jar", f"@{folder}/app.pro"),
    )
    output = result.stdout + result.stderr
    assert (result.returncode == 0) == ("Warning:" not in output), output[-4000:]
    return output


def run_app(kotlin: Path, folder: Path, model: Path) -> CompletedProcess[str]:
    """Run what was shrunk."""
    native = kotlin / "jvm"
    return run_program(
        *("java", "-XX:+UseSerialGC", f"-Donnxruntime.native.path={native}"),
        *("-cp", f"{folder}/app.jar:{folder}/stand-ins", "Main", model),
        environment={"LD_LIBRARY_PATH": str(native), "ORT_DISABLE_TELEMETRY": "1"},
    )


@pytest.mark.kotlin
def test_an_app_that_is_shrunk_by_our_rules_works(
    kotlin: Path, selftest: Path, app: tuple[Path, str]
) -> None:
    folder, config = app
    assert "Warning" not in shrink(kotlin, folder, f"{config}\n-include {RULES}")
    with zipfile.ZipFile(folder / "app.jar") as packed:
        names = packed.namelist()
    assert not [name for name in names if name.startswith("io/github/lamaedge")]
    result = run_app(kotlin, folder, selftest / "io/github/lamaedge/selftest.onnx")
    assert result.stdout == "fp32 1\nORT_INVALID_PROTOBUF\n", result.stderr


@pytest.mark.kotlin
def test_without_our_rules_it_would_not(
    kotlin: Path, selftest: Path, app: tuple[Path, str]
) -> None:
    folder, config = app
    assert "androidx.annotation" in shrink(kotlin, folder, config)
    shrink(kotlin, folder, f"{config}\n-dontwarn androidx.annotation.**")
    result = run_app(kotlin, folder, selftest / "io/github/lamaedge/selftest.onnx")
    assert result.returncode != 0
    assert "fp32" not in result.stdout


def test_the_manifest_asks_for_nothing_and_names_what_qnn_opens() -> None:
    root = ET.parse(ANDROID / "lama-edge/src/main/AndroidManifest.xml").getroot()
    android = "{http://schemas.android.com/apk/res/android}"
    assert [element.tag for element in root.iter()] == [
        "manifest",
        "application",
        "uses-native-library",
    ]
    assert root[0][0].attrib == {f"{android}name": "libcdsprpc.so", f"{android}required": "false"}
