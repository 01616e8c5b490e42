"""Sizes and options of engines: what is read, what is refused, what a manifest promises."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.engines import Flavor, Library, ProfileSizes
from lama_edge.errors import UsageError
from lama_edge.exporters.formats.tensorrt.options import (
    BuildOptions,
    check_options,
    check_profiles,
    engine_size,
    parse_profile,
)
from lama_edge.spec import Size, SizePolicy

ANY = SizePolicy(None, 8, 16)


@pytest.mark.parametrize(
    ("token", "minimum", "optimum", "maximum"),
    [
        ("512", (512, 512), (512, 512), (512, 512)),
        ("512x768", (512, 768), (512, 768), (512, 768)),
        ("256:512:1024", (256, 256), (512, 512), (1024, 1024)),
        ("256x256:512x768:1024x1024", (256, 256), (512, 768), (1024, 1024)),
        ("256:512x768:1024", (256, 256), (512, 768), (1024, 1024)),
    ],
)
def test_a_size_token_is_a_profile(
    token: str, minimum: tuple[int, int], optimum: tuple[int, int], maximum: tuple[int, int]
) -> None:
    assert parse_profile(token) == ProfileSizes(Size(*minimum), Size(*optimum), Size(*maximum))


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("dynamic", "not for any"),
        ("256:dynamic:1024", "not for any"),
        ("256:512", "MIN:OPT:MAX"),
        ("1:2:3:4", "MIN:OPT:MAX"),
        ("512:256:1024", "does not rise"),
        ("256x512:512x256:1024", "does not rise"),
        ("256::1024", "is not a size"),
        ("", "is not a size"),
        ("512:512:99999", "out of range"),
    ],
)
def test_a_token_that_is_no_profile_is_refused_with_the_reason(token: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_profile(token)


SIDES = st.integers(2, 40).map(lambda cells: cells * 8)
SIZES = st.builds(Size, SIDES, SIDES)


@st.composite
def profiles(draw: st.DrawFn) -> ProfileSizes:
    heights = sorted(draw(st.tuples(SIDES, SIDES, SIDES)))
    widths = sorted(draw(st.tuples(SIDES, SIDES, SIDES)))
    return ProfileSizes(*(Size(*pair) for pair in zip(heights, widths, strict=True)))


@settings(derandomize=True, max_examples=100)
@given(profiles(), SIZES)
def test_every_size_that_a_manifest_promises_is_within_the_engine(
    profile: ProfileSizes, size: Size
) -> None:
    promised = engine_size((profile,), ANY)
    if promised.fixed is not None:
        assert promised.max_side is None
        assert profile.takes(promised.fixed.height, promised.fixed.width)
        return
    assert promised.max_side is not None
    assert promised.min_size <= promised.max_side
    if promised.problem_with(size.height, size.width) is None:
        assert profile.takes(size.height, size.width)


def test_every_token_is_read_back_from_what_a_profile_is_spelt_as() -> None:
    for token in ("512x512", "64x72", "64x64:96x128:256x256"):
        assert str(parse_profile(token)) == token


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        (["100"], "multiples of 8; next is 104x104"),
        (["64:100:128"], "100x100 cannot be built for"),
        (["8:64:128"], "at least 16"),
        (["64", "64x64"], "give every size once"),
        ([], "give every size once"),
    ],
)
def test_sizes_that_the_generator_does_not_take_are_refused(
    tokens: list[str], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        check_profiles([parse_profile(token) for token in tokens], ANY)


def _library(flavor: Flavor) -> Library:
    return Library(flavor, SimpleNamespace(), "10.3.0")


@pytest.mark.parametrize(
    ("flavor", "options", "problem"),
    [
        ("tensorrt", BuildOptions(compute_capabilities=("8.6",)), "compute_capability='8.6'"),
        ("rtx", BuildOptions(compute_capabilities=("8.6", "8.6")), "once"),
        ("rtx", BuildOptions(compute_capabilities=("current", "8.6")), "current alone"),
        ("rtx", BuildOptions(workspace_mib=0), "workspace=0"),
    ],
)
def test_what_a_library_does_not_have_is_refused_by_name(
    flavor: Flavor, options: BuildOptions, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        check_options(options, _library(flavor))


def test_what_a_library_has_is_let_through() -> None:
    check_options(BuildOptions(compute_capabilities=("8.6", "8.9")), _library("rtx"))
    check_options(BuildOptions(compute_capabilities=("current",)), _library("tensorrt"))
