"""Which files belong to a model: folders and ONNX's external data are counted and hashed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from lama_edge.errors import ModelError
from lama_edge.files import sha256_of
from lama_edge.runtimes.model_files import located, model_files, model_sha256, model_size_bytes
from lama_edge.spec import Size


@pytest.fixture(scope="module")
def model_path(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(64, 64))


@pytest.fixture
def split_path(model_path: Path, tmp_path: Path) -> Path:
    """The same model with its weights in a file beside it, among files of somebody else's."""
    path = tmp_path / "split.onnx"
    options = {"all_tensors_to_one_file": True, "location": "weights.bin", "size_threshold": 1024}
    onnx.save_model(onnx.load(model_path), path, save_as_external_data=True, **options)
    (tmp_path / "split.onnx.data").write_bytes(b"not part of it")
    return path


def test_a_single_file_is_its_own_size_and_hash(model_path: Path) -> None:
    assert model_files(model_path) == [model_path]
    assert model_size_bytes(model_path) == model_path.stat().st_size
    assert model_sha256(model_path) == sha256_of(model_path)


def test_external_data_belongs_to_the_model(split_path: Path) -> None:
    weights = split_path.with_name("weights.bin")
    assert model_files(split_path) == [split_path, weights]
    assert model_size_bytes(split_path) == split_path.stat().st_size + weights.stat().st_size
    before = model_sha256(split_path)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert model_sha256(split_path) != before


def test_a_folder_is_all_its_files_and_its_hash_goes_by_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "m.package"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "b").write_bytes(b"bb")
    (folder / "a").write_bytes(b"a")
    assert model_size_bytes(folder) == 3
    lines = f"{hashlib.sha256(b'a').hexdigest()}  a\n{hashlib.sha256(b'bb').hexdigest()}  sub/b\n"
    assert model_sha256(folder) == hashlib.sha256(lines.encode()).hexdigest()


def test_damaged_files_have_a_size_and_a_hash_too(split_path: Path, tmp_path: Path) -> None:
    """They become a row with an error, and the row says which file it was."""
    whole, rng = split_path.read_bytes(), random.Random(0)
    broken = tmp_path / "broken.onnx"
    for _ in range(300):
        data = bytearray(whole[: rng.randrange(len(whole))])
        for _ in range(rng.randrange(4) if data else 0):
            data[rng.randrange(len(data))] = rng.randrange(256)
        broken.write_bytes(data)
        assert model_size_bytes(broken) >= len(data)
        assert model_files(broken)[0] == broken


@pytest.mark.parametrize("place", ["../secret", "/etc/hostname", "sub/../../secret"])
def test_external_data_outside_the_model_s_folder_is_not_touched(
    split_path: Path, tmp_path: Path, place: str
) -> None:
    model = onnx.load(split_path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    folder = tmp_path / "inner"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"x" * 1000)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    assert model_files(folder / "m.onnx") == [folder / "m.onnx"]


def test_a_zoo_s_name_is_found_and_a_missing_path_is_refused(tmp_path: Path) -> None:
    assert located("lama-tiny").suffix == ".safetensors"
    assert located(tmp_path) == tmp_path
    with pytest.raises(ModelError, match=r"'.*absent\.onnx' does not exist.*lama-edge models"):
        located(tmp_path / "absent.onnx")
