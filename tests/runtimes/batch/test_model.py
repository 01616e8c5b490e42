"""A run's model: the one that is meant, on each machine, fetched once from a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lama_edge.errors import ModelError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.batch.model import local_model
from lama_edge.runtimes.model_files import model_sha256
from lama_edge.stores.addresses import open_store
from lama_edge.stores.base import StoreError
from lama_edge.stores.remote import RemoteStore

URL = "memory://models"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize(
    ("model", "fetched"),
    [
        ("model.xml", ["model.bin", "model.xml"]),
        ("model.engine", ["model.engine", "model.engine.json"]),
        ("model.tflite", ["model.tflite"]),
        ("big.mlpackage", ["big.mlpackage/Data/model.mlmodel", "big.mlpackage/Manifest.json"]),
        ("big-lama/", ["big-lama/config.yaml", "big-lama/models/best.ckpt"]),
    ],
)
def test_a_model_comes_with_what_it_is_made_of(model: str, fetched: list[str]) -> None:
    store = open_store(URL)
    for name in {*fetched, "model.json", "other.xml", "other.bin", "model.bin", "model.xml"}:
        store.put(name, name.encode())
    path = Path(local_model(f"{URL}/{model}"))
    assert path.name == model.rstrip("/")
    assert names(path.parent) == fetched
    for name in fetched:
        assert (path.parent / name).read_bytes() == name.encode()


def test_an_onnx_file_comes_with_its_weights(tmp_path: Path, exported: Callable[..., Path]) -> None:
    onnx = pytest.importorskip("onnx")
    made = tmp_path / "made"
    made.mkdir()
    onnx.save_model(
        onnx.load(exported()),
        made / "model.onnx",
        save_as_external_data=True,
        location="weights.data",
        size_threshold=1024,
    )
    store = open_store(URL)
    for path in made.iterdir():
        store.put(path.name, path.read_bytes())
    fetched = Path(local_model(f"{URL}/model.onnx", model_sha256(made / "model.onnx")))
    assert names(fetched.parent) == ["model.onnx", "weights.data"]
    with open_runner(fetched):
        pass


def test_a_model_is_fetched_again_only_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(URL)
    store.put("model.tflite", b"one")
    first = Path(local_model(f"{URL}/model.tflite#part"))
    assert str(first).endswith("model.tflite#part")
    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "fetched", None)
        assert local_model(f"{URL}/model.tflite#part") == str(first)
    store.put("model.tflite", b"another")
    assert Path(local_model(f"{URL}/model.tflite")).read_bytes() == b"another"


def test_another_model_is_not_taken_for_the_one_that_is_meant(
    exported: Callable[..., Path],
) -> None:
    model = exported()
    assert local_model(str(model), model_sha256(model)) == str(model)
    with pytest.raises(ModelError, match="is another than where the run was started"):
        local_model(str(model), "0" * 64)


def test_a_model_that_is_not_at_its_url_is_told() -> None:
    with pytest.raises(StoreError, match="there is no model at"):
        local_model(f"{URL}/no.onnx")
