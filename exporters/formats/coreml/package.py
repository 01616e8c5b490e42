"""Core ML packages: a deploy graph converted, described and written with its manifest."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lama_edge.errors import LamaEdgeError, ModelError, needs_extra, one_line
from lama_edge.exporters.formats.coreml import operators, shape_operators
from lama_edge.exporters.formats.coreml.description import describe
from lama_edge.exporters.formats.coreml.image_form import to_image_form
from lama_edge.exporters.formats.coreml.options import MAX_DYNAMIC_SIDE
from lama_edge.exporters.formats.coreml.shuffles import to_pixel_shuffle
from lama_edge.exporters.formats.coreml.toolkit import Model_pb2, Program, ct
from lama_edge.exporters.formats.coreml.translation import build_function
from lama_edge.exporters.formats.coreml.weights import passes, weight_store
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.spec import IoSpec, SizePolicy

with needs_extra("export"):
    import onnx_ir as ir

_DEFAULT_DYNAMIC_SIDE = 512

_SPEC_FILE = Path("Data", "com.apple.CoreML", "model.mlmodel")
_CONTENTS_FILE = "Manifest.json"
# Its translations register themselves when they are imported.
_REGISTERED = (operators, shape_operators)


def build_package(
    graph: ir.Model,
    io: IoSpec,
    size: SizePolicy,
    *,
    precision: str = "fp32",
    target: str = "iOS16",
) -> ct.models.MLModel:
    """Convert a deploy graph to an ML program.

    Ops, names and number formats are the graph's own; none of coremltools' optimisations runs
    but the palettes' clustering. Once per process is safest: what coremltools registers while a
    conversion fails stays registered.

    Args:
        graph: of one size or any, built in the form of `graph_form`, in the number format of
            `weights.arithmetic_of`; it is changed on the way.
        io: the package's form, ``float`` or ``image``.
        size: the sizes that it takes.
        precision: how weights are stored.
        target: the oldest system that runs the package.

    Returns:
        The model, without description or manifest: see `write_package`.

    Raises:
        ModelError: when Core ML has no op for something in the graph, or coremltools fails.
    """
    _check_sides(graph, size)
    if io.form == "image":
        to_image_form(graph.graph)
    to_pixel_shuffle(graph.graph)
    sides = _sides(size)
    inputs = [_input_type(io, spec.name, spec.channels, sides) for spec in (io.image, io.mask)]
    shapes = {one.name: [_symbol(extent) for extent in one.shape.shape] for one in inputs}
    with _explained():
        function = build_function(
            graph.graph, shapes, getattr(ct.target, target), weight_store(precision)
        )
        function.output_types = [_output_type(io)]
        program = Program()
        program.add_function("main", function)
        return ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            inputs=inputs,
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=passes(precision),
            skip_model_load=True,
        )


def write_package(
    models: Mapping[str, ct.models.MLModel], manifests: Mapping[str, Manifest], path: Path
) -> None:
    """Write a package with its description and manifest; several models share their weights.

    Args:
        models: from `build_package`, by the function's name, the default first; several are for
            `MULTIFUNCTION_TARGET`.
        manifests: one for each function.
        path: where the package shall stand, ending in ``.mlpackage``; what is there is replaced.

    Raises:
        ModelError: when coremltools cannot merge them.
    """
    if len(models) == 1:
        (model,) = models.values()
        model.save(str(path))
    else:
        _merge(models, path)
    write_manifest(manifests, path)


def _merge(models: Mapping[str, ct.models.MLModel], path: Path) -> None:
    with TemporaryDirectory(prefix="lama-edge-") as folder, _explained():
        descriptor = ct.utils.MultiFunctionDescriptor()
        for name, model in models.items():
            part = str(Path(folder, f"{name}.mlpackage"))
            model.save(part)
            descriptor.add_function(part, src_function_name="main", target_function_name=name)
        descriptor.default_function_name = next(iter(models))
        shutil.rmtree(path, ignore_errors=True)
        ct.utils.save_multifunction(descriptor, str(path))


def write_manifest(manifests: Mapping[str, Manifest], path: Path) -> None:
    """Describe a package and put its manifest into its metadata, in place of what is there.

    The same input gives the same bytes: the date that coremltools notes is left out, and the
    entries of the package's table of contents are named by what they hold.

    Args:
        manifests: one for each function, the default one's first. It stands under
            ``lama_edge``; those of several functions under ``lama_edge.<function>`` too.
        path: the package.
    """
    spec = Model_pb2.Model()
    spec.ParseFromString((path / _SPEC_FILE).read_bytes())
    manifest = next(iter(manifests.values()))
    describe(spec, manifest)
    own = {METADATA_KEY: manifest.to_json()}
    if len(manifests) > 1:
        own |= {f"{METADATA_KEY}.{name}": one.to_json() for name, one in manifests.items()}
    spec.description.metadata.userDefined.clear()
    for key, text in own.items():
        spec.description.metadata.userDefined[key] = text
    spec.mlProgram.attributes.clear()
    # Not in place: coremltools' file is readable by its owner only.
    (path / _SPEC_FILE).unlink()
    (path / _SPEC_FILE).write_bytes(spec.SerializeToString(deterministic=True))
    _name_contents(path / _CONTENTS_FILE)


def _name_contents(path: Path) -> None:
    """Name a package's entries after what they hold; coremltools draws them at random."""
    contents = json.loads(path.read_text(encoding="utf-8"))
    names = {
        old: str(uuid.uuid5(uuid.NAMESPACE_URL, f"lama-edge/{entry['path']}"))
        for old, entry in contents["itemInfoEntries"].items()
    }
    contents["itemInfoEntries"] = {
        names[old]: entry for old, entry in contents["itemInfoEntries"].items()
    }
    contents["rootModelIdentifier"] = names[contents["rootModelIdentifier"]]
    path.write_text(json.dumps(contents, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def _check_sides(graph: ir.Model, size: SizePolicy) -> None:
    """Refuse a graph of one size for a package of any, whose DFT would fit one size only."""
    for value in graph.graph.inputs:
        assert value.shape is not None
        sides = {extent for extent in value.shape if isinstance(extent, int)}
        wanted = set() if size.fixed is None else {size.fixed.height, size.fixed.width}
        if not wanted <= sides or (not wanted and len(sides) > 1):
            raise ModelError(
                f"the graph's {value.name} is {value.shape}, which is not made for "
                f"{size.fixed or 'any size'}"
            )


def _sides(size: SizePolicy) -> Sequence[Any]:
    """Return height and width: numbers, or ranges that image and mask share."""
    if size.fixed is not None:
        return size.fixed.height, size.fixed.width
    default = max(_DEFAULT_DYNAMIC_SIDE, size.min_size)
    return tuple(
        ct.RangeDim(size.min_size, MAX_DYNAMIC_SIDE, default=default, symbol=name)
        for name in ("height", "width")
    )


def _symbol(extent: Any) -> Any:
    return extent.symbol if isinstance(extent, ct.RangeDim) else extent


def _input_type(io: IoSpec, name: str, channels: int, sides: Sequence[Any]) -> Any:
    shape = ct.Shape((1, channels, *sides))
    if io.form == "float":
        return ct.TensorType(name=name, shape=shape, dtype=float)
    layout = ct.colorlayout.RGB if channels == 3 else ct.colorlayout.GRAYSCALE
    return ct.ImageType(name=name, shape=shape, color_layout=layout, channel_first=True)


def _output_type(io: IoSpec) -> Any:
    """Make a fresh one each time: coremltools changes those it is given."""
    if io.form == "float":
        return ct.TensorType(name=io.output.name, dtype=float)
    return ct.ImageType(name=io.output.name, color_layout=ct.colorlayout.RGB)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what coremltools raises into one line."""
    try:
        yield
    except LamaEdgeError:
        raise
    except (ValueError, TypeError, NotImplementedError, RuntimeError, KeyError) as error:
        raise ModelError(f"coremltools could not convert the graph: {one_line(error)}") from error
