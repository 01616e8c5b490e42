"""Where release 0.1.0 had the inpainter."""

from lama_edge.runtimes.inpainting.inpainter import Inpainter, fill_window

__all__ = ["Inpainter", "fill_window"]
