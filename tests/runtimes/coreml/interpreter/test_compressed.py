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

from lama_edge.errors import ModelError
from lama_edge.runtimes.coreml.interpreter.blobs import unpack_bits

Array = NDArray[Any]
Run = Callable[..., dict[str, Array]]

few = settings(max_examples=4, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float16])


def _unfolded(run: Run, build: Callable[[], Any], like: Array, **options: Any) -> Array:
    """Return what a constant is unfolded to, by adding it to nothing."""
    nothing = np.zeros_like(like)
    return run(lambda x: {"y": mb.add(x=x, y=build())}, {"x": nothing}, **options)["y"]


@given(seed=seeds, dtype=dtypes, axis=st.sampled_from([0, 1, -1]))
@few
def test_affine_dequantize(run_program: Run, seed: int, dtype: Any, axis: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.integers(-128, 127, (4, 5, 3), np.int8, endpoint=True)
    scale = rng.uniform(0.01, 0.1, data.shape[axis]).astype(dtype)
    shape = [1, 1, 1]
    shape[axis] = -1
    factors = torch.from_numpy(scale.astype(np.float32)).reshape(shape)
    wanted = ((torch.from_numpy(data).float() - 3) * factors).numpy().astype(dtype)

    def build() -> Any:
        return mb.constexpr_affine_dequantize(
            quantized_data=data, zero_point=np.int8(3), scale=scale, axis=np.int32(axis)
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


@given(seed=seeds, dtype=dtypes, bits=st.sampled_from([4, 6, 8]))
@few
def test_lut_to_dense_of_ios18_has_a_palette_for_all(
    run_program: Run, seed: int, dtype: Any, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    held = types.nptype_from_builtin(types.string_to_builtin(f"uint{bits}"))
    places = rng.integers(0, 2**bits, (4, 6))
    lut = rng.normal(size=2**bits).astype(dtype)

    def build() -> Any:
        return mb.constexpr_lut_to_dense(indices=places.astype(held), lut=lut.reshape(1, 1, -1, 1))

    wanted = lut[places]
    assert np.array_equal(_unfolded(run_program, build, wanted, target="iOS18"), wanted)


@pytest.mark.parametrize("shape", [(2, 1, 16, 1), (1, 1, 16, 2)])
def test_palettes_by_block_and_of_vectors_are_refused(
    run_program: Run, shape: tuple[int, ...]
) -> None:
    held = types.nptype_from_builtin(types.uint4)
    places = np.zeros((4, 6), held)
    options = {"vector_axis": np.int32(0)} if shape[-1] > 1 else {}

    def build() -> Any:
        return mb.constexpr_lut_to_dense(indices=places, lut=np.ones(shape, np.float32), **options)

    like = np.zeros((4 * shape[-1], 6), np.float32)
    with pytest.raises(ModelError, match=r"constexpr_lut_to_dense\) (failed|has the input)"):
        _unfolded(run_program, build, like, target="iOS18")


@given(bits=st.integers(1, 8), count=st.integers(0, 40), seed=seeds)
@settings(few, max_examples=60)
def test_bits_are_unpacked_from_the_lowest_on(bits: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2**bits, count)
    total = sum(int(value) << (place * bits) for place, value in enumerate(values))
    packed = np.frombuffer(total.to_bytes(-(-count * bits // 8), "little"), np.uint8)
    assert unpack_bits(packed, bits, count).tolist() == values.tolist()


@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_coremltools_own_compression_is_unfolded(
    save_program: Callable[..., Path], tmp_path: Path, target: str
) -> None:
    import coremltools as ct
    import coremltools.optimize.coreml as cto

    from lama_edge.runtimes.coreml.interpreter.model import MilModel

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(8, 16, 3, 3)).astype(np.float16)
    x = rng.normal(size=(1, 16, 6, 6)).astype(np.float16)
    path = save_program(
        lambda x: {"y": mb.conv(x=x, weight=weight, pad_type="valid")}, {"x": x}, target=target
    )
    wanted = MilModel(path).run({"x": x})["y"].astype(np.float32)
    model = ct.models.MLModel(str(path), skip_model_load=True)
    palettes = (
        (cto.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=1), 25),
        (cto.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=1), 15),
    )
    # For iOS 18 it writes scales by block, which no package of ours has.
    steps = ((cto.OpLinearQuantizerConfig(weight_threshold=1), 40),) if target == "iOS16" else ()
    for config, least_db in steps + palettes:
        compress = cto.palettize_weights if least_db < 40 else cto.linear_quantize_weights
        small = tmp_path / f"{target}-{least_db}.mlpackage"
        compress(model, cto.OptimizationConfig(config)).save(str(small))
        ours = MilModel(small).run({"x": x})["y"].astype(np.float32)
        noise = ((ours - wanted) ** 2).mean()
        assert 0 < noise < (wanted**2).mean() / 10 ** (least_db / 10)
