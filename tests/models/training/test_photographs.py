"""Photographs of the evaluation: in scikit-image's package, never enlarged, with fixed masks."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from lama_edge.errors import PictureError
from lama_edge.pictures.masks import NARROW
from lama_edge.pictures.photographs import PHOTOGRAPHS, photograph, photograph_samples

pytest.importorskip("skimage")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_photograph_comes_with_the_package_and_is_a_square_rgb_picture(name, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(socket, "socket", refuse)
    picture = photograph(name, 256)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 10


def test_a_photograph_is_never_enlarged():
    assert photograph("chelsea", 512) is None
    assert photograph("astronaut", 512).shape == (512, 512, 3)


def test_a_photograph_at_its_own_size_keeps_its_pixels():
    from skimage import data

    assert np.array_equal(photograph("astronaut", 512), data.astronaut())
    # 600 by 400: the central square.
    assert np.array_equal(photograph("coffee", 400), data.coffee()[:, 100:500])


def test_every_large_enough_photograph_gets_as_many_masks_as_asked_for():
    samples = photograph_samples(64, 2)
    assert len(samples) == 2 * len(PHOTOGRAPHS)
    assert np.array_equal(samples[0].truth, samples[1].truth)
    assert not np.array_equal(samples[0].mask, samples[1].mask)
    assert 0 < len(photograph_samples(512, 1)) < len(PHOTOGRAPHS)


def test_masks_are_the_same_in_every_run_and_do_not_depend_on_what_else_is_asked_for():
    (alone,) = photograph_samples(64, 1, names=["rocket"])
    among = photograph_samples(64, 1)[PHOTOGRAPHS.index("rocket")]
    assert np.array_equal(alone.mask, among.mask)
    (narrow,) = photograph_samples(64, 1, masks=NARROW, names=["rocket"])
    assert not np.array_equal(alone.mask, narrow.mask)


def test_an_unknown_photograph_is_refused_with_the_names_there_are():
    with pytest.raises(PictureError, match="astronaut"):
        photograph("lena", 64)
