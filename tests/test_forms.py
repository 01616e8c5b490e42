"""Between pictures and the arrays of a model's own form."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.forms import from_model, sides_of, to_model
from lama_edge.spec import IoSpec, io_spec

FORMS = [
    io_spec("float"),
    io_spec("float", channels_last=True),
    io_spec("float", batch=2),
    io_spec("uint8"),
]
HEIGHT, WIDTH = 4, 6


@pytest.mark.parametrize("io", FORMS, ids=lambda io: f"{io.form}-{io.image.layout}-{io.batch}")
def test_a_picture_comes_back_from_the_form_that_it_went_into(io: IoSpec) -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    hole = rng.random((HEIGHT, WIDTH)) > 0.5
    image, mask = to_model(io, picture, hole)
    assert image.shape == io.image.shape(HEIGHT, WIDTH, io.pictures)
    assert mask.shape == io.mask.shape(HEIGHT, WIDTH, io.pictures)
    assert sides_of(image) == (HEIGHT, WIDTH)
    assert image.flags.c_contiguous
    assert image.max() <= io.image.value_range[1]
    assert np.array_equal(mask[0].reshape(HEIGHT, WIDTH) > 0, hole)
    assert np.array_equal(np.rint(from_model(io, image)), picture)
