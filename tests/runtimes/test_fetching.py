"""Models at URLs are brought here with all that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.errors import ModelError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.fetching import fetched_model
from lama_edge.stores.addresses import open_store


def _names(folder: Path) -> list[str]:
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
def test_a_model_comes_with_what_stands_beside_it(
    bucket: str, tmp_path: Path, model: str, fetched: list[str]
) -> None:
    store = open_store(f"{bucket}/models")
    others = ["model.json", "other.xml", "other.bin"]
    for name in {*fetched, *others, "model.bin", "model.xml"}:
        store.put(name, name.encode())
    path = Path(fetched_model(f"{bucket}/models/{model}", tmp_path))
    assert path == tmp_path / model
    assert _names(tmp_path) == fetched
    for name in fetched:
        assert (tmp_path / name).read_bytes() == name.encode()


def test_an_onnx_file_comes_with_its_weights(
    bucket: str, tmp_path: Path, exported: Callable[..., Path]
) -> None:
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
    store = open_store(bucket)
    for path in made.iterdir():
        store.put(path.name, path.read_bytes())
    store.put("other.data", b"")
    path = fetched_model(f"{bucket}/model.onnx", tmp_path / "here")
    assert _names(tmp_path / "here") == ["model.onnx", "weights.data"]
    with open_runner(path):
        pass


def test_a_part_stays_named_and_what_is_here_is_not_copied(bucket: str, tmp_path: Path) -> None:
    open_store(bucket).put("model.onnx", b"")
    assert fetched_model(f"{bucket}/model.onnx#crop", tmp_path) == f"{tmp_path}/model.onnx#crop"
    assert fetched_model("lama-tiny", tmp_path) == "lama-tiny"
    url = (tmp_path / "model.onnx").as_uri()
    assert fetched_model(f"{url}#crop", tmp_path / "no") == f"{tmp_path}/model.onnx#crop"
    assert not (tmp_path / "no").exists()


def test_a_model_that_is_not_there_is_one_line(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        fetched_model(f"{bucket}/model.onnx", tmp_path)
    assert str(caught.value) == (f"the model '{bucket}/model.onnx' does not exist: check the URL")
