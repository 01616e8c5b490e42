"""Stand-ins for Android's classes, and what the library uses of Android, against Android's list."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from android_library import ANDROID, run_program, run_python

BUILDING = ANDROID / "building"
# As the real one is written: comments before what they are about, classes in modules.
LIST = """\
/// <reference path="android-declarations.d.ts"/>

declare module android {
    export module graphics {
        export class Picture extends java.lang.Object implements android.os.Parcelable {
            public static class: java.lang.Class<android.graphics.Picture>;
            public static MOST: 8;
            public getName(): string | null;
            /** @since 26 */
            public getSpace(): android.graphics.Picture.Space | null;
            /** @deprecated Deprecated in API 35 */
            public draw(bytes: androidNative.Array<number>, size: number): void;
            public static of(name: string, other: android.graphics.Picture | null): any;
        }
        export module Picture {
            /** @since 30 */
            export abstract class Space<T>  extends java.lang.Object {
                /**
                 * Constructs a new instance of it.
                 */
                public constructor(implementation: {
                    width(): number;
                });
                public width(): number;
            }
        }
    }
}
"""
ANNOTATION = """\
package org.jetbrains.annotations;
import java.lang.annotation.*;
@Retention(RetentionPolicy.CLASS) public @interface Nullable {}
"""
RIGHT = """\
package android.graphics;
import org.jetbrains.annotations.Nullable;
public class Picture {
    public static final int MOST = 8;
    public static int standInCount;
    Picture() {}
    public @Nullable String getName() { return null; }
    public @Nullable Space getSpace() { return null; }
    @Deprecated public void draw(byte[] bytes, int size) {}
    public static Picture of(String name, @Nullable Picture other) { return null; }
    public static abstract class Space { Space() {} public abstract int width(); }
}
"""
WRONG = """\
package android.graphics;
import org.jetbrains.annotations.Nullable;
public class Picture extends Thread {
    public static final int MOST = 9;
    public Picture() {}
    public @Nullable String getTitle() { return null; }
    public Space getSpace() { return null; }
    public void draw(byte[] bytes, int size) {}
    public void draw(byte[] bytes) {}
    public void draw(byte[] bytes, String size) {}
    public static Picture of(@Nullable String name, Picture other) { return null; }
    public static abstract class Space { Space() {} public static int width() { return 1; } }
}
"""
USER = """\
package app;
import android.graphics.Picture;
public class User {
    int width(Picture picture) { return picture.getSpace().width() + picture.getName().length(); }
}
"""


@pytest.fixture
def declarations(monkeypatch: pytest.MonkeyPatch) -> Any:
    if shutil.which("javac") is None:
        pytest.skip("no JDK: apt-get install openjdk-17-jdk-headless")
    monkeypatch.syspath_prepend(str(BUILDING))
    for name in ("class_files", "compile", "declarations"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("declarations")


def compile_java(folder: Path, **sources: str) -> Path:
    """Compile sources by the names of their classes; return the folder of classes."""
    folder.mkdir()
    for name, text in {"Nullable": ANNOTATION, **sources}.items():
        (folder / f"{name}.java").write_text(text)
    paths = [str(folder / f"{name}.java") for name in ("Nullable", *sources)]
    run_program("javac", "-nowarn", "-d", folder / "classes", *paths).check_returncode()
    return folder / "classes"


@pytest.mark.kotlin
def test_stand_ins_are_as_android_declares_them_and_old_phones_have_what_is_used(
    kotlin: Path,
) -> None:
    assert run_python(BUILDING / "declarations.py") == ""


def test_what_is_declared_as_android_does_passes(declarations: Any, tmp_path: Path) -> None:
    classes = declarations.read_list(LIST)
    assert list(declarations.strangers(classes, compile_java(tmp_path / "a", Picture=RIGHT))) == []


def test_what_is_declared_otherwise_is_found(declarations: Any, tmp_path: Path) -> None:
    folder = compile_java(tmp_path / "a", Picture=WRONG)
    picture = "android.graphics.Picture"
    of = f"{picture}.of(Ljava/lang/String;Landroid/graphics/Picture;)Landroid/graphics/Picture;"
    found = list(declarations.strangers(declarations.read_list(LIST), folder))
    assert sorted(line.partition(": Android declares")[0] for line in found) == sorted(
        [
            f"{picture} is no java/lang/Thread",
            f"{picture}.MOSTI is 8 and not 9",
            f"{picture}.<init>()V",
            f"{picture}.getTitle()Ljava/lang/String;",
            f"{picture}.getSpace()Landroid/graphics/Picture$Space;: what it gives may be null",
            f"{picture}.draw([BI)V is deprecated",
            f"{picture}.draw([B)V",
            f"{picture}.draw([BLjava/lang/String;)V",
            f"{of}: parameter 1 may not be null",
            f"{of}: parameter 2 may be null",
            f"{picture}.Space.width()I",
        ]
    )


def test_a_class_that_android_has_not_is_found(declarations: Any, tmp_path: Path) -> None:
    folder = compile_java(tmp_path / "a", Picture=RIGHT.replace("Space", "Room"))
    found = list(declarations.strangers(declarations.read_list(LIST), folder))
    assert "android.graphics.Picture.Room: Android has no such class" in found


def test_what_is_newer_than_the_oldest_phone_has_to_be_asked_for(
    declarations: Any, tmp_path: Path
) -> None:
    classes = declarations.read_list(LIST)
    folder = compile_java(tmp_path / "a", Picture=RIGHT, User=USER)
    made = declarations.read_classes(folder / "app")
    picture = "android.graphics.Picture"
    assert list(declarations.too_new(classes, made, {})) == [
        f"app/User uses {picture}.getSpace, which is there since 26",
        f"app/User uses {picture}.Space.width, which is there since 30",
    ]
    asked = {f"{picture}.Space.width": "", f"{picture}.getSpace": "", f"{picture}.getName": ""}
    assert list(declarations.too_new(classes, made, asked)) == []
    unused = {**asked, f"{picture}.of": ""}
    assert list(declarations.too_new(classes, made, unused)) == [
        f"{picture}.of is asked for and not used"
    ]


def test_what_the_list_has_not_is_found(declarations: Any, tmp_path: Path) -> None:
    folder = compile_java(tmp_path / "a", Picture=RIGHT, User=USER)
    classes = declarations.read_list(LIST.replace("getName", "getTitle"))
    found = list(declarations.too_new(classes, declarations.read_classes(folder / "app"), {}))
    assert any(
        "getName()Ljava/lang/String;, which Android's list has not" in line for line in found
    )
