"""What people follow step by step on the pages runs as it stands there.

A block of commands (``sh``, ``console``) or of Python that cannot run here has a comment above its
fence, ``<!-- not run: why -->``, and is counted. The others run in the order of
the page, in a folder with a photograph, masks and a checkpoint, as `_folder` makes it. Models are
exported for sizes an eighth of those on the page, and what would install or make something is
looked up in its place.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from page_blocks import FOLLOWED, Block, blocks, commands
from PIL import Image
from places import DATA, ROOT

from lama_edge.cli import _parser

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

_LIMIT_S = 300
_RUN = ("sh", "console", "python")
_LEAST_SIDE = 64
# Core ML's packages are run in NumPy: a minute a page.
_SLOW = ("ios",)
# Blocks that want a phone, a board, a Mac, hours, or something that is not installed here.
_NOT_RUN = 36
# What a block may install or make is looked up by `test_what_pages_install_and_make_is_there`.
_PRELUDE = "set -euo pipefail\npip() { :; }\nmake() { :; }\n"
PAGES = [page for page in FOLLOWED if any(block.language in _RUN for block in blocks(page))]
EVERYWHERE = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "runtimes").glob("*/README.md")),
]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _folder(folder: Path) -> None:
    """Make what the pages speak of: a photograph and masks, by name and in folders, checkpoints."""
    levels = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    mask = np.zeros((72, 96), np.uint8)
    mask[24:40, 30:56] = 255
    for name in ("photos", "masks", "my-pictures", "other-pictures"):
        (folder / name).mkdir()
    for name in ("photo.jpg", "photos/one.jpg", "photos/two.jpg", "my-pictures/one.png"):
        Image.fromarray(levels).save(folder / name)
    for name in ("mask.png", "masks/one.png", "masks/two.png"):
        Image.fromarray(mask).save(folder / name)
    shutil.copytree(DATA / "fourier", folder / "big-lama")


def _smaller(text: str) -> str:
    def size(found: re.Match[str]) -> str:
        sides = (max(_LEAST_SIDE, int(side) // 64 * 8) for side in found[1].split("x"))
        return "--size " + "x".join(map(str, sides))

    return re.sub(r"--size (\d+(?:x\d+)?)", size, text)


def _run(block: Block, folder: Path) -> None:
    if block.language == "python":
        words = [sys.executable, "-c", block.text]
    else:
        words = ["bash", "-c", _PRELUDE + _smaller("\n".join(commands(block.text)))]
    programs = str(Path(sys.executable).parent)
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
    )
    assert done.returncode == 0, f"{block.name}\n{block.text}{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page.stem in _SLOW else ()) for page in PAGES],
    ids=named,
)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    _folder(tmp_path)
    for block in blocks(page):
        if block.language in _RUN and block.reason is None:
            _run(block, tmp_path)


def test_what_cannot_run_here_is_counted_and_every_audience_has_something_that_runs() -> None:
    """One more wants a reason that whoever changes the number has read."""
    found = [block for page in PAGES for block in blocks(page)]
    not_run = [block for block in found if block.reason is not None]
    assert {block.language for block in not_run} <= {*_RUN}, "no command and no Python: never run"
    assert len(not_run) == _NOT_RUN, [f"{block.name}: {block.reason}" for block in not_run]
    for page in (ROOT / "docs" / "for").glob("*.md"):
        assert any(block.language in _RUN and block.reason is None for block in blocks(page)), page


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    _folder(tmp_path)
    page = ROOT / "docs" / "index.md"
    for language, text in (
        ("sh", "pip install x\nlama-edge inspect none.onnx\nls"),
        ("python", "1/0"),
    ):
        with pytest.raises(AssertionError, match=r"index\.md:1"):
            _run(Block(page, 1, language, text, None), tmp_path)


@pytest.mark.parametrize("page", EVERYWHERE, ids=named)
def test_every_command_is_one_that_lama_edge_knows(page: Path) -> None:
    """Of blocks that are not run too, and of pages that nobody follows step by step."""
    for block in blocks(page):
        assert block.language, f"{block.name}: say what the block is in: sh, text, …"
        for line in commands(block.text) if block.language in ("sh", "console") else ():
            words = shlex.split(line.replace("…", "").partition(" > ")[0], comments=True)
            if words and Path(words[0]).name == "lama-edge":
                _parser().parse_args(words[1:])


def test_what_pages_install_and_make_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = set()
    for page in EVERYWHERE:
        text = page.read_text(encoding="utf-8")
        for extras in re.findall(r"lama-edge\[([\w,-]+)\]", text):
            assert {*extras.split(",")} <= {*project["optional-dependencies"]}, (page, extras)
            asked.add(extras)
        for block in blocks(page):
            if block.language in ("sh", "console"):
                made = re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)
                assert {*made} <= {*targets}, block.name
    assert asked
