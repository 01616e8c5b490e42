"""Weights in few bits: the interpreter unfolds what torch computes from the same integers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("coremltools")
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types

from lama_edge.runtimes.mil_interpreter.blobs import unpack_bits

Array = NDArray[Any]
Run = Callable[..., dict[str, Array]]

few = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float16])


def _unfolded(run: Run, build: Callable[[], Any], like: Array, **options: Any) -> Array:
    """Return what a constant is unfolded to, by adding it to nothing."""
    nothing = np.zeros_like(like)
    return run(lambda x: {"y": mb.add(x=x, y=build())}, {"x": nothing}, **options)["y"]


@given(
    seed=seeds,
    dtype=dtypes,
    stored=st.sampled_from([np.int8, np.uint8]),
    axis=st.sampled_from([0, 1, -1]),
    vector=st.booleans(),
)
@few
def test_affine_dequantize(
    run_program: Run, seed: int, dtype: Any, stored: Any, axis: int, vector: bool
) -> None:
    rng = np.random.default_rng(seed)
    limits = np.iinfo(stored)
    data = rng.integers(limits.min, limits.max, (4, 5, 3), stored, endpoint=True)
    count = data.shape[axis]
    scale = rng.uniform(0.01, 0.1, count if vector else ()).astype(dtype)
    zero = rng.integers(limits.min, limits.max, count if vector else (), stored, endpoint=True)
    shape = [1, 1, 1]
    shape[axis] = -1
    factors, zeros = (
        torch.from_numpy(np.atleast_1d(each).astype(np.float32)).reshape(shape)
        for each in (scale, zero)
    )
    wanted = ((torch.from_numpy(data).float() - zeros) * factors).numpy().astype(dtype)

    def build() -> Any:
        return mb.constexpr_affine_dequantize(
            quantized_data=data,
            zero_point=zero if vector else stored(zero),
            scale=scale if vector else dtype(scale),
            axis=np.int32(axis),
        )

    assert np.array_equal(_unfolded(run_program, build, wanted), wanted)


@given(seed=seeds, dtype=dtypes, bits=st.sampled_from([1, 2, 4, 6, 8]), odd=st.booleans())
@settings(few, max_examples=8)
def test_lut_to_dense_of_ios16_unpacks_its_indices(
    run_program: Run, seed: int, dtype: Any, bits: int, odd: bool
) -> None:
    from coremltools.optimize._utils import pack_elements_into_bits

    rng = np.random.default_rng(seed)
    shape = (3, 5, 1, 3) if odd else (4, 4, 2, 2)
    places = rng.integers(0, 2**bits, shape).astype(np.uint8)
    lut = rng.normal(size=2**bits).astype(dtype)
    wanted = torch.from_numpy(lut)[torch.from_numpy(places).long()].numpy()

    def build() -> Any:
        return mb.constexpr_lut_to_dense(
            indices=pack_elements_into_bits(places.reshape(-1), bits),
            lut=lut,
            shape=np.array(shape, np.uint32),
        )

    assert np.array_equal(_unfolded(run_program, build, wanted), wanted)


@given(seed=seeds)
@few
def test_constexpr_cast_widens(run_program: Run, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float16)
    wanted = torch.from_numpy(x).float().numpy()
    ours = _unfolded(
        run_program, lambda: mb.constexpr_cast(source_val=x, output_dtype="fp32"), wanted
    )
    assert np.array_equal(ours, wanted)


@given(
    seed=seeds,
    dtype=dtypes,
    stored=st.sampled_from(["int4", "uint4", "int8", "uint8"]),
    blocks=st.sampled_from([(1, 1), (4, 1), (2, 3), (4, 6)]),
    shifted=st.booleans(),
)
@settings(few, max_examples=8)
def test_blockwise_shift_scale_of_ios18(
    run_program: Run, seed: int, dtype: Any, stored: str, blocks: tuple[int, int], shifted: bool
) -> None:
    rng = np.random.default_rng(seed)
    element = types.string_to_builtin(stored)
    low, high = (0, 2 ** int(stored[-1]) - 1)
    if not stored.startswith("u"):
        low, high = low - 2 ** (int(stored[-1]) - 1), high - 2 ** (int(stored[-1]) - 1)
    held = types.nptype_from_builtin(element)
    data = rng.integers(low, high, (4, 6), endpoint=True).astype(held)
    offset = rng.integers(low, high, blocks, endpoint=True).astype(held)
    scale = rng.uniform(0.01, 0.1, blocks).astype(dtype)
    factors, shifts = (
        torch.from_numpy(each.astype(np.float32))
        .repeat_interleave(4 // blocks[0], 0)
        .repeat_interleave(6 // blocks[1], 1)
        for each in (scale, offset)
    )
    whole = torch.from_numpy(data.astype(np.float32))
    wanted = ((whole - shifts if shifted else whole) * factors).numpy().astype(dtype)
    options = {"offset": offset} if shifted else {}

    def build() -> Any:
        return mb.constexpr_blockwise_shift_scale(data=data, scale=scale, **options)

    ours = _unfolded(run_program, build, wanted, target="iOS18")
    assert np.array_equal(ours, wanted)


@given(
    seed=seeds,
    dtype=dtypes,
    bits=st.sampled_from([1, 2, 3, 4, 6, 8]),
    blocks=st.sampled_from([(1, 1), (2, 1), (4, 3)]),
    vector=st.sampled_from([None, (2, 0), (3, 1)]),
)
@settings(few, max_examples=8)
def test_lut_to_dense_of_ios18_has_palettes_by_block_and_of_vectors(
    run_program: Run,
    seed: int,
    dtype: Any,
    bits: int,
    blocks: tuple[int, int],
    vector: tuple[int, int] | None,
) -> None:
    rng = np.random.default_rng(seed)
    held = types.nptype_from_builtin(types.string_to_builtin(f"uint{bits}"))
    places = rng.integers(0, 2**bits, (4, 6)).astype(held)
    length, axis = vector or (1, 0)
    lut = rng.normal(size=(*blocks, 2**bits, length)).astype(dtype)
    wanted = np.zeros([side * (length if at == axis else 1) for at, side in enumerate((4, 6))])
    wanted = wanted.astype(dtype)
    for row in range(4):
        for column in range(6):
            palette = lut[row * blocks[0] // 4, column * blocks[1] // 6]
            entry = palette[int(places[row, column])]
            if axis == 0:
                wanted[row * length : (row + 1) * length, column] = entry
            else:
                wanted[row, column * length : (column + 1) * length] = entry
    options = {} if vector is None else {"vector_axis": np.int32(axis)}

    def build() -> Any:
        return mb.constexpr_lut_to_dense(indices=places, lut=lut, **options)

    ours = _unfolded(run_program, build, wanted, target="iOS18")
    assert np.array_equal(ours, wanted)


@given(
    bits=st.integers(1, 8),
    count=st.integers(0, 40),
    signed=st.booleans(),
    seed=seeds,
)
@settings(few, max_examples=60)
def test_bits_are_unpacked_from_the_lowest_on(
    bits: int, count: int, signed: bool, seed: int
) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(seed).integers(low, low + 2**bits, count)
    total = sum((int(value) % 2**bits) << (place * bits) for place, value in enumerate(values))
    packed = total.to_bytes(-(-count * bits // 8), "little")
    assert unpack_bits(packed, bits, count, signed=signed).tolist() == values.tolist()


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_coremltools_own_compression_is_unfolded(
    save_program: Callable[..., Path], tmp_path: Path, target: str
) -> None:
    import coremltools as ct
    import coremltools.optimize.coreml as cto

    from lama_edge.runtimes.mil_interpreter.model import MilModel

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 16, 3, 3)).astype(np.float16)
    x = rng.normal(size=(1, 16, 6, 6)).astype(np.float16)
    path = save_program(
        lambda x: {"y": mb.conv(x=x, weight=weight, pad_type="valid")}, {"x": x}, target=target
    )
    wanted = MilModel.load(path).run({"x": x})["y"].astype(np.float32)
    model = ct.models.MLModel(str(path), skip_model_load=True)
    for config, least_db in (
        (cto.OpLinearQuantizerConfig(weight_threshold=1), 40),
        (cto.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=1), 25),
        (cto.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=1), 15),
    ):
        compress = (
            cto.linear_quantize_weights
            if isinstance(config, cto.OpLinearQuantizerConfig)
            else cto.palettize_weights
        )
        small = tmp_path / f"{target}-{least_db}.mlpackage"
        compress(model, cto.OptimizationConfig(config)).save(str(small))
        ours = MilModel.load(small).run({"x": x})["y"].astype(np.float32)
        noise = ((ours - wanted) ** 2).mean()
        assert 0 < noise < (wanted**2).mean() / 10 ** (least_db / 10)
