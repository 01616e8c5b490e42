"""The input and output contract."""

from __future__ import annotations

import pytest

from lama_edge.errors import UsageError
from lama_edge.spec import Size, SizePolicy, io_spec, parse_size


@pytest.mark.parametrize(
    ("token", "size"),
    [
        ("512", Size(512, 512)),
        ("512x768", Size(512, 768)),
        ("8X16", Size(8, 16)),
        ("dynamic", None),
    ],
)
def test_size_tokens_are_height_by_width(token: str, size: Size | None) -> None:
    assert parse_size(token) == size


@pytest.mark.parametrize("token", ["", "0", "512x", "x512", "-8", "1e3", "5 12", "99999", "8x8x8"])
def test_what_is_no_size_is_refused_by_value(token: str) -> None:
    with pytest.raises(UsageError, match=f"size={token!r} is"):
        parse_size(token)


def test_the_two_forms_have_the_agreed_names_layouts_and_ranges() -> None:
    io = io_spec("float")
    assert (io.image.name, io.mask.name, io.output.name) == ("image", "mask", "inpainted")
    assert io.image.shape(4, 6, batch=2) == (2, 3, 4, 6)
    assert (io.mask.channels, io.image.value_range) == (1, (0.0, 1.0))
    io = io_spec("uint8", composite=False)
    assert io.output.name == "predicted"
    assert io.image.shape(4, 6) == (1, 4, 6, 3)
    assert io.image.value_range == (0.0, 255.0)


@pytest.mark.parametrize(
    ("policy", "size", "fits"),
    [
        (SizePolicy(None, 8, 16), (16, 24), True),
        (SizePolicy(None, 8, 16), (16, 20), False),
        (SizePolicy(None, 8, 16), (8, 24), False),
        (SizePolicy(Size(64, 96), 8, 16), (64, 96), True),
        (SizePolicy(Size(64, 96), 8, 16), (96, 64), False),
        (SizePolicy(None, 8, 16, 64), (64, 16), True),
        (SizePolicy(None, 8, 16, 64), (16, 72), False),
    ],
)
def test_a_size_policy_takes_what_it_says(
    policy: SizePolicy, size: tuple[int, int], fits: bool
) -> None:
    assert (policy.problem_with(*size) is None) == fits


@pytest.mark.parametrize(
    ("size", "code", "says"),
    [
        ((136, 3), "size_too_large", "at most 128"),
        ((3, 121), "size_not_multiple", "multiples of 8; next is 16x128"),
        ((8, 16), "size_too_small", "at least 16"),
    ],
)
def test_a_size_is_refused_by_the_first_of_its_faults(
    size: tuple[int, int], code: str, says: str
) -> None:
    problem = SizePolicy(None, 8, 16, 128).problem_with(*size)
    assert problem is not None
    assert (problem.code, f"{problem}") == (code, f"height and width must be {says}")


@pytest.mark.parametrize("policy", [SizePolicy(Size(64, 96), 8, 16), SizePolicy(None, 8, 72, 200)])
def test_a_size_policy_survives_being_plain_data(policy: SizePolicy) -> None:
    assert SizePolicy.from_dict(policy.to_dict()) == policy
    assert ("max_side" in policy.to_dict()) == (policy.max_side is not None)
