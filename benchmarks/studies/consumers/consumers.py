"""The consumers: what reads exported ONNX files, and the packages that each wants for itself."""

from __future__ import annotations

from dataclasses import dataclass

from lama_edge.benchmarks.studies.consumers.cells import ModelFile
from lama_edge.errors import UsageError

_NUMPY = "numpy==2.3.5"
_FP32_TOLERANCE = 1e-4
# Its convolutions are Winograd's with large tiles: 3.3e-4 at worst in the five nets.
_MNN_TOLERANCE = 1e-3
_OF_HEAVY = ("lama-tiny", "fourier")


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        name: of its folder.
        packages: what pip installs, with versions.
        npm: what npm installs beside that.
    """

    name: str
    packages: tuple[str, ...]
    npm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consumer:
    """One row of the matrix.

    Attributes:
        name: what results call it.
        title: what the page calls it.
        environment: where it runs.
        reader: the module in `readers` that lets it read a file.
        variant: which way, of those that the reader has.
        shows: the packages whose versions the page tells.
        light: whether the tests run it.
        counts: whether it only counts the nodes it would take.
        fp32_tolerance: how far an fp32 file's float output may be from ONNX Runtime's.
        timeout_s: how long one file may take, in seconds.
        heavy: whether it takes so long that only the fixed fp32 files of all nets are read, and
            the others of two.
    """

    name: str
    title: str
    environment: Environment
    reader: str
    variant: str = ""
    shows: tuple[str, ...] = ()
    light: bool = False
    counts: bool = False
    fp32_tolerance: float = _FP32_TOLERANCE
    timeout_s: float = 120
    heavy: bool = False

    def takes(self, file: ModelFile) -> bool:
        """Tell whether a file is one of those that it is measured on."""
        first = file.size == "fixed" and file.precision == "fp32"
        return not self.heavy or first or file.model in _OF_HEAVY


LIGHT = Environment(
    "light",
    ("onnxruntime==1.31.1", "onnx==1.23.2", "onnxsim==0.8.1", "openvino==2026.4.1", _NUMPY),
)
WEB = Environment("onnxruntime-web", (_NUMPY,), ("onnxruntime-web@1.30.0",))
OPENVINO_PROVIDER = Environment(
    "openvino-provider",
    ("onnxruntime-openvino==1.24.1", _NUMPY, "pillow", "platformdirs", "tqdm"),
)
OPENCV_4 = Environment("opencv4", ("opencv-python-headless==4.14.0.94", _NUMPY))
OPENCV_5 = Environment("opencv5", ("opencv-python-headless==5.0.0.93", _NUMPY))
MNN = Environment("mnn", ("MNN==3.6.1", _NUMPY))
# It pins all that it needs itself, TensorFlow included.
ONNX2TF = Environment("onnx2tf", ("onnx2tf==1.29.24",))
# pnnx wants torch, and this one comes without CUDA.
NCNN = Environment("ncnn", ("ncnn==1.0.20261020", "pnnx==20261020", "torch==2.13.0", _NUMPY))

CONSUMERS = (
    Consumer(
        "onnxruntime",
        "ONNX Runtime",
        LIGHT,
        "onnxruntime_modes",
        "plain",
        shows=("onnxruntime",),
        light=True,
    ),
    Consumer(
        "onnxruntime-unoptimised",
        "ONNX Runtime, not optimised",
        LIGHT,
        "onnxruntime_modes",
        "unoptimised",
        shows=("onnxruntime",),
        light=True,
    ),
    Consumer(
        "onnxruntime-saved",
        "ONNX Runtime, saved optimised, opened again",
        LIGHT,
        "onnxruntime_modes",
        "saved",
        shows=("onnxruntime",),
        light=True,
    ),
    Consumer(
        "onnxruntime-ort",
        "ONNX Runtime, as an `.ort` file",
        LIGHT,
        "onnxruntime_modes",
        "ort-format",
        shows=("onnxruntime",),
        light=True,
    ),
    Consumer(
        "onnxruntime-web",
        "ONNX Runtime Web, wasm in Node",
        WEB,
        "onnxruntime_web",
        "",
        shows=("onnxruntime-web",),
        light=True,
    ),
    Consumer(
        "onnxruntime-mobile",
        "ONNX Runtime's mobile usability checker",
        LIGHT,
        "onnxruntime_modes",
        "mobile",
        shows=("onnxruntime",),
        light=True,
        counts=True,
    ),
    Consumer(
        "onnxsim",
        "onnxsim, then ONNX Runtime",
        LIGHT,
        "onnx_tools",
        "onnxsim",
        shows=("onnxsim",),
        light=True,
    ),
    Consumer(
        "onnx-version",
        "ONNX's version converter (21), then ONNX Runtime",
        LIGHT,
        "onnx_tools",
        "version-converter",
        shows=("onnx",),
        light=True,
    ),
    Consumer(
        "onnx-reference",
        "ONNX's reference evaluator",
        LIGHT,
        "onnx_tools",
        "reference-evaluator",
        shows=("onnx",),
        light=True,
        timeout_s=300,
    ),
    Consumer(
        "openvino",
        "OpenVINO, in float32",
        LIGHT,
        "openvino_core",
        "f32",
        shows=("openvino",),
        light=True,
    ),
    Consumer(
        "openvino-plain",
        "OpenVINO, as it comes",
        LIGHT,
        "openvino_core",
        "plain",
        shows=("openvino",),
    ),
    Consumer(
        "openvino-reshaped",
        "OpenVINO, in float32, reshaped first",
        LIGHT,
        "openvino_core",
        "reshaped",
        shows=("openvino",),
    ),
    Consumer(
        "openvino-provider",
        "lama-edge with `--provider openvino`",
        OPENVINO_PROVIDER,
        "openvino_core",
        "provider",
        shows=("onnxruntime-openvino",),
        light=True,
    ),
    Consumer(
        "opencv4",
        "OpenCV 4",
        OPENCV_4,
        "opencv_dnn",
        "",
        shows=("opencv-python-headless",),
        light=True,
    ),
    Consumer(
        "opencv5",
        "OpenCV 5",
        OPENCV_5,
        "opencv_dnn",
        "",
        shows=("opencv-python-headless",),
        light=True,
    ),
    Consumer(
        "mnn",
        "MNN",
        MNN,
        "mnn_converter",
        "",
        shows=("MNN",),
        light=True,
        fp32_tolerance=_MNN_TOLERANCE,
    ),
    Consumer(
        "onnx2tf",
        "onnx2tf, then LiteRT",
        ONNX2TF,
        "onnx2tf_lite",
        "",
        shows=("onnx2tf",),
        timeout_s=600,
        heavy=True,
    ),
    Consumer(
        "ncnn",
        "ncnn, by pnnx",
        NCNN,
        "ncnn_pnnx",
        "",
        shows=("ncnn",),
        timeout_s=300,
        heavy=True,
    ),
)


def chosen(names: tuple[str, ...] | None) -> list[Consumer]:
    """Return the consumers of these names, all for None.

    Raises:
        UsageError: when there is none of a name.
    """
    known = {consumer.name: consumer for consumer in CONSUMERS}
    for name in names or ():
        if name not in known:
            raise UsageError(f"unknown consumer {name!r}; known: {', '.join(known)}")
    return [consumer for name, consumer in known.items() if names is None or name in names]
