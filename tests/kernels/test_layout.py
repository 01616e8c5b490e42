"""Elements moved, against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lama_edge.kernels.layout import depth_to_space, reflect_pad


@pytest.mark.parametrize("element", [np.float32, np.float16, np.int8, np.bool_])
@pytest.mark.parametrize(
    ("before", "after"),
    [((0, 0, 2, 3), (0, 0, 1, 0)), ((0, 0, 0, 0), (0, 0, 0, 0)), ((1, 2, 3, 4), (1, 0, 3, 4))],
)
def test_reflects_without_repeating_the_edge(element, before, after):
    x = np.random.default_rng(0).integers(-9, 9, (2, 3, 4, 5)).astype(element)
    wanted = np.pad(x, list(zip(before, after, strict=True)), mode="reflect")
    for layout in (x, x[..., ::-1].copy()[..., ::-1]):
        result = reflect_pad(layout, before, after)
        assert result.dtype == element
        np.testing.assert_array_equal(result, wanted)


def test_reflects_as_torch():
    x = np.random.default_rng(0).random((1, 2, 6, 7))
    wanted = F.pad(torch.from_numpy(x), (3, 6, 5, 1), mode="reflect").numpy()
    np.testing.assert_array_equal(reflect_pad(x, (0, 0, 5, 3), (0, 0, 1, 6)), wanted)
    assert reflect_pad(np.array(1.0), (), ()).shape == ()


@pytest.mark.parametrize("amounts", [((0, 4), (0, 0)), ((0, 0), (0, 4)), ((-1, 0), (0, 0))])
def test_refuses_what_an_axis_cannot_reflect(amounts):
    with pytest.raises(ValueError, match="cannot reflect"):
        reflect_pad(np.zeros((3, 4)), *amounts)


def test_spreads_channels_over_blocks():
    x = np.arange(2 * 12 * 3 * 5, dtype=np.float32).reshape(2, 12, 3, 5)
    wanted = F.pixel_shuffle(torch.from_numpy(x), 2).numpy()
    np.testing.assert_array_equal(depth_to_space(x, 2, depth_first=False), wanted)
    blocks_first = x.reshape(2, 3, 4, 3, 5).swapaxes(1, 2).reshape(x.shape)
    np.testing.assert_array_equal(depth_to_space(blocks_first, 2, depth_first=True), wanted)
    assert depth_to_space(x[:0], 2, depth_first=True).shape == (0, 3, 6, 10)
