"""`lama-edge export`: a checkpoint becomes a file for a runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lama_edge.cli.export_coreml import add_export_coreml
from lama_edge.cli.export_tensorrt import add_export_tensorrt
from lama_edge.cli.rendering import print_export, stages
from lama_edge.errors import UsageError
from lama_edge.spec import CONVOLUTIONS, PRECISIONS, TENSOR_IO_FORMS, Size, parse_size


def add_export(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge export`, with a subcommand a format."""
    export = commands.add_parser("export", help="export a checkpoint for a runtime")
    formats = export.add_subparsers(title="formats", metavar="FORMAT", required=True)
    onnx = formats.add_parser(
        "onnx",
        parents=[common],
        help="an ONNX file for ONNX Runtime and everything that reads ONNX",
        description="Export a checkpoint to ONNX, check it against torch, and write it with its "
        "manifest and parity figures.",
    )
    onnx.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="folder with config.yaml, .ckpt, .pt or .safetensors file; default: lama-tiny",
    )
    onnx.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.onnx")
    onnx.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="512, 512x768 (height x width) or dynamic (the default)",
    )
    onnx.add_argument(
        "--io", choices=TENSOR_IO_FORMS, default="float", help="form of the inputs and the output"
    )
    onnx.add_argument(
        "--dft",
        choices=("auto", "matmul", "op"),
        default="auto",
        help="Fourier transform as matrix products (auto) or as ONNX's DFT operator",
    )
    onnx.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="number format: fp16 rescaled so that nothing overflows, w8 int8 weights, int8 "
        "weights and activations",
    )
    onnx.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure the ranges for fp16 and int8 on these pictures (default: drawn ones)",
    )
    onnx.add_argument(
        "--convolutions",
        choices=CONVOLUTIONS,
        default="auto",
        help="winograd: the 3x3 convolutions of wide fp32 Fourier generators with a quarter of the "
        "products, in loops, for processors; direct: without loops, for GPUs and runtimes other "
        "than ONNX Runtime; auto: winograd where it is faster on a processor (the default)",
    )
    onnx.add_argument("--opset", type=int, default=17, metavar="N", help="ONNX opset (default 17)")
    onnx.add_argument(
        "--no-composite", action="store_true", help="return the raw fill, named `predicted`"
    )
    onnx.add_argument(
        "--no-parity",
        action="store_true",
        help="skip the check against torch; the manifest says it",
    )
    onnx.add_argument(
        "--force",
        action="store_true",
        help="replace OUT.onnx when it exists, and keep the model even when it is out of "
        "tolerance; its manifest says so",
    )
    onnx.set_defaults(command=_export_onnx)
    add_export_coreml(formats, common)
    add_export_tensorrt(formats, common)


def _export_onnx(options: argparse.Namespace) -> None:
    size = _one_size(options.size)
    with stages() as (progress, expect):
        from lama_edge.pipeline import EXPORT_STAGES, OnnxExport, export_onnx

        expect(len(EXPORT_STAGES))
        job = OnnxExport(
            checkpoint=options.checkpoint,
            output=options.output,
            size=size,
            io=options.io,
            composite=not options.no_composite,
            dft="op" if options.dft == "op" else "matmul",
            opset=options.opset,
            overwrite=options.force,
            check_parity=not options.no_parity,
            precision=options.precision,
            calibrate=options.calibrate,
            keep_failed=options.force,
            convolutions=options.convolutions,
        )
        result = export_onnx(job, progress)
    print_export(result.path, result.size_bytes, result.manifest.to_dict(), as_json=options.json)


def _one_size(tokens: list[str] | None) -> Size | None:
    tokens = tokens or ["dynamic"]
    sizes = [parse_size(token) for token in tokens]
    if len(sizes) > 1:
        raise UsageError(
            f"an ONNX file holds one size and {len(sizes)} were given: use --size dynamic, or "
            "export one file a size"
        )
    return sizes[0]
