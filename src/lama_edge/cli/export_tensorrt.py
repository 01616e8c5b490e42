"""`lama-edge export tensorrt`: a checkpoint or an ONNX file becomes an engine for NVIDIA GPUs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lama_edge.cli.rendering import print_export, stages
from lama_edge.engines import FLAVOR_CHOICES, FLAVOR_TITLES
from lama_edge.export.tensorrt.options import (
    ENGINE_PRECISIONS,
    BuildOptions,
    parse_profile,
)
from lama_edge.manifest import Manifest
from lama_edge.spec import TENSOR_IO_FORMS


def add_export_tensorrt(formats: Any, common: argparse.ArgumentParser) -> None:
    """Add `tensorrt` to the formats of `lama-edge export`."""
    tensorrt = formats.add_parser(
        "tensorrt",
        parents=[common],
        help="a TensorRT engine for Jetson, RTX and other NVIDIA GPUs",
        description="Export a checkpoint, or an ONNX file that lama-edge exported, to a TensorRT "
        "engine with its manifest beside it. Where no GPU can run the engine, the graph that it "
        "is built from is checked against torch, and the manifest says so.",
    )
    tensorrt.add_argument(
        "source",
        nargs="?",
        metavar="CHECKPOINT | MODEL.onnx",
        help="folder with config.yaml, .ckpt, .pt or .safetensors file, or an exported ONNX file; "
        "default: lama-tiny",
    )
    tensorrt.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.engine")
    tensorrt.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="512 (the default), 512x768 (height x width) or a range MIN:OPT:MAX, such as "
        "256:512:1024; several make an engine with a profile for each",
    )
    tensorrt.add_argument(
        "--precision",
        choices=ENGINE_PRECISIONS,
        help="number format (default fp16, rescaled so that nothing overflows); int8 leaves the "
        "spectra in floats; an ONNX file has its own",
    )
    tensorrt.add_argument(
        "--io", choices=TENSOR_IO_FORMS, help="form of the inputs and the output (default float)"
    )
    tensorrt.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure the ranges for fp16 and int8 on these pictures (default: drawn ones)",
    )
    _add_build_options(tensorrt)
    tensorrt.add_argument(
        "--no-composite", action="store_true", help="return the raw fill, named `predicted`"
    )
    tensorrt.add_argument(
        "--no-parity", action="store_true", help="skip the check; the manifest says it"
    )
    tensorrt.add_argument(
        "--force",
        action="store_true",
        help="replace OUT.engine when it exists, and keep the engine even when it is out of "
        "tolerance; its manifest says so",
    )
    tensorrt.set_defaults(command=_export_tensorrt)


def _add_build_options(tensorrt: argparse.ArgumentParser) -> None:
    build = tensorrt.add_argument_group("builder")
    build.add_argument(
        "--flavor",
        choices=FLAVOR_CHOICES,
        default="auto",
        help="the library: tensorrt, or rtx for TensorRT for RTX, which needs no GPU to build; "
        "auto (the default) is tensorrt where it is installed",
    )
    build.add_argument(
        "--compute-capability",
        action="append",
        metavar="M.N",
        help="with rtx: build for this GPU alone, such as 8.6, or current; may repeat (default: "
        "any from 8.0 up)",
    )
    build.add_argument(
        "--workspace", type=int, metavar="MIB", help="limit of scratch memory on the GPU"
    )
    build.add_argument(
        "--tf32", action="store_true", help="let float32 products be computed with 10 bits"
    )


def _export_tensorrt(options: argparse.Namespace) -> None:
    sizes = tuple(parse_profile(token) for token in options.size or ())
    with stages() as (progress, expect), _build_bar() as build_progress:
        from lama_edge.pipeline_tensorrt import (
            CHECKPOINT_STAGES,
            ONNX_STAGES,
            export_tensorrt,
        )
        from lama_edge.pipeline_tensorrt_sources import TensorrtExport

        job = TensorrtExport(
            source=options.source,
            output=options.output,
            sizes=sizes,
            precision=options.precision,
            io=options.io,
            composite=not options.no_composite,
            calibrate=options.calibrate,
            build=_build_options(options),
            overwrite=options.force,
            check_parity=not options.no_parity,
            keep_failed=options.force,
        )
        expect(len(ONNX_STAGES if job.from_onnx else CHECKPOINT_STAGES))
        result = export_tensorrt(job, progress, build_progress)
    print_export(result.path, result.size_bytes, result.manifest.to_dict(), as_json=options.json)
    if not options.json:
        print(_built_line(result.manifest))


def _build_options(options: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        flavor=options.flavor,
        compute_capabilities=tuple(options.compute_capability or ()),
        workspace_mib=options.workspace,
        tf32=options.tf32,
    )


def _built_line(manifest: Manifest) -> str:
    """Spell where an engine runs and what was judged in one line."""
    build = manifest.engine
    assert build is not None
    gpus = " and ".join(build.compute_capabilities)
    where = f"compute capability {gpus}" if gpus else "any GPU of compute capability 8.0 or more"
    judged = {"engine": "the engine", None: "nothing"}.get(
        build.judged, f"{build.judged}, engine not run"
    )
    return (
        f"built with {FLAVOR_TITLES[build.flavor]} {build.tensorrt_version} for {where}, "
        f"{manifest.precision}, sizes {', '.join(map(str, build.profiles))}; judged: {judged}"
    )


@contextmanager
def _build_bar() -> Iterator[Callable[[str, float], None]]:
    """Show how far the builder is on a terminal; elsewhere stay silent."""
    from tqdm import tqdm

    layout = "{desc:<40.40} {bar:24} {percentage:3.0f} % {elapsed}"
    disable = not sys.stderr.isatty()
    with tqdm(
        total=1.0, position=1, leave=False, disable=disable, bar_format=layout, file=sys.stderr
    ) as bar:

        def progress(phase: str, done: float) -> None:
            bar.set_description_str(phase, refresh=False)
            bar.n = done
            bar.refresh()

        yield progress
