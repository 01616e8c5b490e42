"""Engines built for real by TensorRT for RTX, which needs no GPU, and the networks they are of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from lama_edge.engines import Library, ProfileSizes
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.tensorrt import build
from lama_edge.exporters.formats.tensorrt.build import build_engine, knows_gpu, target_gpus
from lama_edge.exporters.formats.tensorrt.network import (
    NetworkSummary,
    TensorSeen,
    check_network,
    fix_shapes,
    read_network,
)
from lama_edge.exporters.formats.tensorrt.options import BuildOptions
from lama_edge.files import sha256_of
from lama_edge.nvidia import current_gpu
from lama_edge.spec import IoForm, Precision, Size, io_spec

from .conftest import Graph

GPUS = ("8.6", "8.9")
SIZE = Size(72, 104)
FIXED = ProfileSizes(SIZE, SIZE, SIZE)
# What an engine file begins with, in TensorRT's and RTX's alike.
MAGIC = (b"ftrt", b"vtrt")


def _build(
    library: Library,
    graph: Graph,
    folder: Path,
    precision: str,
    *profiles: ProfileSizes,
    options: BuildOptions | None = None,
    gpus: tuple[str, ...] = GPUS,
    progress: Callable[[str, float], None] = lambda phase, done: None,
) -> build.EngineBuild:
    return build_engine(
        library,
        graph.path,
        folder / "a.engine",
        io=graph.io,
        precision=precision,
        profiles=profiles,
        gpus=gpus,
        options=options or BuildOptions(),
        progress=progress,
    )


def _summary(
    library: Library, graph: Graph, precision: str, *profiles: ProfileSizes
) -> NetworkSummary:
    network = read_network(library, graph.path)
    fix_shapes(network, graph.io, profiles)
    return check_network(network, graph.io, profiles, precision)


@pytest.mark.parametrize("ranged", [False, True], ids=["fixed", "range"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_lama_tiny_becomes_an_engine_for_ampere_and_ada(
    rtx: Library,
    write_graph: Callable[..., Graph],
    profile: ProfileSizes,
    tmp_path: Path,
    precision: Precision,
    ranged: bool,
) -> None:
    graph = write_graph(None, precision, None if ranged else SIZE)
    sizes = profile if ranged else FIXED
    seen: list[float] = []
    record = _build(
        rtx, graph, tmp_path, precision, sizes, progress=lambda phase, done: seen.append(done)
    )
    engine = tmp_path / "a.engine"
    assert engine.read_bytes()[:4] in MAGIC
    assert record.engine_bytes == engine.stat().st_size
    assert record.engine_sha256 == sha256_of(engine)
    assert record.source_sha256 == sha256_of(graph.path)
    assert record.compute_capabilities == GPUS
    assert record.profiles == (sizes,)
    assert record.is_static != ranged
    assert record.tf32 == (precision == "int8")
    assert record.tensorrt_version == rtx.version
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("io", ["float", "uint8"])
@pytest.mark.parametrize("name", ["fourier", "regular", "dilated"])
def test_every_family_and_form_builds_with_fp16_and_a_range(
    rtx: Library,
    write_graph: Callable[..., Graph],
    profile: ProfileSizes,
    tmp_path: Path,
    name: str,
    io: IoForm,
) -> None:
    graph = write_graph(name, "fp16", io=io)
    assert _build(rtx, graph, tmp_path, "fp16", profile).engine_bytes > 0


@pytest.mark.parametrize("name", ["fourier", "regular", "dilated"])
def test_every_family_builds_in_int8(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path, name: str
) -> None:
    graph = write_graph(name, "int8", SIZE, io="uint8")
    assert _build(rtx, graph, tmp_path, "int8", FIXED).engine_bytes > 0


def test_the_same_graph_gives_the_same_engine(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp32", SIZE)
    first, second = (_build(rtx, graph, tmp_path, "fp32", FIXED) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("io", ["float", "uint8"])
def test_a_network_has_the_shapes_of_its_sizes_and_takes_one_picture(
    rtx: Library, write_graph: Callable[..., Graph], profile: ProfileSizes, io: IoForm
) -> None:
    def seen(*profiles: ProfileSizes) -> dict[str, TensorSeen]:
        summary = _summary(rtx, write_graph("fourier", "fp32", io=io), "fp32", *profiles)
        return {one.name: one for one in (*summary.inputs, *summary.outputs)}

    kind = "FLOAT" if io == "float" else "UINT8"
    contract = io_spec(io)
    for spec in (contract.image, contract.mask, contract.output):
        static = TensorSeen(spec.name, kind, spec.shape(SIZE.height, SIZE.width))
        free = TensorSeen(spec.name, kind, spec.shape(-1, -1))
        assert seen(FIXED)[spec.name] == static
        assert seen(profile)[spec.name] == free
        assert seen(FIXED, profile)[spec.name] == free


def test_a_network_computes_in_the_precision_of_its_manifest(
    rtx: Library, write_graph: Callable[..., Graph]
) -> None:
    fp32 = _summary(rtx, write_graph("fourier", "fp32", SIZE), "fp32", FIXED)
    fp16 = _summary(rtx, write_graph("fourier", "fp16", SIZE), "fp16", FIXED)
    int8 = _summary(rtx, write_graph("fourier", "int8", SIZE), "int8", FIXED)
    for kind in ("CONVOLUTION", "MATRIX_MULTIPLY"):
        number = fp32.layers[kind, "FLOAT"]
        assert number > 0
        assert fp16.layers[kind, "HALF"] == number
        assert (kind, "FLOAT") not in fp16.layers
    assert int8.layers["QUANTIZE", "INT8"] > 0
    assert fp32.count("QUANTIZE") == fp16.count("QUANTIZE") == 0


@pytest.mark.parametrize(
    ("precision", "claimed"), [("fp32", "fp16"), ("fp16", "fp32"), ("fp32", "int8")]
)
def test_a_manifest_that_claims_another_precision_is_refused(
    rtx: Library, write_graph: Callable[..., Graph], precision: str, claimed: str
) -> None:
    with pytest.raises(ModelError, match=f"which is not {claimed} as the manifest says"):
        _summary(rtx, write_graph("fourier", precision, SIZE), claimed, FIXED)


def test_a_manifest_that_claims_other_inputs_is_refused(
    rtx: Library, write_graph: Callable[..., Graph]
) -> None:
    graph = write_graph("fourier", "fp32", SIZE)
    raw = replace(graph, io=io_spec("float", composite=False))
    with pytest.raises(ModelError, match=r"outputs are inpainted .* says predicted FLOAT"):
        _summary(rtx, raw, "fp32", FIXED)
    other = replace(graph, io=replace(graph.io, image=replace(graph.io.image, name="picture")))
    with pytest.raises(ModelError, match="no input 'picture'"):
        _summary(rtx, other, "fp32", FIXED)
    size = Size(80, 104)
    with pytest.raises(ModelError, match="cannot work out the shapes of the graph: "):
        _summary(rtx, graph, "fp32", ProfileSizes(size, size, size))


def test_several_sizes_are_profiles_of_one_engine(
    rtx: Library, write_graph: Callable[..., Graph], profile: ProfileSizes, tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp16")
    one = _build(rtx, graph, tmp_path, "fp16", profile)
    two = _build(rtx, graph, tmp_path, "fp16", FIXED, profile)
    assert two.profiles == (FIXED, profile)
    assert two.engine_bytes > one.engine_bytes


def test_a_graph_of_any_size_is_built_with_static_shapes_for_one(
    rtx: Library, write_graph: Callable[..., Graph], profile: ProfileSizes, tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp32")
    static = _build(rtx, graph, tmp_path, "fp32", FIXED)
    assert static.is_static
    assert static.engine_bytes < _build(rtx, graph, tmp_path, "fp32", profile).engine_bytes


def test_without_gpus_rtx_chooses_and_the_record_says_so(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("regular", "fp32", SIZE)
    assert target_gpus(rtx, BuildOptions()) == ()
    assert _build(rtx, graph, tmp_path, "fp32", FIXED, gpus=()).compute_capabilities == ()


def test_tf32_is_off_unless_asked_for(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("regular", "fp32", SIZE)
    plain = _build(rtx, graph, tmp_path, "fp32", FIXED)
    allowed = _build(rtx, graph, tmp_path, "fp32", FIXED, options=BuildOptions(tf32=True))
    assert (plain.tf32, allowed.tf32) == (False, True)
    # The flag stands in the engine, whose kernels are chosen where it runs.
    assert plain.engine_sha256 != allowed.engine_sha256


def test_dft_nodes_are_refused_by_name(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp32", SIZE, dft="op")
    with pytest.raises(
        ModelError,
        match=r"refuses 16 nodes of the model: block00.conv1.spectral.rows \(DFT\), .* and 13 "
        r"more: this version has no operator DFT; see all of them with: lama-edge support",
    ):
        _build(rtx, graph, tmp_path, "fp32", FIXED)
    assert not (tmp_path / "a.engine").exists()


def test_what_the_builder_refuses_is_told_in_its_words(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp32", SIZE)
    with pytest.raises(ModelError, match=r"could not build the engine: Myelin .* FP32 GEMM"):
        _build(rtx, graph, tmp_path, "fp32", FIXED, gpus=("7.5",))


def test_a_file_that_is_no_onnx_is_refused(rtx: Library, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    for content, problem in ((b"no graph at all", "cannot read"), (b"", "finds no graph in")):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=problem):
            read_network(rtx, path)


def test_a_library_that_is_too_old_is_refused_by_version(rtx: Library, tmp_path: Path) -> None:
    old = Library("tensorrt", rtx.module, "8.6.2")
    with pytest.raises(MissingBackendError, match=r"TensorRT 8.6.2 is too old: .* 10.1 or later"):
        read_network(old, tmp_path / "a.onnx")


def test_an_interruption_stops_the_build(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    def interrupt(phase: str, done: float) -> None:
        if done > 0:
            raise KeyboardInterrupt

    graph = write_graph("fourier", "fp32", SIZE)
    with pytest.raises(KeyboardInterrupt):
        _build(rtx, graph, tmp_path, "fp32", FIXED, progress=interrupt)
    assert not (tmp_path / "a.engine").exists()


def test_gpus_that_a_library_does_not_know_are_refused_with_those_it_does(rtx: Library) -> None:
    assert knows_gpu(rtx, "8.6")
    for unknown in ("8.7", "9.0", "CURRENT", ""):
        assert not knows_gpu(rtx, unknown)
        with pytest.raises(UsageError, match=r"it knows 7.5, 8.0, 8.6, .* and current"):
            target_gpus(rtx, BuildOptions(compute_capabilities=(unknown,)))


@pytest.mark.skipif(current_gpu() is not None, reason="there is a GPU here")
def test_without_a_gpu_the_current_one_cannot_be_built_for(rtx: Library) -> None:
    with pytest.raises(MissingBackendError, match=r"there is none.*without compute_capability"):
        target_gpus(rtx, BuildOptions(compute_capabilities=("current",)))
    tensorrt = Library("tensorrt", rtx.module, "10.3.0")
    with pytest.raises(MissingBackendError, match=r"TensorRT 10.3.0 .*flavor='rtx'$"):
        target_gpus(tensorrt, BuildOptions())


@pytest.mark.skipif(current_gpu() is not None, reason="there is a GPU here")
def test_a_missing_driver_that_the_builder_meets_is_no_fault_of_the_model(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("regular", "fp32", SIZE)
    with pytest.raises(MissingBackendError, match="there is no NVIDIA driver here"):
        # A GPU that the library has no name for is built for as the one in the machine.
        _build(rtx, graph, tmp_path, "fp32", FIXED, gpus=("8.7",))


def test_int8_graphs_hold_integers_where_tensorrt_takes_them_alone(
    write_graph: Callable[..., Graph],
) -> None:
    graph = onnx.load(write_graph(None, "int8", SIZE).path).graph
    readers = {name: node.op_type for node in graph.node for name in node.input}
    integers = [
        tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8
    ]
    assert integers
    assert {readers[name] for name in integers} <= {"QuantizeLinear", "DequantizeLinear"}
    types = {tensor.data_type for tensor in graph.initializer}
    assert onnx.TensorProto.INT32 not in types
    assert onnx.TensorProto.UINT8 not in types
