"""`lama-edge demo`: a page to erase things from photographs with a model, for people to try."""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.cli.rendering import print_json
from lama_edge.errors import ModelError, UsageError
from lama_edge.web.demo import PROVIDERS, Demo, check_folder, serve_demo, write_demo
from lama_edge.web.parts import find_ort_web

if TYPE_CHECKING:
    from lama_edge.web.server import PageServer


def add_demo(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge demo`."""
    demo = commands.add_parser(
        "demo",
        parents=[common],
        help="serve a page to erase things from photographs by hand",
        description="Serve a page that runs the model in the browser: open a photograph, paint "
        "over what shall go, erase it, save the result. Photographs stay in the browser. Ctrl-C "
        "ends it.",
    )
    add = demo.add_argument
    add("model", type=Path, metavar="MODEL.onnx", help="of one size, `--for web`, or any other")
    add(
        "--lan",
        action="store_true",
        help="serve phones and others on the network too, by https with a certificate made for "
        "this run",
    )
    add(
        "--port", type=int, metavar="N", help="where the page is served (default: any that is free)"
    )
    add(
        "--ort-web",
        type=Path,
        metavar="DIR",
        help="onnxruntime-web's dist folder (default: the package lama-edge-ort-web)",
    )
    add(
        "--provider",
        choices=PROVIDERS,
        default="auto",
        help="what runs the model; auto is WebGPU where it is there and right (default: auto)",
    )
    add(
        "--static",
        type=Path,
        metavar="DIR",
        help="write the page with all it needs into this new folder, for any web server, in the "
        "place of serving it",
    )
    add("--overwrite", action="store_true", help="replace what --static wrote before")
    demo.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> None:
    if options.static is not None and (options.lan or options.port is not None):
        raise UsageError("--lan and --port are about serving the page: leave them out of --static")
    if options.overwrite and options.static is None:
        raise UsageError("--overwrite is about a written page: add --static DIR")
    _check_model(options.model)

    demo = Demo(options.model, find_ort_web(options.ort_web), options.provider)
    if options.static is None:
        with serve_demo(demo, lan=options.lan, port=options.port) as server:
            _invite(server, as_json=options.json)
            threading.Event().wait()
        return
    check_folder(options.static, overwrite=options.overwrite)
    size = write_demo(demo, options.static)
    if options.json:
        print_json({"path": str(options.static), "size_bytes": size})
    else:
        print(f"wrote {options.static} ({size / 1e6:.1f} MB): any web server can host it")


def _check_model(path: Path) -> None:
    """Refuse what the page could not open.

    Raises:
        UsageError: when it is no ONNX file.
        ModelError: when it cannot be read, or has no manifest.
    """
    from lama_edge.manifest import METADATA_KEY, Manifest
    from lama_edge.runtimes.onnxruntime.parts import OnnxParts

    export = "lama-edge export onnx CHECKPOINT --for web --size 512 -o MODEL.onnx"
    if path.suffix.lower() != ".onnx" or path.is_dir():
        raise UsageError(f"browsers run ONNX files, and {str(path)!r} is none: {export} makes one")
    with closing(OnnxParts(path)) as file:
        text = file.metadata.get(METADATA_KEY)
        if file.external_files:
            raise ModelError(f"{str(path)!r} has its weights in files beside it: export it again")
    if text is None:
        raise ModelError(f"{str(path)!r} carries no lama-edge manifest: {export} makes such files")
    Manifest.from_json(text)


def _invite(server: PageServer, *, as_json: bool) -> None:
    """Say where the page is; the address is the result, and of use before the command ends."""
    if as_json:
        print_json({"address": server.address, "fingerprint": server.fingerprint})
    else:
        print(server.address)
    sys.stdout.flush()
    if server.fingerprint is None:
        return
    if sys.stderr.isatty():
        from lama_edge.web.qr import qr_text

        print(qr_text(server.address), file=sys.stderr)
    print(
        "lama-edge: the browser warns once, since the certificate is of this run: SHA-256 "
        f"{server.fingerprint}",
        file=sys.stderr,
    )
