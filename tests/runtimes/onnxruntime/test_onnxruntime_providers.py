"""Which options ONNX Runtime's providers get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from lama_edge.errors import ModelError
from lama_edge.runtimes.onnxruntime import runner
from lama_edge.runtimes.onnxruntime.providers import providers_for
from lama_edge.runtimes.onnxruntime.session import open_session
from lama_edge.spec import Size


@pytest.fixture(scope="module")
def models(exported: Callable[..., Path]) -> dict[str, Path]:
    return {
        "fixed": exported("fourier", Size(64, 72)),
        "uint8": exported("fourier", Size(64, 72), io="uint8"),
        "any": exported(),
    }


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cpu_has_no_options_and_no_file_is_read_for_it() -> None:
    assert providers_for("cpu", Path("absent.onnx")) == [("CPUExecutionProvider", {})]


def test_cuda_computes_fp32_as_fp32_and_tries_algorithms_where_sizes_stay(
    models: dict[str, Path],
) -> None:
    for name, search in (("fixed", "EXHAUSTIVE"), ("any", "HEURISTIC")):
        assert providers_for("cuda", models[name]) == [
            ("CUDAExecutionProvider", {"cudnn_conv_algo_search": search, "use_tf32": "0"}),
            ("CPUExecutionProvider", {}),
        ]


def test_versions_that_do_not_know_the_option_are_not_given_it(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "__version__", "1.17.3")
    assert "use_tf32" not in providers_for("cuda", models["fixed"])[0][1]


@pytest.mark.parametrize(
    ("io", "batch", "shapes"),
    [
        ("float", None, "image[1,3,64,72],mask[1,1,64,72]"),
        ("float", "dynamic", "image[1,3,64,72],mask[1,1,64,72]"),
        ("uint8", "dynamic", "image[1,64,72,3],mask[1,64,72,1]"),
        ("float", 2, "image[2,3,64,72],mask[2,1,64,72]"),
    ],
)
def test_openvino_gets_int8_with_every_extent_fixed(
    exported: Callable[..., Path], io: str, batch: str | int | None, shapes: str
) -> None:
    model = exported("fourier", Size(64, 72), io=io, precision="int8", batch=batch)
    assert providers_for("openvino", model)[0][1] == {"reshape_input": shapes}


def test_openvino_is_refused_int8_of_any_size(exported: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match=r"int8 files of any size wrong: export one \(size=512\)"):
        providers_for("openvino", exported("fourier", precision="int8"))


def test_pictures_of_a_batch_that_do_not_come_out_are_missed(
    exported: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_alone(session: Any, names: list[str], feeds: dict[str, Any], **_: Any) -> list[Any]:
        return [feeds["image"][:1]]

    monkeypatch.setattr(runner, "run_session", first_alone)
    model = exported("fourier", Size(64, 72), batch="dynamic")
    image = np.zeros((2, 3, 64, 72), np.float32)
    with (
        runner.OnnxRuntimeRunner(model) as one,
        pytest.raises(ModelError, match="2 pictures went in and 1 came out"),
    ):
        one.run(image, image[:, :1])


def test_openvino_gets_other_precisions_as_they_are(models: dict[str, Path]) -> None:
    for model in models.values():
        assert providers_for("openvino", model)[0][1] == {}


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("fixed", "image:1x3x64x72,mask:1x1x64x72"),
        ("uint8", "image:1x64x72x3,mask:1x64x72x1"),
        ("any", None),
    ],
)
def test_tensorrt_takes_types_from_the_graph_and_sizes_from_the_manifest(
    models: dict[str, Path], name: str, shapes: str | None
) -> None:
    (provider, options), *behind = providers_for("tensorrt", models[name])
    assert provider == "TensorrtExecutionProvider"
    assert [one for one, _ in behind] == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == ("0", "0")
    for which in ("min", "opt", "max"):
        assert options.get(f"trt_profile_{which}_shapes") == shapes


def test_models_of_one_architecture_and_name_do_not_share_engines(
    models: dict[str, Path], cache: Path, tmp_path: Path
) -> None:
    """The provider's own key knows no weights; one bit of them is another folder here."""
    other = tmp_path / models["fixed"].name
    data = bytearray(models["fixed"].read_bytes())
    data[len(data) // 2] ^= 1
    other.write_bytes(data)
    folders = [
        Path(providers_for("tensorrt", model)[0][1]["trt_engine_cache_path"])
        for model in (models["fixed"], other, models["fixed"])
    ]
    assert folders[0] == folders[2] != folders[1]
    assert all(folder.is_dir() and cache in folder.parents for folder in folders)


def test_without_a_place_for_a_cache_engines_are_not_kept(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "file"))
    options = providers_for("tensorrt", models["fixed"])[0][1]
    assert [name for name in options if "cache" in name] == []


def test_sessions_from_bytes_keep_nothing(cache: Path) -> None:
    assert [name for name in providers_for("tensorrt")[0][1] if "cache" in name] == []
    assert not cache.exists()


def test_a_damaged_file_is_told_before_a_provider_is_asked(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"m\.onnx' is damaged"):
        providers_for("cuda", tmp_path / "m.onnx")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_the_real_onnx_runtime_takes_names_with_options(models: dict[str, Path]) -> None:
    session = open_session(
        str(models["fixed"]), provider_names=providers_for("tensorrt", models["fixed"]), threads=1
    )
    assert "CPUExecutionProvider" in session.get_providers()
