"""Pictures and masks of every kind that callers hand over, and what they get back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lama_edge.errors import PictureError
from lama_edge.runtimes.inpainting.given import given_mask, given_picture
from lama_edge.runtimes.inpainting.inpainter import Inpainter

HEIGHT, WIDTH = 40, 56
HOLE = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
HOLE[8:24, 16:40] = True


@pytest.fixture(scope="module")
def inpainter(golden_folder: Path) -> Any:
    with Inpainter.open(golden_folder, provider="numpy", strategy="full") as opened:
        yield opened


def pixels(*shape: int) -> Any:
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, *shape), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
def test_arrays_come_back_as_they_were_but_for_the_hole(
    inpainter: Inpainter, shape: tuple[int, ...], dtype: type
) -> None:
    levels = pixels(*shape)
    if shape == (4,):
        levels[:4, :, 3] = 0
        levels[10:12, :, 3] = 0  # transparent in the hole
    image = levels if dtype is np.uint8 else (levels / 255.0).astype(dtype)
    given = image.copy()
    result = inpainter(image, HOLE)
    assert (result.shape, result.dtype, type(result)) == (image.shape, image.dtype, np.ndarray)
    np.testing.assert_array_equal(image, given)
    kept = np.broadcast_to(~HOLE if not shape else ~HOLE[:, :, None], image.shape).copy()
    if shape == (4,):
        kept[:, :, 3] = True
        kept[image[:, :, 3] == 0] = True
    np.testing.assert_array_equal(result[kept], image[kept])
    assert (result[~kept] != image[~kept]).mean() > 0.9
    if dtype is not np.uint8:
        expected = inpainter(levels, HOLE)
        np.testing.assert_array_equal(np.rint(result * 255.0).astype(np.uint8), expected)


def test_floats_that_are_no_levels_keep_all_their_digits(inpainter: Inpainter) -> None:
    image = np.random.default_rng(4).random((HEIGHT, WIDTH, 4))
    image[10:12, :, 3] = 0  # in the hole too
    result = inpainter(image, HOLE)
    kept = ~HOLE | (image[:, :, 3] == 0)
    np.testing.assert_array_equal(result[kept], image[kept])
    np.testing.assert_array_equal(result[:, :, 3], image[:, :, 3])


@pytest.mark.parametrize(
    "mask",
    [
        HOLE,
        HOLE.astype(np.uint8),
        HOLE[:, :, None].astype(np.float32) * np.float32(0.25),
        HOLE.astype(np.float64),
        Image.fromarray(HOLE),
    ],
    ids=["bool", "uint8", "float32", "float64", "picture"],
)
def test_every_mask_means_the_same_hole(inpainter: Inpainter, mask: Any) -> None:
    expected = inpainter(pixels(3), HOLE)
    np.testing.assert_array_equal(inpainter(pixels(3), mask), expected)


def test_files_give_a_picture(inpainter: Inpainter, tmp_path: Path) -> None:
    image, mask = tmp_path / "a.png", tmp_path / "m.png"
    Image.fromarray(pixels(3)).save(image)
    Image.fromarray(HOLE).save(mask)
    for one, other in ((image, mask), (str(image), str(mask))):
        result = inpainter(one, other)
        assert isinstance(result, Image.Image)
        np.testing.assert_array_equal(np.asarray(result), inpainter(pixels(3), HOLE))
    with pytest.raises(PictureError, match=r"the picture '.*none\.png' does not exist"):
        inpainter(tmp_path / "none.png", HOLE)
    inpainter.max_pixels = HEIGHT * WIDTH - 1
    try:
        with pytest.raises(PictureError, match="or give max_pixels=2240 to inpaint it"):
            inpainter(image, HOLE)
    finally:
        inpainter.max_pixels = None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "is a NoneType: give a path, a PIL image, an array or a torch tensor"),
        (np.zeros((3, 8, 8), np.uint8), r"channels first make it with transpose\(1, 2, 0\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), "one picture at a time"),
        (np.zeros((8, 8, 2), np.uint8), r"shape \(8, 8, 2\): give \[H,W\]"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((8, 8), np.uint16), "dtype uint16: give uint8, 0 to 255, or floats from 0 to 1"),
        (np.zeros((8, 8), np.bool_), "dtype bool"),
        (np.full((8, 8, 3), 255.0), "floats go from 255.0 to 255.0: give 0 to 1"),
        (np.full((8, 8, 3), -0.1), "floats go from -0.1 to -0.1"),
        # Rounded, it would be refused for going from 1 to 1.
        (np.full((8, 8, 3), 1 + 1e-7), "floats go from 1.0000001 to 1.0000001"),
        (np.full((8, 8, 3), np.nan), "the picture holds NaN"),
        (np.full((8, 8, 3), np.inf), "the picture holds infinity"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_way_to_mend_it(image: Any, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        given_picture(image)


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (1, 3), ()], ids=str)
@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "bfloat16"])
def test_tensors_come_back_as_tensors(
    inpainter: Inpainter, shape: tuple[int, ...], kind: str
) -> None:
    torch = pytest.importorskip("torch")
    channels = shape[-1:]
    levels = pixels(*channels)
    planes = np.moveaxis(levels, -1, 0) if channels else levels
    tensor = torch.from_numpy(np.ascontiguousarray(planes)).reshape(*shape, HEIGHT, WIDTH)
    if kind != "uint8":
        tensor = (tensor.double() / 255).to(getattr(torch, kind))
    given = tensor.clone()
    mask = torch.from_numpy(HOLE)[None]
    result = inpainter(tensor, mask)
    assert (result.shape, result.dtype, result.device) == (tensor.shape, tensor.dtype, given.device)
    assert torch.equal(tensor, given)
    changed = torch.from_numpy(HOLE).expand(tensor.shape).clone()
    if channels == (4,):
        changed[3] = False
    assert torch.equal(result[~changed], tensor[~changed])
    if kind in ("uint8", "float32"):
        expected = inpainter(levels, HOLE)
        seen = result if kind == "uint8" else (result * 255).round().to(torch.uint8)
        seen = seen.reshape(*channels, HEIGHT, WIDTH).numpy()
        np.testing.assert_array_equal(np.moveaxis(seen, 0, -1) if channels else seen, expected)


def test_tensors_with_gradients_or_of_any_strides_are_pictures_too(inpainter: Inpainter) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(pixels(3)).permute(2, 0, 1).float() / 255
    expected = inpainter(tensor.contiguous(), HOLE)
    result = inpainter(tensor.requires_grad_(), HOLE)
    assert torch.equal(result, expected)
    unsigned = torch._neg_view(-tensor.detach())  # as the imaginary part of a conjugate has it
    assert torch.equal(inpainter(unsigned, HOLE), expected)
    assert not result.requires_grad


def test_tensors_of_other_layouts_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(PictureError, match=r"channels last make it with permute\(2, 0, 1\)"):
        given_picture(torch.zeros(8, 8, 3))
    with pytest.raises(PictureError, match="one picture at a time"):
        given_picture(torch.zeros(2, 3, 8, 8))
    with pytest.raises(PictureError, match="dtype int64"):
        given_picture(torch.zeros(3, 8, 8, dtype=torch.int64))
    with pytest.raises(PictureError, match=r"the mask has shape \(3, 8, 8\)"):
        given_mask(torch.zeros(3, 8, 8))
    for bare in (torch.zeros(3, 8, 8, device="meta"), torch.zeros(3, 8, 8).to_sparse()):
        with pytest.raises(PictureError, match="give a dense one"):
            given_picture(bare)


def test_what_is_no_mask_is_refused_with_all_that_is_one(inpainter: Inpainter) -> None:
    with pytest.raises(PictureError, match="give a path, a PIL image, an array or a torch tensor"):
        inpainter(pixels(3), HOLE.tolist())


def test_torch_is_not_imported_to_know_that_nothing_is_a_tensor() -> None:
    program = (
        "import sys, numpy\n"
        "from lama_edge.runtimes.inpainting.given import given_mask, given_picture\n"
        "given_picture(numpy.zeros((8, 8, 3)))\n"
        "given_mask(numpy.zeros((8, 8)))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
