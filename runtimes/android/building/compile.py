"""Compiles the modules of this folder with kotlinc, and runs their tests: compile.py MODULE...

    compile.py core lama-edge            prints the class path that a program with them needs
    compile.py --test core [CLASS...]    runs JUnit on src/test, or on some classes of it
    compile.py --test core CLASS --jvm=-Xmx80m --resources FOLDER

Tests that lack what pytest gives them are skipped; the last lines say which. The tools are those of
`.ci/kotlin`. What was compiled from the same sources is kept, under
~/.cache/lama-edge/kotlin-builds; one runs at a time, over all checkouts: a compiler takes 1 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lama-edge"
TOOLS = Path(os.environ.get("LAMA_EDGE_KOTLIN_ROOT") or _CACHE / "kotlin")
BUILDS = _CACHE / "kotlin-builds"
# Builds of other checkouts and of yesterday; one takes less than 1 MB.
_KEPT = 150
# What no compiler and no run of tests takes by far; what hangs keeps other checkouts waiting.
LIMIT_S = 600

# minSdk 24 has most of Java 8. Against later ones `ByteBuffer.position` and the like compile to
# methods that old phones lack.
_RELEASE = "1.8"
_WARNINGS = ("-Werror", "-Xreport-all-warnings")


@dataclass(frozen=True)
class Module:
    """What is compiled as one.

    Attributes:
        sources: folder of Kotlin and Java files, relative to runtimes/android.
        needs: modules it uses, whose own needs it uses as well.
        sees: modules whose internals it may use: it tests them, or becomes one with them.
        jars: what it uses of the tools' folder.
        options: of kotlinc, beside those of all.
    """

    sources: str
    needs: tuple[str, ...] = ()
    sees: tuple[str, ...] = ()
    jars: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


_COROUTINES = "kotlin/lib/kotlinx-coroutines-core-jvm.jar"
_JUNIT = (
    "junit/junit4.jar",
    "junit/hamcrest.jar",
    "kotlin/lib/kotlin-test.jar",
    "kotlin/lib/kotlin-test-junit.jar",
)
_ANDROID = (f"-Xjdk-release={_RELEASE}",)
# Compilers from this version on read what is published, and no newer function of Kotlin is called.
KOTLIN = "2.2"
_LIBRARY = (
    *_ANDROID,
    *("-Xexplicit-api=strict", "-language-version", KOTLIN, "-api-version", KOTLIN),
)
MODULES = {
    "core": Module(
        "core/src/main/kotlin",
        jars=("onnxruntime/classes.jar", _COROUTINES),
        options=_LIBRARY,
    ),
    "core-tests": Module("core/src/test/kotlin", ("core",), ("core",), _JUNIT),
    "stand-ins": Module(
        "stand-ins/android",
        jars=("kotlin/lib/annotations-13.0.jar",),
        options=_ANDROID,
    ),
    "lama-edge": Module(
        "lama-edge/src/main/kotlin", ("core", "stand-ins"), ("core",), options=_LIBRARY
    ),
    "lama-edge-tests": Module(
        "lama-edge/src/test/kotlin", ("lama-edge",), ("lama-edge", "core"), _JUNIT
    ),
    "drawing": Module(
        "sample/drawing/src/main/kotlin",
        jars=(_COROUTINES, "android/json.jar"),
        options=_ANDROID,
    ),
    "drawing-tests": Module("sample/drawing/src/test/kotlin", ("drawing",), ("drawing",), _JUNIT),
    # Of Compose and what else of Android the sample uses.
    "stand-ins-compose": Module("stand-ins/compose", ("stand-ins-sample",), jars=(_COROUTINES,)),
    "stand-ins-sample": Module("stand-ins/sample", ("stand-ins",)),
    "app": Module(
        "sample/app/src/main/kotlin",
        ("drawing", "lama-edge", "stand-ins-compose"),
    ),
    "app-tests": Module(
        "sample/app/src/test/kotlin",
        ("app", "lama-edge-tests"),
        ("app", "lama-edge-tests"),
        _JUNIT,
    ),
    # What runs the tests of all of them.
    "running": Module("building/junit", jars=_JUNIT, options=_ANDROID),
}


class CompileError(Exception):
    """What a compiler says against some sources."""


@functools.cache
def tools() -> Path:
    """Return the folder of tools; raises FileNotFoundError where `.ci/kotlin` has not been run."""
    # As .ci/kotlin names it: each version of it has its own.
    digest = hashlib.sha256()
    for path in (HERE.parent.parent / ".ci/kotlin", HERE / "building/jni_on_linux.c"):
        digest.update(path.read_bytes())
    folder = TOOLS / f"tools-{digest.hexdigest()[:16]}"
    try:
        # Those that were used last are kept.
        os.utime(folder)
    except FileNotFoundError:
        raise FileNotFoundError(f"no Kotlin in {folder}: .ci/kotlin fetches it") from None
    return folder


@functools.cache
def _java_version() -> str:
    return run(["java", "-version"])


def sources(module: Module) -> list[Path]:
    """Return a module's files, in an order that is everybody's."""
    folder = HERE / module.sources
    return sorted(path for path in folder.rglob("*") if path.suffix in (".kt", ".java"))


@contextlib.contextmanager
def _locked(name: str, kind: int) -> Iterator[None]:
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / name).open("w") as file:
        fcntl.flock(file, kind)
        yield


def alone() -> contextlib.AbstractContextManager[None]:
    """Wait for the other compilers, and keep them waiting."""
    return _locked(".lock", fcntl.LOCK_EX)


def compiled(name: str) -> Path:
    """Return the folder of a module's classes, compiled now if its sources are new.

    Raises CompileError with what the compiler said. Where others see the module as a library, the
    folder ``abi`` beside it has what they see: signatures of what is public, or protected.
    """
    # Others compile for half a minute: who only needs what is there does not wait for them.
    with _locked(".forgetting", fcntl.LOCK_SH):
        folder = _found(name)
    return folder or _compiled_alone(name)


def _found(name: str) -> Path | None:
    """Return a module's classes if they and those of its needs are there; all are kept then."""
    folder = _classes(name)
    try:
        # The builds that were used last are kept.
        os.utime(folder.parent)
    except FileNotFoundError:
        return None
    return folder if all(map(_found, MODULES[name].needs)) else None


