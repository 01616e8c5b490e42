"""The command line: flags become one frozen dataclass, one call does the work, this renders it.

Results go to stdout, progress and logs to stderr. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lama_edge
from lama_edge.errors import LamaEdgeError, PictureError, UsageError, one_line, printable
from lama_edge.rendering import counter, indented, parity_line, print_json, stages
from lama_edge.spec import IO_FORMS, Size, parse_size

if TYPE_CHECKING:
    from lama_edge.runtimes.inpaint_file import InpaintFile

Command = Callable[[argparse.Namespace], None]
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``lama-edge``; None takes them from the process.

    Returns:
        0 done, 1 parity failed, 2 wrong usage or input, 3 missing backend, 130 interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="lama-edge: %(message)s",
        stream=sys.stderr,
    )
    command: Command = options.command
    try:
        command(options)
        sys.stdout.flush()
    except LamaEdgeError as error:
        if options.debug:
            traceback.print_exc()
        print(f"lama-edge: error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lama-edge: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; keep Python from complaining later.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("--verbose", action="store_true", help="log what is decided and why")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = argparse.ArgumentParser(
        prog="lama-edge",
        description="LaMa image inpainting on edge devices: export, check, run.",
    )
    parser.add_argument("--version", action="version", version=lama_edge.__version__)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_export(commands, common)
    _add_inpaint(commands, common)
    _add_inspect(commands, common)
    _add_models(commands, common)
    return parser


def _add_export(commands: Any, common: argparse.ArgumentParser) -> None:
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
        "--io", choices=IO_FORMS, default="float", help="form of the inputs and the output"
    )
    onnx.add_argument(
        "--dft",
        choices=("auto", "matmul", "op"),
        default="auto",
        help="Fourier transform as matrix products (auto) or as ONNX's DFT operator",
    )
    onnx.add_argument("--precision", choices=("fp32",), default="fp32", help="number format")
    onnx.add_argument("--opset", type=int, default=17, metavar="N", help="ONNX opset (default 17)")
    onnx.add_argument(
        "--no-composite", action="store_true", help="return the raw fill, named `predicted`"
    )
    onnx.add_argument(
        "--no-parity",
        action="store_true",
        help="skip the check against torch; the manifest says it",
    )
    onnx.add_argument("--force", action="store_true", help="replace OUT.onnx when it exists")
    onnx.set_defaults(command=_export_onnx)


def _add_inpaint(commands: Any, common: argparse.ArgumentParser) -> None:
    inpaint = commands.add_parser(
        "inpaint",
        parents=[common],
        help="erase what a mask covers from a picture",
        description="Fill the hole of a picture; every known pixel stays as it is. With folders "
        "in the place of IMAGE, MASK and OUT: every picture that has a mask of its name, or of "
        "LaMa's (x.png, x_mask001.png).",
    )
    inpaint.add_argument("model", metavar="MODEL", help="exported model or checkpoint")
    inpaint.add_argument(
        "image", type=Path, metavar="IMAGE", help="the picture, or a folder of them"
    )
    inpaint.add_argument(
        "mask", type=Path, metavar="MASK", help="a picture of the same size; above 0 is hole"
    )
    inpaint.add_argument("-o", "--output", required=True, type=Path, metavar="OUT.png")
    inpaint.add_argument(
        "--strategy",
        choices=("auto", "full", "crop"),
        default="auto",
        help="run the full picture, or crops around the holes (default: auto)",
    )
    inpaint.add_argument("--provider", default="auto", help="cpu, cuda, … (default: auto)")
    inpaint.set_defaults(command=_inpaint)


def _add_inspect(commands: Any, common: argparse.ArgumentParser) -> None:
    inspect = commands.add_parser(
        "inspect",
        parents=[common],
        help="print what a model or checkpoint is",
        description="Print the manifest of an exported model, or what a checkpoint holds.",
    )
    inspect.add_argument("model", metavar="MODEL | CHECKPOINT")
    inspect.set_defaults(command=_inspect)


def _add_models(commands: Any, common: argparse.ArgumentParser) -> None:
    models = commands.add_parser("models", help="list and fetch published checkpoints")
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", parents=[common], help="the checkpoints that are known")
    listing.set_defaults(command=_models_list)
    fetching = actions.add_parser(
        "fetch", parents=[common], help="download a checkpoint, verified before it can be used"
    )
    fetching.add_argument("name", metavar="NAME")
    fetching.add_argument(
        "--accept-md5",
        action="store_true",
        help="take a checkpoint that was published with an md5 alone",
    )
    fetching.set_defaults(command=_models_fetch)
    locating = actions.add_parser("path", parents=[common], help="where a checkpoint lies")
    locating.add_argument("name", metavar="NAME")
    locating.set_defaults(command=_models_path)


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
        )
        result = export_onnx(job, progress)
    if options.json:
        manifest = result.manifest.to_dict()
        print_json(
            {"path": str(result.path), "size_bytes": result.size_bytes, "manifest": manifest}
        )
        return
    print(f"wrote {result.path} ({result.size_bytes / 1e6:.1f} MB)")
    print(parity_line(result.manifest.to_dict()["parity"]))


def _one_size(tokens: list[str] | None) -> Size | None:
    tokens = tokens or ["dynamic"]
    sizes = [parse_size(token) for token in tokens]
    if len(sizes) > 1:
        raise UsageError(
            f"an ONNX file holds one size and {len(sizes)} were given: use --size dynamic, or "
            "export one file a size"
        )
    return sizes[0]


def _inpaint(options: argparse.Namespace) -> None:
    from lama_edge.runtimes.inpaint_file import InpaintFile, inpaint_file

    job = InpaintFile(
        model=options.model,
        image=options.image,
        mask=options.mask,
        output=options.output,
        strategy=options.strategy,
        provider=options.provider,
    )
    if options.image.is_dir():
        _inpaint_folder(job, as_json=options.json)
        return
    result = inpaint_file(job)
    if options.json:
        print_json(result.to_dict())
        return
    print(
        f"wrote {result.path} ({result.width} x {result.height} pixels, "
        f"{result.hole_share:.1%} inpainted)"
    )


def _inpaint_folder(job: InpaintFile, *, as_json: bool) -> None:
    from lama_edge.runtimes.inpaint_folder import inpaint_folder

    with counter("picture") as progress:
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


def _models_list(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import installed_path, zoo_entries

    entries = zoo_entries()
    if options.json:
        print_json(
            [
                {**entry.to_dict(), "installed": installed_path(entry) is not None}
                for entry in entries
            ]
        )
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = entry.source if installed_path(entry) is None else "here"
        print(f"{entry.name:<{width}}  {state:<15} {entry.licence:<11} {entry.purpose}")


def _models_fetch(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import fetch, zoo_entry

    with counter("B") as progress:
        path = fetch(zoo_entry(options.name), accept_md5=options.accept_md5, progress=progress)
    _print_path(path, as_json=options.json)


def _models_path(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import required_path, zoo_entry

    _print_path(required_path(zoo_entry(options.name)), as_json=options.json)


def _print_path(path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(path)})
    else:
        print(path)


def _inspect(options: argparse.Namespace) -> None:
    from lama_edge.runtimes.base import open_runner

    with open_runner(options.model) as runner:
        description = runner.manifest.to_dict()
    if options.json:
        print_json(description)
        return
    for line in indented(description):
        print(printable(line))


if __name__ == "__main__":
    sys.exit(main())
