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
    "abs": (torch.abs, -9, 9),
    "ceil": (torch.ceil, -9, 9),
    "cos": (torch.cos, -3, 3),
    "exp": (torch.exp, -5, 5),
    "exp2": (torch.exp2, -5, 5),
    "floor": (torch.floor, -9, 9),
    "relu": (torch.relu, -9, 9),
    "relu6": (torch.nn.functional.relu6, -9, 9),
    "sigmoid": (torch.sigmoid, -8, 8),
    "sign": (torch.sign, -9, 9),
    "silu": (torch.nn.functional.silu, -8, 8),
    "sin": (torch.sin, -3, 3),
    "sqrt": (torch.sqrt, 0, 900),
    "square": (torch.square, -15, 15),
    "tanh": (torch.tanh, -4, 4),
    "identity": (torch.clone, -9, 9),
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
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "pow": torch.pow,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
}
SHAPES = st.sampled_from([((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 4), (3, 1)), ((1,), (2, 2))])


@pytest.mark.parametrize("op", BINARY)
@given(seed=seeds, shapes=SHAPES)
@few
def test_functions_of_two_values_broadcast(
    run_program: Run, op: str, seed: int, shapes: tuple[Any, Any]
) -> None:
    rng = np.random.default_rng(seed)
    # Quarters: what is rounded down must not hang on the last digit of a quotient.
    x, y = (rng.integers(1, 17, shape) / 4 for shape in shapes)
    for ours, fed, dtype in in_both_types(
        run_program, lambda dtype, x, y: getattr(mb, op)(x=x, y=y), {"x": x, "y": y}
    ):
        wanted = BINARY[op](wide(fed["x"]), wide(fed["y"]))
        # The least number that rounds to infinity.
        within = wanted.numpy() < (65520 if dtype == np.float16 else np.inf)
        assert np.isinf(ours[~within]).all()
        check(ours[within], wanted[within], dtype)


INTEGERS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    **{name: BINARY[name] for name in ("add", "sub", "mul", "maximum", "minimum")},
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
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
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


LOGICAL: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}


@pytest.mark.parametrize("op", [*LOGICAL, "logical_not"])
@given(seed=seeds)
@few
def test_logic(run_program: Run, op: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, 2, (3, 4)).astype(np.int32) for _ in "xy")

    def build(x: Any, y: Any) -> dict[str, Any]:
        left, right = (mb.cast(x=each, dtype="bool") for each in (x, y))
        found = mb.logical_not(x=left) if op == "logical_not" else None
        found = getattr(mb, op)(x=left, y=right) if found is None else found
        return {"z": mb.cast(x=found, dtype="int32")}

    ours = run_program(build, {"x": x, "y": y})["z"]
    left, right = (torch.from_numpy(each).bool() for each in (x, y))
    wanted = ~left if op == "logical_not" else LOGICAL[op](left, right)
    assert ours.tolist() == wanted.int().tolist()


@given(seed=seeds, low=st.integers(-4, 0), high=st.integers(0, 4))
@few
def test_clip(run_program: Run, seed: int, low: int, high: int) -> None:
    x = np.random.default_rng(seed).uniform(-9, 9, (3, 4))

    def build(dtype: Any, x: Any) -> Any:
        return mb.clip(x=x, alpha=dtype(low), beta=dtype(high))

    for ours, fed, dtype in in_both_types(run_program, build, {"x": x}):
        check(ours, wide(fed["x"]).clip(low, high), dtype)


@pytest.mark.parametrize("given_epsilon", [None, 0.25])
@pytest.mark.parametrize(
    ("op", "default", "reference"),
    [
        ("rsqrt", 1e-12, torch.rsqrt),
        ("inverse", 1e-4, torch.reciprocal),
        ("log", 1e-45, torch.log),
    ],
)
@given(seed=seeds)
@few
def test_functions_with_a_pole_add_epsilon_first(
    run_program: Run,
    op: str,
    default: float,
    reference: Callable[[torch.Tensor], torch.Tensor],
    given_epsilon: float | None,
    seed: int,
) -> None:
    x = np.random.default_rng(seed).uniform(0.01, 4, (3, 4))

    def build(dtype: Any, x: Any) -> Any:
        options = {} if given_epsilon is None else {"epsilon": dtype(given_epsilon)}
        return getattr(mb, op)(x=x, **options)

    for ours, fed, dtype in in_both_types(run_program, build, {"x": x}):
        epsilon = float(dtype(default if given_epsilon is None else given_epsilon))
        # The sum is rounded once more in float32, which a logarithm next to 0 shows.
        check(ours, reference(wide(fed["x"]) + epsilon), dtype, atol=1e-6)


@given(seed=seeds, slope=st.sampled_from([0.0, 0.25, 1.5]))
@few
def test_leaky_relu(run_program: Run, seed: int, slope: float) -> None:
    x = np.random.default_rng(seed).uniform(-4, 4, (3, 4))
    for ours, fed, dtype in in_both_types(
        run_program, lambda dtype, x: mb.leaky_relu(x=x, alpha=dtype(slope)), {"x": x}
    ):
        check(ours, torch.nn.functional.leaky_relu(wide(fed["x"]), slope), dtype)


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
    bias = np.array([1], np.float16)

    def build(x: Any) -> dict[str, Any]:
        # In float16 a sum stops growing at 2048 steps; 2049 and 65536 are no float16 numbers.
        total = mb.linear(x=x, weight=weight, bias=bias)
        big = mb.add(x=mb.mul(x=total, y=np.float16(1024)), y=np.float16(1))
        return {"total": total, "big": big, "over": mb.mul(x=big, y=np.float16(32))}

    ours = run_program(build, {"x": x})
    assert ours["total"].item() == 2
    assert ours["big"].item() == 2048
    assert np.isinf(ours["over"].item())
