"""What of the Android library others can call is what was last written down."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from android_library import ANDROID, run_program, run_python
from places import ROOT

API = "lama-edge/api/lama-edge.api"

pytestmark = pytest.mark.kotlin


def test_nothing_that_others_call_has_changed_unmeant(kotlin: Path) -> None:
    run_python(ANDROID / "building/api_dump.py", "--check")


def test_what_is_written_down_is_what_others_see() -> None:
    text = (ANDROID / API).read_text()
    for line in (
        "public final class io.github.lamaedge.Inpainter implements java.lang.AutoCloseable {",
        "  public void close();",
    ):
        assert line in text.splitlines()
    # What is internal in Kotlin is public to the JVM.
    assert "io.github.lamaedge.contract." not in text
    assert "io.github.lamaedge.opening." not in text
    assert "DefaultConstructorMarker)" not in text


def test_a_change_is_told_with_what_to_do(kotlin: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("resources", "build", ".gradle")
    copy = Path(shutil.copytree(ANDROID, tmp_path / "runtimes/android", ignore=ignored))
    # Which tools are this version's, it says.
    (tmp_path / ".ci").symlink_to(ROOT / ".ci")
    text = (copy / API).read_text()
    (copy / API).write_text(text.replace("  public void close();\n", "", 1))
    result = run_program(sys.executable, copy / "building/api_dump.py", "--check")
    assert result.returncode == 1
    assert "\n+  public void close();\n" in result.stderr
    assert result.stderr.endswith("if this is meant: make android-api\n")


def test_all_that_others_call_is_documented() -> None:
    undocumented, found = [], 0
    for part in ("core", "lama-edge"):
        for path in (ANDROID / part / "src/main/kotlin").rglob("*.kt"):
            lines = path.read_text().splitlines()
            for number, line in enumerate(lines):
                # Explicit API: what is public says so.
                if not re.match(r"\s*public (?!(override|companion)\b)", line):
                    continue
                found += 1
                above = [text for text in lines[:number] if not text.lstrip().startswith("@")]
                name = re.search(r"\bva[lr] (\w+)", line)
                told = name and any(
                    re.search(rf"@(property|param) {name[1]}\b|\[{name[1]}\]", text)
                    for text in above
                )
                if not told and not (above and above[-1].rstrip().endswith("*/")):
                    undocumented.append(f"{path.name}:{number + 1}")
    assert found > 50
    assert undocumented == []
