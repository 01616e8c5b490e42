"""The picture that every runtime is tried on, and what lama-tiny makes of it.

What it makes comes with the package, so that one runtime alone can be judged, and the reference
too. After lama-tiny's weights changed this module, run by itself, writes it anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.judging.cases import ParityCase
from lama_edge.models.checkpoint import EMBEDDED_NAME, load_checkpoint
from lama_edge.models.zoo import required_path, zoo_entry

SIDE = 64
# float32 [pixels of the hole, 3], before they are brought to the 0-to-255 scale.
_KNOWN = required_path(zoo_entry(EMBEDDED_NAME)).with_name("lama_tiny_known.npy")


def probe() -> ParityCase:
    """Return a picture of 64 x 64 with two holes, made by whole numbers alone.

    So it is the same with every NumPy on every machine.
    """
    rows, columns = np.mgrid[:SIDE, :SIDE]
    slopes = ((9, 5), (-6, 11), (13, -8))
    waves = [np.abs((down * rows + right * columns) % 510 - 255) for down, right in slopes]
    hole = np.zeros((SIDE, SIDE), bool)
    hole[20:44, 16:40] = True
    hole[:8, 50:60] = True
    return ParityCase(np.stack(waves, axis=-1).astype(np.uint8), hole, "the doctor's picture")


def known(case: ParityCase) -> NDArray[np.float32]:
    """Return what the reference makes of the picture: float32 [H,W,3] on the 0-to-255 scale.

    Args:
        case: from `probe`; outside its holes the values are 0.
    """
    levels = np.zeros(case.image.shape, np.float32)
    levels[case.hole] = np.load(_KNOWN) * np.float32(255)
    return levels


def main() -> None:
    """Write what NumPy makes of the picture."""
    from lama_edge.judging.judge import raw_outputs
    from lama_edge.runtimes.numpy.runner import NumpyRunner

    parser = argparse.ArgumentParser(prog="python -m lama_edge.doctor.probe", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=_KNOWN)
    target = parser.parse_args().file
    case = probe()
    with NumpyRunner(load_checkpoint(), composite=False) as reference:
        (levels,) = raw_outputs(reference, [case])
    np.save(target, levels[case.hole] / np.float32(255))


if __name__ == "__main__":
    main()
