"""Runs a dynamic ONNX model in tiles: the same result in bounded memory.

The picture's ends (encoder and decoder) run in tiles with exact halos, the trunk between them in
bands of rows and, for the Fourier transform, in groups of channels. Every piece is a part of the
model's own graph, cut out of the file where the plan of its stages says.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lama_edge.errors import ModelError, UsageError, naming, parameter
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.inpainting.strategies import DEFAULT_TILE
from lama_edge.runtimes.onnxruntime.library import ort
from lama_edge.runtimes.onnxruntime.parts import OnnxParts
from lama_edge.runtimes.onnxruntime.providers import providers_for
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME
from lama_edge.runtimes.onnxruntime.session import open_session, run_session
from lama_edge.runtimes.onnxruntime.tiles.stages import Part, run_stages
from lama_edge.stages import STAGES_KEY, Stage, StagePlan


def open_tiles(
    path: Path, manifest: Manifest, *, provider: str, threads: int | None, tile: int | None
) -> Runner:
    """Open a dynamic ONNX model to be run in tiles.

    Args:
        path: the ``.onnx`` file.
        manifest: its manifest.
        provider: the execution provider's short name, see `OnnxRuntimeRunner`.
        threads: threads that work on one operation; None is one for each physical core.
        tile: side of the encoder's and the decoder's tiles, in pixels; the trunk's pieces follow
            it, too. None is `strategies.DEFAULT_TILE`.

    Returns:
        A runner with the same manifest. Its `run` takes pictures one after the other, whatever
        the batch size, and holds at most one part's weights at a time.

    Raises:
        ModelError: when the file carries no stages (fixed size, DFT as an operator, or exported
            by an older release), or is damaged.
        UsageError: when `tile` is less than 1.
    """
    if tile is not None and tile < 1:
        raise UsageError(f"a tile of {tile} pixels is none: give at least 1")
    if manifest.size.fixed is not None:
        raise ModelError(
            f"{str(path)!r} takes {manifest.size.fixed} only and cannot run in tiles: export it "
            f"with {parameter('size', 'dynamic')}"
        )
    if manifest.dft == "op":
        raise ModelError(
            f"{str(path)!r} has the Fourier transform as an operator and cannot run in tiles: "
            f"export it with {parameter('dft', 'matmul')}"
        )
    parts = OnnxParts(path)
    try:
        return TilesRunner(parts, manifest, _read_plan(parts, path), provider, threads, tile)
    except BaseException:
        parts.close()
        raise


def _read_plan(parts: OnnxParts, path: Path) -> StagePlan:
    text = parts.metadata.get(STAGES_KEY)
    if text is None:
        raise ModelError(
            f"{str(path)!r} does not say where it can be cut into stages, so it cannot run in "
            "tiles: export it again with this release"
        )
    return StagePlan.from_json(text)


class TilesRunner(Runner):
    """A dynamic ONNX model that runs in tiles; made by `open_tiles`."""

    runtime = ONNXRUNTIME
    runtime_version = ort.__version__

    def __init__(
        self,
        parts: OnnxParts,
        manifest: Manifest,
        plan: StagePlan,
        provider: str,
        threads: int | None,
        tile: int | None,
    ) -> None:
        self._parts: OnnxParts | None = parts
        # Its parts are opened from one file, and two runs at once would take twice the memory.
        self._lock = threading.Lock()
        self._plan = plan
        self._tile = DEFAULT_TILE if tile is None else tile
        self._threads = threads
        self.manifest = manifest
        self.provider = provider

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        with self._lock:
            if self._parts is None:
                raise ModelError("the model is closed")
            results = [
                run_stages(
                    self._plan, self._open_part, io, image[n : n + 1], mask[n : n + 1], self._tile
                )
                for n in range(len(image))
            ]
        return results[0] if len(results) == 1 else np.concatenate(results)

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            if self._parts is not None:
                self._parts.close()
            self._parts = None

    def _open_part(self, stage: Stage) -> Part:
        assert self._parts is not None
        with naming(self.runtime.title):
            session = open_session(
                self._parts.cut((*stage.reads, *stage.like[:1]), stage.outputs),
                provider_names=providers_for(self.provider),
                threads=self._threads,
            )
        taken = {value.name for value in session.get_inputs()}

        def run(feeds: Mapping[str, Array]) -> Sequence[Array]:
            wanted = {name: array for name, array in feeds.items() if name in taken}
            with naming(self.runtime.title):
                return run_session(session, stage.outputs, wanted)

        return run