def _compiled_alone(name: str) -> Path:
    with alone():
        return _compiled(name)


def class_path(*names: str) -> list[Path]:
    """Return what a program with some modules needs: their classes, and jars of the tools."""
    for name in names:
        compiled(name)
    needed = [path for name in names for path in _needed(name)]
    return list(dict.fromkeys([*needed, tools() / "kotlin/lib/kotlin-stdlib.jar"]))


def _key(name: str) -> str:
    """Return what names a module's build: made of all that goes into it."""
    module = MODULES[name]
    digest = hashlib.sha256(tools().name.encode() + Path(__file__).read_bytes())
    # Others are compiled against the classes of this Java, and for it.
    java = "" if set(_ANDROID) <= set(module.options) else _java_version()
    digest.update(f"{name} {module} {java}".encode())
    for path in sources(module):
        digest.update(f"\0{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    for need in module.needs:
        digest.update(_key(need).encode())
    return digest.hexdigest()[:24]


def _compiled(name: str) -> Path:
    if folder := _found(name):
        return folder
    module = MODULES[name]
    for need in module.needs:
        _compiled(need)
    folder = _classes(name)
    if folder.is_dir():
        return folder
    files = sources(module)
    if not files:
        raise CompileError(f"{name}: there are no sources in {HERE / module.sources}")
    jars = [tools() / jar for jar in ("kotlin/lib/kotlin-stdlib.jar", *module.jars)]
    needed = [path for need in module.needs for path in _needed(need)]
    friends = ",".join(str(_classes(seen)) for seen in module.sees)
    path = os.pathsep.join(map(str, dict.fromkeys([*needed, *jars])))
    with tempfile.TemporaryDirectory(dir=BUILDS) as temporary:
        build = Path(temporary, "build")
        new = build / "classes"
        new.mkdir(parents=True)
        if any(file.suffix == ".kt" for file in files):
            kotlinc(
                *(_WARNINGS + module.options),
                *("-module-name", f"lama-edge-{name}", "-no-stdlib", "-no-reflect"),
                *("-classpath", path),
                *((f"-Xfriend-paths={friends}",) if friends else ()),
                *(_abi(build / "abi") if module.options == _LIBRARY else ()),
                *("-d", str(new)),
                *map(str, files),
            )
        if java := [str(file) for file in files if file.suffix == ".java"]:
            release = ("--release", "8") if module.options else ()
            command = ["javac", "-Xlint:all,-options,-path", "-Werror", *release, "-d", str(new)]
            run([*command, "-classpath", f"{new}{os.pathsep}{path}", *java])
        build.rename(folder.parent)
    _forget()
    return folder


def _abi(folder: Path) -> list[str]:
    options = {
        "outputDir": folder,
        "removePrivateClasses": "true",
        "treatInternalAsPrivate": "true",
    }
    words = [f"-Xplugin={tools() / 'kotlin/lib/jvm-abi-gen.jar'}"]
    for name, value in options.items():
        words += ["-P", f"plugin:org.jetbrains.kotlin.jvm.abi:{name}={value}"]
    return words


def _classes(name: str) -> Path:
    return BUILDS / f"{name}-{_key(name)}" / "classes"


def _needed(name: str) -> list[Path]:
    module = MODULES[name]
    jars = [tools() / jar for jar in module.jars]
    below = [path for need in module.needs for path in _needed(need)]
    return [_classes(name), *below, *jars]


def kotlinc(*words: str) -> None:
    """Run the Kotlin compiler; raises CompileError with what it says."""
    library = tools() / "kotlin" / "lib"
    # What bin/kotlinc does, without bash; compiled to the second stage it would take longer.
    java = ["java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    run(
        [
            *(*java, "-cp", str(library / "kotlin-compiler.jar")),
            *("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", str(library.parent)),
            *words,
        ]
    )


def run(command: list[str]) -> str:
    """Run a tool; return what it prints. Raises CompileError with what it complains of."""
    with _limited(command[0]):
        result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    output = result.stdout + result.stderr
    if result.returncode:
        raise CompileError(output.replace(f"{HERE}/", "").strip())
    return output


@contextlib.contextmanager
def _limited(name: str) -> Iterator[None]:
    """Say in one line that a program was ended, as it took too long."""
    try:
        yield
    except subprocess.TimeoutExpired:
        raise CompileError(f"{name} was ended after {LIMIT_S} s: it hangs") from None


def _forget() -> None:
    """Remove the builds that have not been used for longest; alone."""
    # Who finds a build finds it whole, and has it kept then.
    with (
        tempfile.TemporaryDirectory(dir=BUILDS) as away,
        _locked(".forgetting", fcntl.LOCK_EX),
    ):
        builds = sorted(BUILDS.glob("*-*"), key=lambda path: path.stat().st_mtime)
        for path in builds[:-_KEPT]:
            path.rename(Path(away, path.name))


def java(path: list[Path], *words: str, jvm: list[str]) -> int:
    """Run a program with ONNX Runtime's native side at hand; return its exit code."""
    native = tools() / "jvm"
    with _limited(words[0]):
        return subprocess.run(
            [
                *("java", "-ea", "-XX:+UseSerialGC", f"-Donnxruntime.native.path={native}", *jvm),
                *("-cp", os.pathsep.join(map(str, path)), *words),
            ],
            env={**os.environ, "LD_LIBRARY_PATH": str(native), "ORT_DISABLE_TELEMETRY": "1"},
            check=False,
            timeout=LIMIT_S,
        ).returncode


def run_tests(name: str, classes: list[str], jvm: list[str], resources: list[Path]) -> int:
    """Run JUnit on a module's tests, or some classes of them; return its exit code.

    Args:
        name: of the module.
        classes: names of test classes, with or without their package; none for all.
        jvm: options of the JVM.
        resources: folders that are on the class path too.
    """
    path = [*class_path(f"{name}-tests", "running"), *resources]
    found = sorted(
        ".".join(file.relative_to(path[0]).with_suffix("").parts)
        for file in path[0].rglob("*Test.class")
        if "$" not in file.name
    )
    named = {word for test in found for word in (test, test.split(".")[-1])}
    if unknown := sorted({*classes} - named) or ([] if found else ["*Test"]):
        raise CompileError(f"{name} has no {', '.join(unknown)} among {', '.join(found)}")
    chosen = [
        test for test in found if not classes or test in classes or test.split(".")[-1] in classes
    ]
    return java(path, "RunTests", *chosen, jvm=jvm)


def telling(work: Callable[[], None]) -> None:
    """Do some work; what a compiler has against it, or what is missing, ends the program."""
    try:
        work()
    except (CompileError, FileNotFoundError) as error:
        sys.exit(str(error))


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help=f"of {', '.join(MODULES)}; after --test, classes")
    parser.add_argument("--test", action="store_true", help="run the tests of the first module")
    parser.add_argument("--jvm", action="append", default=[], help="an option of the tests' JVM")
    parser.add_argument(
        "--resources", action="append", default=[], type=Path, help="a folder on the class path"
    )
    args = parser.parse_args()
    if args.test:
        sys.exit(run_tests(args.names[0], args.names[1:], args.jvm, args.resources))
    print(os.pathsep.join(map(str, class_path(*args.names))))


if __name__ == "__main__":
    telling(main)
