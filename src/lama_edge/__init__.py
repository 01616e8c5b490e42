"""lama-edge: LaMa inpainting from a PyTorch checkpoint to the devices where people use it."""

__version__ = "0.1.0"
