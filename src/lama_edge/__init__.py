"""lama-edge: LaMa inpainting from a PyTorch checkpoint to the devices where people use it.

Three names are what most programs need: `export` makes a model of a checkpoint, `Inpainter`
erases things from pictures with it, and `open_runner` opens it for arrays in its own form. What
they need is imported when one of them is.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes longer to import than this
if TYPE_CHECKING:
    from typing import Any

    from lama_edge.exporting import export
    from lama_edge.runtimes.base import open_runner
    from lama_edge.runtimes.inpainting.inpainter import Inpainter

__all__ = ["Inpainter", "export", "open_runner"]
__version__ = "0.1.0"

_PLACES = {
    "Inpainter": "lama_edge.runtimes.inpainting.inpainter",
    "export": "lama_edge.exporting",
    "open_runner": "lama_edge.runtimes.base",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
