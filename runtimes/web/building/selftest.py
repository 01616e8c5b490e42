"""Makes what the browser's library tests WebGPU with before it trusts it: selftest.py FOLDER.

Run by `make web`. In the folder: ``selftest.onnx``, lama-tiny at 64 x 64, and ``selftest.bin``,
raw little-endian float32: image [1,3,64,64], mask [1,1,64,64] and the output [1,3,64,64] that ONNX
Runtime gives for them on this machine's processor.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lama_edge import cli
from lama_edge.runtimes.base import open_runner

_SIDE = 64


def main(folder: str) -> None:
    """Make both files in a folder, in the place of older ones."""
    made = Path(folder)
    made.mkdir(parents=True, exist_ok=True)
    model = made / "selftest.onnx"
    words = ["export", "onnx", "-o", str(model), "--size", str(_SIDE), "--overwrite"]
    if code := cli.main(words):
        sys.exit(code)
    # Waves, so that the Fourier layers have something to find, and noise for everything else.
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    waves = [np.sin(2 * np.pi * (3 * rows + k * columns)) for k in (1, 2, 5)]
    noise = np.random.default_rng(0).random((3, _SIDE, _SIDE))
    image = (0.35 * (np.stack(waves) + 1) + 0.3 * noise).astype("<f4")[None]
    mask = np.zeros((1, 1, _SIDE, _SIDE), "<f4")
    mask[..., 20:44, 16:40] = 1
    with open_runner(model) as runner:
        output = runner.run(image, mask)
    (made / "selftest.bin").write_bytes(
        b"".join(a.astype("<f4").tobytes() for a in (image, mask, output))
    )


if __name__ == "__main__":
    main(sys.argv[1])
