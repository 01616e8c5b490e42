"""`lama-edge inpaint`: a picture, or a folder of them, with the hole filled."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.cli.inpainting.many import add_many, is_run, run
from lama_edge.cli.opening import add_function, add_provider, add_threads
from lama_edge.cli.rendering import counter, print_json
from lama_edge.cli.shell.parser import place
from lama_edge.errors import PictureError, one_line
from lama_edge.files import join_part

if TYPE_CHECKING:
    from lama_edge.runtimes.inpainting.files import InpaintFile


def add_inpaint(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge inpaint`."""
    inpaint = commands.add_parser(
        "inpaint",
        parents=[common],
        help="erase what a mask covers from a picture",
        description="Fill the hole of a picture; every known pixel stays as it is. With folders "
        "in the place of IMAGE, MASK and OUT: every picture that has a mask of its name (x.png or "
        "x.jpg.png for x.jpg) or of LaMa's (x_mask001.png; x-mask.png and mask_x.png too). A MASK "
        "that is a file is for all pictures of a folder. Folders and MODEL may be URLs, such as "
        "s3://bucket/photos.",
    )
    inpaint.add_argument(
        "model",
        metavar="MODEL",
        help="exported model or checkpoint; MODEL#PART is one size of several in a package, such "
        "as lama.mlpackage#size_512x768",
    )
    inpaint.add_argument(
        "image", type=place, metavar="IMAGE", help="the picture, or a folder of them"
    )
    inpaint.add_argument(
        "mask", type=place, metavar="MASK", help="a picture of the same size; above 0 is hole"
    )
    inpaint.add_argument(
        "-o", "--output", required=True, type=place, metavar="OUT.png", help="what to write"
    )
    inpaint.add_argument(
        "--strategy",
        choices=("auto", "full", "crop", "resize", "tiles"),
        default="auto",
        help="run the full picture, crops around the holes, the picture shrunk, or the full "
        "picture in tiles that need less memory (default: auto)",
    )
    inpaint.add_argument(
        "--max-side",
        type=int,
        metavar="N",
        help="shrink crops, and the picture for resize, to at most N pixels a side for the model; "
        "a fixed-size model goes by its size (default: 1024)",
    )
    inpaint.add_argument("--tile", type=int, metavar="N", help="side of a tile in pixels")
    _add_mask_options(inpaint)
    _add_file_options(inpaint)
    add_provider(inpaint)
    add_threads(inpaint)
    add_many(inpaint)
    add_function(inpaint)
    inpaint.set_defaults(command=_inpaint)


def _add_mask_options(inpaint: argparse.ArgumentParser) -> None:
    inpaint.add_argument(
        "--mask-channel",
        choices=("auto", "grey", "alpha", "red", "green", "blue"),
        default="auto",
        help="what of MASK is above 0 in the hole (default: auto, grey unless the shape is in "
        "alpha alone)",
    )
    inpaint.add_argument(
        "--grow",
        type=int,
        default=0,
        metavar="N",
        help="grow the hole by N pixels: a mask that hugs its object leaves a ghost of the rim",
    )
    inpaint.add_argument("--invert-mask", action="store_true", help="the hole is where MASK is 0")


def _add_file_options(inpaint: argparse.ArgumentParser) -> None:
    inpaint.add_argument(
        "--strip-metadata",
        action="store_true",
        help="write pixels and ICC profile alone, without camera, date, place and texts",
    )
    inpaint.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="how many pixels a picture may have (default: what Pillow takes for no "
        "decompression bomb, 179 million)",
    )
    inpaint.add_argument(
        "--recursive",
        action="store_true",
        help="pictures of the folders inside IMAGE too, with masks and results in folders of the "
        "same names",
    )
    inpaint.add_argument(
        "--format",
        choices=("png", "jpeg", "webp", "tiff", "bmp"),
        dest="picture_format",
        help="format of a folder's results (default: each picture's own)",
    )


def _inpaint(options: argparse.Namespace) -> None:
    from lama_edge.imaging.masks import MaskRules
    from lama_edge.runtimes.inpainting.files import InpaintFile, inpaint_file

    model = join_part(options.model, options.function)
    how: dict[str, Any] = {
        "strategy": options.strategy,
        "max_side": options.max_side,
        "tile": options.tile,
        "provider": options.provider,
        "threads": options.threads,
        "strip_metadata": options.strip_metadata,
        "max_pixels": options.max_pixels,
        "mask_rules": MaskRules(options.mask_channel, options.grow, options.invert_mask),
        "picture_format": options.picture_format,
        "recursive": options.recursive,
    }
    if is_run(options):
        from lama_edge.runtimes.batch.job import InpaintMany

        many = InpaintMany(
            model=model,
            pictures=options.image,
            masks=options.mask,
            output=options.output,
            workers=options.workers,
            cluster=options.cluster,
            resume=options.resume,
            **how,
        )
        run(many, as_json=options.json)
        return
    image, mask, output = Path(options.image), Path(options.mask), Path(options.output)
    job = InpaintFile(model, image, mask, output, **how)
    if image.is_dir():
        _inpaint_folder(job, as_json=options.json)
        return
    result = inpaint_file(job)
    if options.json:
        print_json(result.to_dict())
        return
    print(
        f"wrote {result.path} ({result.width} x {result.height} pixels, "
        f"{result.hole_share:.1%} inpainted, strategy {result.plan.choice.strategy}: "
        f"{result.plan.choice.reason})"
    )


def _inpaint_folder(job: InpaintFile, *, as_json: bool) -> None:
    from lama_edge.runtimes.inpainting.folders import inpaint_folder

    with counter(" pictures") as progress:
        outcome = inpaint_folder(job, progress)
    total = len(outcome.failed) + len(outcome.written)
    if as_json:
        print_json(outcome.to_dict())
    else:
        for path, message in outcome.failed.items():
            print(f"lama-edge: {path}: {one_line(message)}", file=sys.stderr)
        print(f"wrote {len(outcome.written)} of {total} pictures to {job.output}")
    if outcome.failed:
        raise PictureError(f"{len(outcome.failed)} of {total} pictures could not be inpainted")
