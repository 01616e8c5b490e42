"""The interpreter's element-wise ops against torch in float64, in saved packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("coremltools")
from coremltools.converters.mil import Builder as mb  # noqa: N813

Array = NDArray[Any]
Run = Callable[..., dict[str, Array]]

few = settings(max_examples=2, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
# Of the result: half a unit in float16's last place, and a few units of float32's.
RELATIVE = {np.float16: 2.0**-11 * 1.01, np.float32: 1e-6}

UNARY: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float, float]] = {
    # Reference, and the bounds of the inputs.
    "cos": (torch.cos, -3, 3),
    "relu": (torch.relu, -9, 9),
    "sigmoid": (torch.sigmoid, -8, 8),
    "sin": (torch.sin, -3, 3),
    "sqrt": (torch.sqrt, 0, 900),
}


def check(ours: Array, wanted: torch.Tensor, dtype: Any, *, atol: float = 1e-7) -> None:
    """Compare a result with float64's, to the precision of its type."""
    assert ours.dtype == dtype
    np.testing.assert_allclose(
        ours.astype(np.float64), wanted.numpy(), rtol=RELATIVE[dtype], atol=atol
    )


def in_both_types(
    run: Run, build: Callable[..., Any], arrays: dict[str, Array]
) -> list[tuple[Array, dict[str, Array], Any]]:
    """Run one program with `build` in float32 and float16; result, inputs and type of each."""
    dtypes = {"single": np.float32, "half": np.float16}
    feeds = {
        f"{name}_{word}": array.astype(dtype)
        for word, dtype in dtypes.items()
        for name, array in arrays.items()
    }

    def both(**values: Any) -> dict[str, Any]:
        return {
            word: build(dtype, **{name: values[f"{name}_{word}"] for name in arrays})
            for word, dtype in dtypes.items()
        }

    results = run(both, feeds)
    return [
        (results[word], {name: feeds[f"{name}_{word}"] for name in arrays}, dtype)
        for word, dtype in dtypes.items()
    ]


def wide(x: Array) -> torch.Tensor:
    return torch.from_numpy(x.astype(np.float64))


@pytest.mark.parametrize("op", UNARY)
@given(seed=seeds)
@few
def test_functions_of_one_value(run_program: Run, op: str, seed: int) -> None:
    reference, low, high = UNARY[op]
    x = np.random.default_rng(seed).uniform(low, high, (2, 3, 4))
    for ours, fed, dtype in in_both_types(
        run_program, lambda dtype, x: getattr(mb, op)(x=x), {"x": x}
    ):
        # The smallest float16 numbers are 6e-8 apart.
        check(ours, reference(wide(fed["x"])), dtype, atol=3e-8 if dtype == np.float16 else 1e-6)


def test_round_takes_halves_to_the_even_number(run_program: Run) -> None:
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, 2.6])
    for ours, fed, _ in in_both_types(run_program, lambda dtype, x: mb.round(x=x), {"x": x}):
        wanted = torch.round(wide(fed["x"])).tolist()
        assert ours.tolist() == wanted == [-2, -2, 0, 0, 2, 2, 2, 3]


BINARY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "real_div": torch.div,
}
SHAPES = st.sampled_from([((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((1,), (2, 2))])


@pytest.mark.parametrize("op", BINARY)
@given(seed=seeds, shapes=SHAPES)
@few
def test_functions_of_two_values_broadcast(
    run_program: Run, op: str, seed: int, shapes: tuple[Any, Any]
) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(1, 17, shape) / 4 for shape in shapes)
    for ours, fed, dtype in in_both_types(
        run_program, lambda dtype, x, y: getattr(mb, op)(x=x, y=y), {"x": x, "y": y}
    ):
        wanted = BINARY[op](wide(fed["x"]), wide(fed["y"]))
        check(ours, wanted, dtype)


INTEGERS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    **{name: BINARY[name] for name in ("add", "mul")},
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
}


@pytest.mark.parametrize("op", INTEGERS)
@given(seed=seeds)
@few
def test_functions_of_two_integers(run_program: Run, op: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-99, 100, (3, 4)).astype(np.int32)
    y = np.where(rng.random((3, 4)) < 0.5, 1, -1) * rng.integers(1, 9, (3, 4))
    y = y.astype(np.int32)
    ours = run_program(lambda x, y: {"z": getattr(mb, op)(x=x, y=y)}, {"x": x, "y": y})["z"]
    assert ours.dtype == np.int32
    assert ours.tolist() == INTEGERS[op](torch.from_numpy(x), torch.from_numpy(y)).tolist()


COMPARING: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "equal": torch.eq,
    "greater": torch.gt,
}


@pytest.mark.parametrize("op", COMPARING)
@given(seed=seeds, dtype=st.sampled_from([np.float16, np.int32]))
@few
def test_comparisons(run_program: Run, op: str, seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, 3, (3, 4)).astype(dtype) for _ in "xy")

    def build(x: Any, y: Any) -> dict[str, Any]:
        return {"z": mb.cast(x=getattr(mb, op)(x=x, y=y), dtype="int32")}

    ours = run_program(build, {"x": x, "y": y})["z"]
    assert ours.tolist() == COMPARING[op](wide(x), wide(y)).int().tolist()


@given(seed=seeds, dtype=st.sampled_from([np.float32, np.float16]))
@few
def test_select_broadcasts_the_condition(run_program: Run, seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 2, (1, 1, 3, 4)).astype(np.int32)
    a, b = (rng.uniform(-1, 1, (1, 2, 3, 4)).astype(dtype) for _ in "ab")

    def build(mask: Any, a: Any, b: Any) -> dict[str, Any]:
        return {"y": mb.select(cond=mb.cast(x=mask, dtype="bool"), a=a, b=b)}

    ours = run_program(build, {"mask": mask, "a": a, "b": b})["y"]
    wanted = torch.where(*(torch.from_numpy(each) for each in (mask != 0, a, b)))
    assert np.array_equal(ours, wanted.numpy())


@given(seed=seeds)
@few
def test_casts_cut_fractions_and_round_to_half(run_program: Run, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-300, 300, (5, 4)).astype(np.float32)

    def build(x: Any) -> dict[str, Any]:
        return {
            "whole": mb.cast(x=x, dtype="int32"),
            "half": mb.cast(x=x, dtype="fp16"),
            "back": mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="fp32"),
        }

    ours = run_program(build, {"x": x})
    tensor = torch.from_numpy(x)
    assert ours["whole"].tolist() == tensor.int().tolist()
    assert np.array_equal(ours["half"], tensor.half().numpy())
    assert np.array_equal(ours["back"], tensor.bool().float().numpy())


def test_every_result_is_rounded_to_half_and_sums_are_not(run_program: Run) -> None:
    x = np.full((1, 4096), 1, np.float16)
    weight = np.full((1, 4096), 1 / 4096, np.float16)

    def build(x: Any) -> dict[str, Any]:
        # In float16 a sum stops growing at 2048 steps; 2049 and 65536 are no float16 numbers.
        total = mb.add(x=mb.matmul(x=x, y=weight, transpose_y=True), y=np.float16(1))
        big = mb.add(x=mb.mul(x=total, y=np.float16(1024)), y=np.float16(1))
        return {"total": total, "big": big, "over": mb.mul(x=big, y=np.float16(32))}

    ours = run_program(build, {"x": x})
    assert ours["total"].item() == 2
    assert ours["big"].item() == 2048
    assert np.isinf(ours["over"].item())
