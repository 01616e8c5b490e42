"""`make demo`: the whole way once, from the embedded checkpoint to an erased object.

Runs the same commands that a user types, on a photograph that scikit-image carries, and leaves
everything in one folder: the model, its manifest, the parity report, the picture, the mask, the
result, and the three side by side.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from lama_edge import cli
from lama_edge.errors import LamaEdgeError, needs_extra
from lama_edge.runtimes.base import open_runner

# The largest crater in scikit-image's `moon`, as an ellipse (left, top, right, bottom) in pixels
# that generously covers it.
_OBJECT = (86, 52, 156, 124)
_HOLE_TINT = (255, 0, 80)
_GAP_PX = 8


def first_try(folder: Path) -> Path:
    """Export, check, inpaint, and compose the sheet.

    Args:
        folder: where the results go; it is made when missing.

    Returns:
        The path of the picture that shows before, mask and after.

    Raises:
        LamaEdgeError: when a step fails, or the ``demo`` extra is not installed.
    """
    with needs_extra("demo"):
        from skimage import data

    folder.mkdir(parents=True, exist_ok=True)
    photo, mask, result = (folder / f"demo-{name}.png" for name in ("photo", "mask", "result"))
    picture = Image.fromarray(data.moon())
    picture.save(photo)
    hole = Image.new("L", picture.size)
    ImageDraw.Draw(hole).ellipse(_OBJECT, fill=255)
    hole.save(mask)

    model, sheet = folder / "lama-tiny.onnx", folder / "demo.png"
    _command("export", "onnx", "-o", model, "--overwrite")
    _command("parity", model, "--report", folder / "parity.html")
    _command("inpaint", model, photo, mask, "-o", result)
    with Image.open(result) as after:
        _sheet(picture, hole, after).save(sheet)
    with open_runner(model) as runner:
        manifest = json.dumps(runner.manifest.to_dict(), indent=2, sort_keys=True)
    (folder / "lama-tiny.manifest.json").write_text(manifest + "\n")
    return sheet


def _command(*words: object) -> None:
    """Show a command line and run it as the shell would."""
    arguments = [str(word) for word in words]
    print(f"$ lama-edge {shlex.join(arguments)}", flush=True)
    if cli.main(arguments) != 0:
        raise LamaEdgeError("the demo stopped at the command above")


def _sheet(before: Image.Image, hole: Image.Image, after: Image.Image) -> Image.Image:
    """Return before, the hole marked, and after, side by side."""
    colour = before.convert("RGB")
    tint = Image.new("RGB", before.size, _HOLE_TINT)
    marked = Image.composite(Image.blend(colour, tint, 0.6), colour, hole)
    sheet = Image.new("RGB", (3 * before.width + 2 * _GAP_PX, before.height), "white")
    for index, picture in enumerate((before, marked, after)):
        sheet.paste(picture, (index * (before.width + _GAP_PX), 0))
    return sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lama_edge.cli.first_try", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("out"))
    try:
        sheet = first_try(parser.parse_args(arguments).folder)
    except LamaEdgeError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"before, mask and after: {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
