"""Where the Swift tests find a toolchain and the package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from places import ROOT, TOOLS


@pytest.fixture(scope="session")
def swift_package() -> Path:
    return ROOT / "runtimes" / "swift"


@pytest.fixture(scope="session")
def swift() -> Path:
    """The `swift` on PATH, or the one that `.ci/swift` has unpacked; `swiftc` lies beside it."""
    folder = os.environ.get("LAMA_EDGE_SWIFT_ROOT") or TOOLS / "swift"
    found = shutil.which("swift") or shutil.which("swift", path=str(folder))
    if found is None:
        pytest.skip("no Swift toolchain: .ci/swift unpacks one")
    try:
        subprocess.run([found, "--version"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the Swift toolchain does not start here: {error}")
    return Path(found)
