"""Pictures with what Python gives for them, as files that tests of other languages read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from places import DATA

from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import Size


@dataclass(frozen=True)
class Cases:
    """A folder of cases: `cases.json`, and files that it names."""

    folder: Path
    cases: list[dict[str, Any]]

    def add(self, name: str, model: Path, image: NDArray[Any], hole: NDArray[np.bool_]) -> None:
        """Add a picture (uint8, HWC) with what Python's inpainter and the bare model give for it.

        The picture is of a size that the model takes.
        """
        height, width = hole.shape
        shutil.copyfile(model, self.folder / f"{name}.onnx")
        with Inpainter.open(model) as inpainter:
            filled = np.asarray(inpainter(image, hole.astype(np.uint8) * 255))
        parts = {"picture": image, "mask": hole.astype(np.uint8) * 255, "filled": filled}
        with open_runner(model) as runner:
            form = runner.manifest.io.form
            given = _arrays(form, image, hole)
            batch = [np.repeat(array, runner.manifest.io.pictures, 0) for array in given]
            output = runner.run(*batch)[:1]
            parts |= {"given": given[0], "hole": given[1], "output": output}
        for part, array in parts.items():
            (self.folder / f"{name}.{part}").write_bytes(np.ascontiguousarray(array).tobytes())
        self.cases.append({"name": name, "height": height, "width": width, "form": form})
        (self.folder / "cases.json").write_text(json.dumps(self.cases))

    def add_models(self, exported: Callable[..., Path]) -> None:
        """Add every family in both forms, and the embedded model.

        That in every precision, of any size, and of a fixed batch.
        """
        image, hole = golden_case("fourier")
        tiny = {"size": Size(64, 64)}
        self.add("tiny", exported(None, **tiny), image, hole)
        for precision in ("fp16", "w8", "int8"):
            self.add(f"tiny-{precision}", exported(None, precision=precision, **tiny), image, hole)
        self.add("tiny-any", exported(None), image, hole)
        self.add("tiny-batch", exported(None, batch=2, **tiny), image, hole)
        for family in ("fourier", "dilated", "regular"):
            image, hole = golden_case(family)
            size = Size(*hole.shape)
            self.add(family, exported(family, size), image, hole)
            self.add(f"{family}-uint8", exported(family, size, io="uint8"), image, hole)


def _arrays(
    form: str, image: NDArray[Any], hole: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    if form == "uint8":
        return image[None], hole.astype(np.uint8)[None, ..., None] * 255
    planar = image.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(planar), hole.astype(np.float32)[None, None]


def golden_case(family: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the first golden picture of a family, 64 or 96 pixels a side, and its hole."""
    with np.load(DATA / family / "cases.npz") as golden:
        return golden["image_0"], golden["mask_0"] > 0
