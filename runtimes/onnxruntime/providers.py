"""ONNX Runtime's execution providers: their short names, and the settings that LaMa wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lama_edge.errors import ModelError, UsageError, parameter
from lama_edge.files import sha256_of
from lama_edge.manifest import Manifest
from lama_edge.models.zoo import cache_folder
from lama_edge.runtimes.onnxruntime.library import ort
from lama_edge.runtimes.onnxruntime.parts import read_manifest_of
from lama_edge.runtimes.onnxruntime.record import PROVIDERS

# A provider's name as ONNX Runtime has it, and its options.
Provider = tuple[str, dict[str, str]]
# Who takes over what the first one does not take, besides the CPU.
_BEHIND = {"tensorrt": ("cuda",)}
_WITH_OPTIONS = ("cuda", "tensorrt", "openvino")
# https://github.com/microsoft/onnxruntime/pull/19426
_FIRST_WITH_TF32_OPTION = (1, 18)


def available_providers() -> list[str]:
    """Return the short names of the providers in this build of ONNX Runtime."""
    there = set(ort.get_available_providers())
    return [short for short, name in PROVIDERS.items() if name in there]


def providers_for(provider: str, model: Path | None = None) -> list[Provider]:
    """Return a provider and those behind it, with their options, the preferred one first.

    Args:
        provider: a short name.
        model: the ``.onnx`` file, where the session is opened from one; it has to carry a
            manifest. None is for sessions from bytes: nothing is kept of those.

    Raises:
        ModelError: when the file cannot be read, or its manifest cannot, or the provider would
            compute it wrong.
    """
    manifest = None if model is None or provider not in _WITH_OPTIONS else read_manifest_of(model)
    fixed_size = manifest is not None and manifest.size.fixed is not None
    options: dict[str, Callable[[], dict[str, str]]] = {
        "cuda": lambda: cuda_options(fixed_size=fixed_size),
        "tensorrt": lambda: tensorrt_options(model, manifest),
        "openvino": lambda: openvino_options(manifest),
    }
    names = dict.fromkeys([provider, *_BEHIND.get(provider, ()), "cpu"])
    return [(PROVIDERS[name], options.get(name, dict)()) for name in names]


def cuda_options(*, fixed_size: bool) -> dict[str, str]:
    """Return the CUDA provider's options.

    TF32 is off: ONNX Runtime allows it unless told otherwise, and its 10 bits of mantissa are not
    what fp32 promises. The convolutions' algorithms are tried out where the size stays the same;
    else each new size of picture would wait for trials of its own.
    See https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html.

    Args:
        fixed_size: whether all pictures have the same size.
    """
    options = {"cudnn_conv_algo_search": "EXHAUSTIVE" if fixed_size else "HEURISTIC"}
    version = tuple(int(part) for part in ort.__version__.split(".")[:2])
    if version >= _FIRST_WITH_TF32_OPTION:
        options["use_tf32"] = "0"
    return options


def tensorrt_options(model: Path | None, manifest: Manifest | None) -> dict[str, str]:
    """Return the TensorRT provider's options.

    The builder's own fp16 and int8 stay off, whatever the environment says: then TensorRT takes
    every type from the graph (onnxruntime#18707), and an fp16 or int8 graph of ours says which
    layers must stay wider. TF32 is left as TensorRT has it, on: the provider has no option for
    it; ``NVIDIA_TF32_OVERRIDE=0`` in the environment turns it off.

    Engines are kept in the cache folder, in a folder of the file's hash: the provider's own key
    knows the names in a graph and no weights, so that two checkpoints of one architecture would
    share an engine. A fixed size is announced, so that the engine is built when the model is
    opened and not in the first run; models of any size get an engine for the sizes that they
    meet, built anew when a size lies outside them.
    See https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html.

    Args:
        model: the ``.onnx`` file; None is a session from bytes, whose engines are not kept.
        manifest: its manifest.
    """
    options = {"trt_fp16_enable": "0", "trt_int8_enable": "0"}
    if model is None or manifest is None:
        return options
    if manifest.size.fixed is not None:
        shapes = ",".join(
            f"{name}:" + "x".join(map(str, shape)) for name, shape in _fixed_shapes(manifest)
        )
        options |= {f"trt_profile_{which}_shapes": shapes for which in ("min", "opt", "max")}
    return options | _cache_options(model)


def openvino_options(manifest: Manifest | None) -> dict[str, str]:
    """Return the OpenVINO provider's options.

    OpenVINO 2026.4 can compute int8 graphs with a free extent wrong, without a word: down to 17
    dB with free sizes, whatever its options say, and to 32 dB with a fixed size and a free batch;
    with every extent fixed it has the 41 to 47 dB of ONNX Runtime's own kernels. So a free batch
    is fixed to one picture. (Without its low-precision pass, ``LP_TRANSFORMS_MODE=NO``, it is
    right with a free batch too, and takes 1.6 times as long.)
    See https://onnxruntime.ai/docs/execution-providers/OpenVINO-ExecutionProvider.html.

    Args:
        manifest: the file's; None is a session from bytes.

    Raises:
        ModelError: when it is an int8 file of any size.
    """
    if manifest is None or manifest.precision != "int8":
        return {}
    if manifest.size.fixed is None:
        raise ModelError(
            "OpenVINO computes int8 files of any size wrong: export one "
            f"({parameter('size', 512)}), or use {parameter('provider', 'cpu')}"
        )
    shapes = ",".join(f"{name}{list(shape)}" for name, shape in _fixed_shapes(manifest))
    return {"reshape_input": shapes.replace(" ", "")}


def _fixed_shapes(manifest: Manifest) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of a fixed-size model's inputs, a free batch as one picture."""
    fixed, io = manifest.size.fixed, manifest.io
    assert fixed is not None
    shape = (fixed.height, fixed.width, io.pictures)
    return [(spec.name, spec.shape(*shape)) for spec in (io.image, io.mask)]


def _cache_options(model: Path) -> dict[str, str]:
    try:
        folder = cache_folder() / "onnxruntime-tensorrt"
        engines = folder / sha256_of(model)[:16]
        engines.mkdir(parents=True, exist_ok=True)
    except (OSError, UsageError):
        # No place for a cache is no reason not to run.
        return {}
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }
