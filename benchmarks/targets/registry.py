"""Which targets there are, and how ``--target`` finds one."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.errors import UsageError, parameter, shown

if TYPE_CHECKING:
    from lama_edge.benchmarks.targets.base import Target, TargetOptions

# Scheme -> a function of the whole text after --target and of TargetOptions, as module:name. The
# command line's help is made from this, so what a target needs is imported with its function alone.
TARGETS = {
    "local": "lama_edge.benchmarks.targets.addresses:local_target",
    "ssh": "lama_edge.benchmarks.targets.addresses:ssh_target",
    "adb": "lama_edge.benchmarks.targets.addresses:adb_target",
    "browser": "lama_edge.benchmarks.targets.addresses:browser_target",
}


def open_target(address: str, options: TargetOptions | None = None) -> Target:
    """Return the target of an address such as ``local``, to be used as a context manager.

    Args:
        address: its scheme, and what the scheme wants after it.
        options: what else the user says of it.

    Raises:
        UsageError: when no target goes by that scheme, or it does not take an option or address.
        MissingBackendError: when what it needs is not installed here.
    """
    scheme = address.partition(":")[0]
    if scheme not in TARGETS:
        raise UsageError(f"{parameter('target')} is unknown: {unknown_target(address)}")
    from lama_edge.benchmarks.targets.base import TargetOptions

    module, _, name = TARGETS[scheme].partition(":")
    make = getattr(importlib.import_module(module), name)
    target: Target = make(address, options or TargetOptions())
    return target


def unknown_target(address: str) -> str:
    """Return what is said of an address whose scheme is none; hosts alone are given one."""
    ssh = f"; over SSH it is 'ssh://{address}'" if address and "://" not in address else ""
    return f"{shown(address)}; known: {', '.join(TARGETS)}{ssh}"


@contextmanager
def open_targets(
    address: str, options: TargetOptions | None = None, *, with_python: bool = False
) -> Iterator[list[Target]]:
    """Open a target, or two: Python beside a worker on one machine, or beside a page on this one.

    Args:
        address: see `open_target`.
        options: see `open_target`.
        with_python: whether Python shall run models beside the worker of `options`, or the page.

    Yields:
        The targets, open: that of the worker, or the page, first.

    Raises:
        UsageError: when there is neither to be beside of, or see `open_target`.
        LamaEdgeError: when a target cannot be opened.
    """
    if not with_python:
        with open_target(address, options) as target:
            yield [target]
        return
    if address.partition(":")[0] == "browser":
        with open_target(address, options) as page, open_target("local") as here:
            yield [page, here]
        return
    if options is None or options.worker is None:
        raise UsageError(
            f"{parameter('with_python')} goes with {parameter('worker')} or "
            f"{parameter('target', 'browser')}: it measures in Python beside it"
        )
    from lama_edge.benchmarks.targets.device import DeviceTarget

    alone = replace(options, remote_python=None, make_venv=False)
    pair = open_target(address, alone), open_target(address, replace(options, worker=None))
    worker, python = pair
    if not (isinstance(worker, DeviceTarget) and isinstance(python, DeviceTarget)):
        raise UsageError(
            f"{parameter('with_python')} does not go with {parameter('target', address)}"
        )
    with worker, python.as_guest_of(worker):
        yield list(pair)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add ``--target`` and what else is said of one."""
    add = parser.add_argument
    add(
        "--target",
        default="local",
        metavar="ADDRESS",
        help=f"where the models run: {', '.join(TARGETS)}; such as ssh://pi@board.local or "
        "adb://SERIAL; browser is a page that this command serves (default: local)",
    )
    add(
        "--worker",
        type=Path,
        metavar="PATH",
        help="run ONNX models by this lama-edge-worker, in C++, or the one in this folder, which "
        "is brought to the target; `make worker ARCH=x86_64|aarch64` makes it",
    )
    add(
        "--remote-python",
        metavar="PYTHON",
        help="the target's interpreter that has lama-edge (default: python3)",
    )
    add(
        "--make-venv",
        action="store_true",
        help="make an environment with lama-edge on the target for as long as it is measured",
    )
    add("--remote-folder", metavar="DIR", help="where the target keeps what is brought meanwhile")
    add(
        "--lan",
        action="store_true",
        help="with --target browser: serve the page to the network, over https, for a phone",
    )
    add(
        "--port",
        type=int,
        metavar="N",
        help="with --target browser: where the page is served (default: any that is free)",
    )
    add(
        "--ort-web",
        type=Path,
        metavar="DIR",
        help="with --target browser: the dist folder of onnxruntime-web that the page uses "
        "(default: the package lama-edge-ort-web)",
    )


def target_options(options: argparse.Namespace) -> TargetOptions:
    """Return what `add_target` was given beside the target itself."""
    from lama_edge.benchmarks.targets.base import TargetOptions

    return TargetOptions(
        worker=options.worker,
        remote_python=options.remote_python,
        make_venv=options.make_venv,
        remote_folder=options.remote_folder,
        lan=options.lan,
        ort_web=options.ort_web,
        port=options.port,
    )
