"""What 12 megapixels cost as crop and in tiles: the table of docs/how-to/inpainting.md.

`make large-photograph` makes a picture of 4000 x 3000 pixels with a round hole of 3 %, inpaints it
from files to a file with big-lama's shape (seeded weights, any size), each strategy in a process
of its own, in turns, and writes benchmarks/results/large-photograph.json and the table. Without
``--measure`` the table alone is written from that file, or with ``--check`` compared. Keep the
machine quiet meanwhile.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.peers.entries import CHECKPOINT, LAMA_EDGE_CPU
from lama_edge.benchmarks.targets.tasks.environment import environment
from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes
from lama_edge.errors import UsageError
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.process import run_isolated
from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_file
from lama_edge.spec import Size

PHOTOGRAPH = Size(3000, 4000)
HOLE_SHARE = 0.03
_STRATEGIES = ("crop", "tiles")
# Pixels of the photograph for each of the random colours that it is made of.
_COARSENESS = 100
_RESULT = Path("benchmarks/results/large-photograph.json")
_MODULE = "lama_edge.benchmarks.studies.large_photograph"


def inpaint_once(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Inpaint picture files once, the opening of the model included; see `run_isolated`.

    What this module imports counts in the peak: nothing that ``lama-edge inpaint`` would not.

    Args:
        payload: `model`, `image`, `mask` and `output` (paths), and `strategy`.

    Returns:
        `seconds` and `peak_bytes`, the most that the whole process had resident.
    """
    model, image, mask, output = (
        Path(payload[key]) for key in ("model", "image", "mask", "output")
    )
    strategy = payload["strategy"]
    job = InpaintFile(model, image, mask, output, strategy=strategy, provider="cpu")
    start = time.perf_counter()
    inpaint_file(job)
    return {"seconds": time.perf_counter() - start, "peak_bytes": peak_memory_bytes()}


def write_pictures(folder: Path, size: Size) -> tuple[Path, Path]:
    """Write a seeded picture of soft colours, and a mask with a round hole of `HOLE_SHARE`."""
    rng = np.random.default_rng(0)
    sides = [max(1, side // _COARSENESS) for side in (size.height, size.width)]
    colours = Image.fromarray(rng.integers(0, 256, (*sides, 3), dtype=np.uint8))
    image, mask = folder / "photograph.jpg", folder / "mask.png"
    colours.resize((size.width, size.height), Image.Resampling.BICUBIC).save(image, quality=95)
    y, x = np.ogrid[: size.height, : size.width]
    distance = np.hypot(y - 0.45 * size.height, x - 0.55 * size.width)
    radius = math.sqrt(HOLE_SHARE * size.height * size.width / math.pi)
    Image.fromarray(np.where(distance <= radius, 255, 0).astype(np.uint8)).save(mask)
    return image, mask


def measure(config: FfcResnetConfig, size: Size, rounds: int) -> dict[str, Any]:
    """Inpaint the photograph by both strategies, in turns.

    Args:
        config: the architecture; weights are seeded.
        size: of the photograph.
        rounds: how often each.

    Returns:
        Plain data: ``environment``, ``picture``, ``config``, and for each of ``strategies`` its
        ``samples_s`` and ``peaks_bytes``, one for each round.

    Raises:
        UsageError: when there is no round.
    """
    if rounds < 1:
        raise UsageError(f"--rounds is {rounds}; give 1 or more")
    found: dict[str, dict[str, list[float]]] = {
        strategy: {"samples_s": [], "peaks_bytes": []} for strategy in _STRATEGIES
    }
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as name:
        folder = Path(name)
        checkpoint, model = folder / "checkpoint.safetensors", folder / "model.onnx"
        run_isolated(CHECKPOINT.task, {"config": config.to_dict(), "output": str(checkpoint)})
        any_size = {"checkpoint": str(checkpoint), "output": str(model), "size": None}
        run_isolated(LAMA_EDGE_CPU.task, {**any_size, "export": dict(LAMA_EDGE_CPU.export)})
        image, mask = write_pictures(folder, size)
        files = {"model": model, "image": image, "mask": mask, "output": folder / "result.jpg"}
        payload = {name: str(path) for name, path in files.items()}
        for number in range(1, rounds + 1):
            for strategy, samples in found.items():
                print(f"{strategy}, round {number} of {rounds}", file=sys.stderr)
                once = run_isolated(f"{_MODULE}:inpaint_once", {**payload, "strategy": strategy})
                samples["samples_s"].append(once["seconds"])
                samples["peaks_bytes"].append(once["peak_bytes"])
    picture = {"height": size.height, "width": size.width, "hole_share": HOLE_SHARE}
    return {
        "environment": environment(),
        "config": config.to_dict(),
        "picture": picture,
        "strategies": found,
    }


def table(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    medians = {name: median(one["samples_s"]) for name, one in document["strategies"].items()}
    rows = [["strategy", "median", "each", "of tiles", "peak"]]
    for name, one in document["strategies"].items():
        each = ", ".join(f"{sample:.1f}" for sample in one["samples_s"])
        peak = figures.memory(max(one["peaks_bytes"]))
        share = medians[name] / medians["tiles"]
        rows.append([f"`{name}`", f"{medians[name]:.1f} s", each, f"{share:.3f}", peak])
    picture, where = document["picture"], document["environment"]
    source = (
        f"A photograph of {picture['width']} x {picture['height']} pixels with a round hole of "
        f"{picture['hole_share']:.0%}, {document['config']['n_blocks']} blocks and ngf "
        f"{document['config']['ngf']} (big-lama's shape has 18 and 64) with seeded weights, from "
        f"the files to the file, the whole process, in turns; {where['chip']} ({where['cores']} "
        f"cores), onnxruntime {where['packages']['onnxruntime']}. Made by `make large-photograph`; "
        f"data in {_RESULT.as_posix()}."
    )
    return f"{source}\n\n{markdown_table(rows)}"


PAGE = GeneratedPage(
    _MODULE, __doc__, "large-photograph", _RESULT, Path("docs/how-to/inpainting.md"), table
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    parser.add_argument("--rounds", type=int, default=2, help="of each strategy, in turns")
    options = parser.parse_args(arguments)
    return PAGE.run(options, lambda: measure(BIG_LAMA, PHOTOGRAPH, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
