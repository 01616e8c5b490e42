"""A folder of photographs: drawn repeatably, unreadable ones skipped, too few refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lama_edge.errors import PictureError, UsageError
from lama_edge.models.training.data.folder import (
    MIN_PICTURES,
    PictureFolder,
    folder_holdout,
    split_folder,
)
from lama_edge.models.training.data.pool import BatchStream, DataSettings


@pytest.fixture
def photographs(tmp_path):
    """Thirty pictures of many sizes and modes, each of one colour of its own."""
    (tmp_path / "more").mkdir()
    modes = ("RGB", "L", "RGBA", "P")
    for index in range(30):
        folder = tmp_path / "more" if index % 2 else tmp_path
        size = (40 + 7 * index, 24 + 11 * (index % 5))
        picture = Image.new("RGB", size, (8 * index, 255 - 8 * index, 100))
        picture.convert(modes[index % 4]).save(folder / f"{index:02}.png")
    return tmp_path


def test_pictures_are_drawn_repeatably_at_the_size_asked_for(photographs):
    folder = PictureFolder(split_folder(photographs)[0])
    drawn = [folder.picture(np.random.default_rng(seed), 32) for seed in range(20)]
    again = [folder.picture(np.random.default_rng(seed), 32) for seed in range(20)]
    assert all(picture.shape == (32, 32, 3) and picture.dtype == np.uint8 for picture in drawn)
    assert all(np.array_equal(*pair) for pair in zip(drawn, again, strict=True))
    assert len({picture.tobytes() for picture in drawn}) > 5


def test_windows_vary_in_place_and_scale_and_are_never_enlarged_without_need(tmp_path):
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (200, 200, 3))
    for index in range(MIN_PICTURES):
        Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / f"{index}.png")
    folder = PictureFolder(sorted(tmp_path.iterdir()))
    drawn = [folder.picture(np.random.default_rng(seed), 50) for seed in range(40)]
    spans = [int(picture[0, -1, 0]) - int(picture[0, 0, 0]) for picture in drawn]
    assert min(spans) >= 47  # one level a pixel: the window is no smaller than the crop
    assert max(spans) > 120
    assert len({int(picture[0, 0, 0]) for picture in drawn}) > 10


def test_one_in_twenty_is_held_out_and_never_trained_on(photographs):
    training, held = split_folder(photographs)
    assert (len(training), len(held)) == (28, 2)
    assert not set(training) & set(held)
    first, again = folder_holdout(held, 64), folder_holdout(held, 64)
    assert [sample.truth.shape for sample in first] == [(64, 64, 3)] * 2
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first, again, strict=True))
    assert all(sample.hole.any() for sample in first)


def test_unreadable_pictures_are_reported_once_and_skipped(photographs, caplog):
    training, _ = split_folder(photographs)
    for path in training[:5]:
        path.write_bytes(b"no picture")
    folder = PictureFolder(training)
    drawn = [folder.picture(np.random.default_rng(seed), 16) for seed in range(200)]
    assert len(drawn) == 200
    reported = [record.getMessage() for record in caplog.records if "skipped" in record.msg]
    assert sorted(path.name in " ".join(reported) for path in training[:5]) == [True] * 5
    assert len(reported) == 5


def test_too_few_readable_pictures_are_an_error(photographs):
    training, held = split_folder(photographs)
    for path in training[MIN_PICTURES - 1 :]:
        path.write_bytes(b"")
    folder = PictureFolder(training)
    with pytest.raises(PictureError, match=f"{MIN_PICTURES - 1} pictures can be read"):
        [folder.picture(np.random.default_rng(seed), 16) for seed in range(500)]
    for path in held:
        path.write_bytes(b"")
    with pytest.raises(PictureError, match="none of the 2 pictures"):
        folder_holdout(held, 16)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        split_folder(tmp_path / "missing")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match="no picture"):
        split_folder(tmp_path)


def test_photographs_are_flipped_and_keep_their_colours(photographs):
    source = PictureFolder(split_folder(photographs)[0])
    settings = DataSettings(seed=1, crop_pixels=16, batch_size=4, small_steps=0, pool_pictures=8)
    image, _ = next(iter(BatchStream(settings, source)))
    values = (image * 255).round().int()
    for crop in values:
        red, green, blue = crop[:, 0, 0].tolist()
        grey = red == green == blue
        assert grey or (abs(blue - 100) < 30 and abs(red + green - 255) < 40)
