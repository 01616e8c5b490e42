"""What compiles and tests the Android library: nothing is skipped, kept builds, hanging tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from android_library import ANDROID, JUnit, building, run_program, written_tests
from places import ROOT

HERE = Path(__file__).parent


@pytest.fixture
def compiling(kotlin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module that compiles, with sources of its own: `above` needs `below`."""
    module = building("compile")
    for name in ("below", "above", "other"):
        source = tmp_path / name / f"{name.title()}.java"
        source.parent.mkdir()
        source.write_text(f"class {name.title()} {{}}\n")
    modules = {name: module.Module(name) for name in ("below", "other")}
    modules["above"] = module.Module("above", ("below",))
    monkeypatch.setattr(module, "MODULES", modules)
    # Under this name each version is looked for, and here it is there.
    monkeypatch.setattr(module, "tools", lambda: kotlin)
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "BUILDS", tmp_path / "builds")
    return module


def test_each_class_of_the_cores_tests_is_run() -> None:
    """By its name, as others than `junit("core")` are given more."""
    text = "".join(path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__))
    named = set(re.findall(r'"(\w+Test)"', text)) - set(written_tests("lama-edge"))
    assert named == set(written_tests("core"))


@pytest.mark.kotlin
@pytest.mark.parametrize("name", ["MissingLibraryTest", "ParityTest", "SmallHeapTest"])
def test_a_test_that_lacks_what_it_is_given_fails(junit: JUnit, name: str) -> None:
    with pytest.raises(AssertionError, match=rf"skipped: {written_tests('core')[name]}\n"):
        junit("core", name)


@pytest.mark.kotlin
def test_a_class_that_is_not_there_is_named(kotlin: Path) -> None:
    words = (ANDROID / "building/compile.py", "--test", "core", "PixelsTest", "PixelTest")
    result = run_program(sys.executable, *words)
    assert result.returncode == 1
    assert re.fullmatch(r"core has no PixelTest among .*PixelsTest.*\n", result.stderr)
    assert "OK" not in result.stdout


@pytest.mark.kotlin
@pytest.mark.parametrize("kept", [2, 3])
def test_builds_that_are_needed_now_are_kept(
    compiling: Any, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(compiling, "_KEPT", kept)
    below = compiling.compiled("below")
    other = compiling.compiled("other")
    for age, folder in enumerate((below, other), start=1):
        os.utime(folder.parent, times=(age, age))
    above = compiling.compiled("above")
    assert (below / "Below.class").is_file()
    assert (above / "Above.class").is_file()
    assert other.is_dir() == (kept == 3)
    left = {path.name for path in compiling.BUILDS.iterdir() if not path.name.startswith(".")}
    assert len(left) == kept


@pytest.mark.kotlin
def test_what_is_found_is_kept_with_what_it_needs(compiling: Any) -> None:
    folders = [compiling.compiled(name).parent for name in ("below", "above")]
    for folder in folders:
        os.utime(folder, times=(1, 1))
    compiling.compiled("above")
    assert all(folder.stat().st_mtime > 1 for folder in folders)


@pytest.mark.kotlin
def test_another_java_makes_other_builds(compiling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compiling.MODULES["phones"] = compiling.Module("other", options=("-Xjdk-release=1.8",))
    keys = [compiling._key(name) for name in ("above", "phones")]
    monkeypatch.setattr(compiling, "_java_version", lambda: "another")
    assert compiling._key("above") != keys[0]
    assert compiling._key("phones") == keys[1]


@pytest.mark.kotlin
def test_a_compiler_that_hangs_is_ended(
    compiling: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiling._key("below")  # Asks Java for its version, which is not to hang.
    javac = tmp_path / "bin/javac"
    javac.parent.mkdir()
    javac.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/process\nexec sleep 1000\n")
    javac.chmod(0o755)
    (javac.parent / "java").symlink_to(javac)
    monkeypatch.setenv("PATH", str(javac.parent), prepend=os.pathsep)
    monkeypatch.setattr(compiling, "LIMIT_S", 3)
    with pytest.raises(compiling.CompileError) as caught:
        compiling.compiled("below")
    assert str(caught.value) == "javac was ended after 3 s: it hangs"
    assert not psutil.pid_exists(int((tmp_path / "process").read_text()))
    assert [path.name for path in compiling.BUILDS.iterdir() if path.is_dir()] == []
    with pytest.raises(compiling.CompileError, match=r"^Main was ended after 3 s: it hangs$"):
        compiling.java([], "Main", jvm=[])
    assert not psutil.pid_exists(int((tmp_path / "process").read_text()))


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/process; wait"
    with pytest.raises(pytest.fail.Exception, match=r"^sh was ended after 3 s: it hangs$"):
        run_program("sh", "-c", script, limit_s=3)
    end = time.monotonic() + 10
    while alive(int((tmp_path / "process").read_text())):
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Return whether a process runs: whoever adopts it may not have looked after it yet."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def finder(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a copy of `.ci/kotlin` where nothing can be fetched, with arguments."""
    for name in (".ci/kotlin", ".ci/beside", "runtimes/android/building/jni_on_linux.c"):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("bash", "cat", "sha256sum", "touch"):
        path = shutil.which(tool)
        if path is None:
            pytest.skip(f"there is no {tool} here")
        (bare / tool).symlink_to(path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(bare), "LAMA_EDGE_KOTLIN_ROOT": str(tmp_path / "tools")}
        return run_program("bash", tmp_path / ".ci/kotlin", *words, environment=environment)

    return run


@pytest.mark.kotlin
def test_each_version_of_the_tools_has_a_folder_of_its_own(
    kotlin: Path, finder: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert finder().returncode == 3
    # What Python looks for is what the script prints.
    folder = tmp_path / "tools" / kotlin.name
    folder.mkdir(parents=True)
    os.utime(folder, times=(1, 1))
    assert finder().stdout == f"{folder}\n"
    assert folder.stat().st_mtime > 1
    for name in (".ci/kotlin", "runtimes/android/building/jni_on_linux.c"):
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(before + b"\n")
        assert finder().returncode == 3
        (tmp_path / name).write_bytes(before)
    assert [path.name for path in (tmp_path / "tools").iterdir()] == [kotlin.name]
