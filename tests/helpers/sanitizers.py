"""How the C++ library is built for the tests, and what its sanitizers are told."""

from __future__ import annotations

import os

from places import ROOT

_SUPPRESSIONS = ROOT / "runtimes" / "cpp" / "tests"
_FLAGS = "-fno-sanitize-recover=all -fno-omit-frame-pointer -fsanitize"
LIBRARY_BUILDS = {
    "plain": ["-DCMAKE_BUILD_TYPE=Release"],
    "sanitized": ["-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_FLAGS={_FLAGS}=address,undefined"],
    "clang": ["-DCMAKE_BUILD_TYPE=Release"],
    "threads": ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", f"-DCMAKE_CXX_FLAGS={_FLAGS}=thread"],
}


def sanitizing() -> dict[str, str]:
    """Return the environment for programs that sanitizers watch.

    What ONNX Runtime keeps to its end is no leak of ours, and the order in which its threads work,
    which a sanitizer that it was not built with cannot see, no race of ours.
    """
    return os.environ | {
        "LSAN_OPTIONS": f"suppressions={_SUPPRESSIONS}/leaks.supp:print_suppressions=0",
        "TSAN_OPTIONS": f"suppressions={_SUPPRESSIONS}/races.supp:halt_on_error=1",
    }
