"""`lama-edge export coreml`: a checkpoint becomes a package for iPhones, iPads and Macs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lama_edge.cli.rendering import print_export, stages
from lama_edge.export.coreml.options import PACKAGE_PRECISIONS, TARGETS
from lama_edge.spec import COREML_IO_FORMS, parse_size


def add_export_coreml(formats: Any, common: argparse.ArgumentParser) -> None:
    """Add `coreml` to the formats of `lama-edge export`."""
    coreml = formats.add_parser(
        "coreml",
        parents=[common],
        help="a Core ML package for iPhones, iPads and Macs",
        description="Export a checkpoint to a Core ML package, check it op by op against torch, "
        "and write it with its manifest and parity figures. Needs no Mac.",
    )
    coreml.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="folder with config.yaml, .ckpt, .pt or .safetensors file; default: lama-tiny",
    )
    coreml.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.mlpackage")
    coreml.add_argument(
        "--size",
        action="append",
        metavar="SIZE",
        help="512 (the default) or 512x768 (height x width); several make a package with a "
        "function for each (iOS 18); dynamic is any size up to 2048, off the Neural Engine "
        "but at 512",
    )
    coreml.add_argument(
        "--io",
        choices=COREML_IO_FORMS,
        default="float",
        help="form of the inputs and the output: arrays, or pictures that an app passes as they "
        "are",
    )
    coreml.add_argument(
        "--precision",
        choices=PACKAGE_PRECISIONS,
        default="fp16",
        help="number format (default fp16, rescaled so that nothing overflows); w8, pal6 and pal4 "
        "compute in fp16 and store the weights in 8 bits, or as palettes of 64 or 16 values",
    )
    coreml.add_argument(
        "--target",
        choices=TARGETS,
        help="the oldest system that runs it (default iOS16, for several sizes iOS18)",
    )
    coreml.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure the ranges for fp16 on these pictures (default: drawn ones)",
    )
    coreml.add_argument(
        "--no-composite", action="store_true", help="return the raw fill, named `predicted`"
    )
    coreml.add_argument(
        "--no-parity",
        action="store_true",
        help="skip the check against torch; the manifest says it",
    )
    coreml.add_argument(
        "--force",
        action="store_true",
        help="replace OUT.mlpackage when it exists, and keep the package even when it is out of "
        "tolerance; its manifest says so",
    )
    coreml.set_defaults(command=_export_coreml)


def _export_coreml(options: argparse.Namespace) -> None:
    sizes = tuple(parse_size(token) for token in options.size or ["512"])
    with stages() as (progress, expect):
        from lama_edge.pipeline_coreml import COREML_STAGES, CoremlExport, export_coreml

        expect(len(COREML_STAGES) + len(sizes) + (len(sizes) > 1))
        job = CoremlExport(
            checkpoint=options.checkpoint,
            output=options.output,
            sizes=sizes,
            io=options.io,
            composite=not options.no_composite,
            precision=options.precision,
            target=options.target,
            calibrate=options.calibrate,
            overwrite=options.force,
            check_parity=not options.no_parity,
            keep_failed=options.force,
        )
        result = export_coreml(job, progress)
    print_export(result.path, result.size_bytes, result.manifest.to_dict(), as_json=options.json)
