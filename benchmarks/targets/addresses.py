"""What each kind of address is: a place, and the program that is started there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.device import DeviceTarget
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.benchmarks.targets.programs.worker import WorkerProgram
from lama_edge.errors import UsageError, parameter
from lama_edge.runtimes.registry import load

if TYPE_CHECKING:
    from lama_edge.benchmarks.targets.browser.target import BrowserTarget

_VENV = "lama_edge.benchmarks.targets.programs.venv:VenvProgram"


def local_target(address: str, options: TargetOptions) -> DeviceTarget:
    """Return this machine as a target.

    Args:
        address: ``local``, which has no parts.
        options: a worker, or nothing.

    Raises:
        UsageError: when the address goes on, or another option is given.
    """
    from lama_edge.benchmarks.targets.places.local import LocalPlace

    if address != LocalPlace.name:
        raise UsageError(
            f"{parameter('target', address)}: {LocalPlace.name!r} takes nothing after its name"
        )
    if options.elsewhere:
        raise UsageError(
            f"{_of_elsewhere()} go with a {parameter('target')} elsewhere, not with {address!r}"
        )
    _refuse_page(address, options)
    program = PythonProgram() if options.worker is None else WorkerProgram(options.worker)
    return DeviceTarget(LocalPlace(), program)


def ssh_target(address: str, options: TargetOptions) -> DeviceTarget:
    """Return a machine that is reached over SSH.

    Args:
        address: ``ssh://[user@]host[:port]``.
        options: all of them.

    Raises:
        UsageError: when the address is none, or the options contradict each other.
        MissingBackendError: when the package that speaks SSH, or the worker, is not there.
    """
    from lama_edge.benchmarks.targets.places.ssh import SshAddress, SshPlace

    _refuse_page(address, options)
    place = SshPlace(SshAddress.of(address), options.remote_folder)
    return DeviceTarget(place, program_elsewhere(options))


def adb_target(address: str, options: TargetOptions) -> DeviceTarget:
    """Return a device that adb reaches as a target.

    Args:
        address: ``adb://SERIAL``, or ``adb://`` for the only one.
        options: any of them; without a worker it is Python that runs the models there.

    Raises:
        UsageError: when the address is none, or options contradict each other.
        MissingBackendError: when the worker is not there.
    """
    from lama_edge.benchmarks.targets.places.adb import AdbPlace, serial_of

    _refuse_page(address, options)
    place = AdbPlace(serial_of(address), options.remote_folder)
    return DeviceTarget(place, program_elsewhere(options))


def browser_target(address: str, options: TargetOptions) -> BrowserTarget:
    """Return a page, in a browser on this machine or any other, as a target.

    Args:
        address: ``browser``, which has no parts: whoever opens the page is the target.
        options: what is said of a page.

    Raises:
        UsageError: when the address goes on, another option is given, or the folder of ONNX
            Runtime Web is none.
        MissingBackendError: when the compiled page, ONNX Runtime Web or a package is not there.
    """
    from lama_edge.benchmarks.targets.browser.target import BrowserTarget

    if address != BrowserTarget.name:
        raise UsageError(
            f"{parameter('target', address)}: {BrowserTarget.name!r} takes nothing after its name; "
            f"{parameter('port')} and {parameter('lan')} say where the page is served"
        )
    if options.elsewhere or options.worker is not None:
        raise UsageError(
            f"{parameter('worker')}, {_of_elsewhere()} do not go with "
            f"{parameter('target', address)}: the page brings what runs the models"
        )
    return BrowserTarget(options)


def _of_elsewhere() -> str:
    named = [parameter(name) for name in ("remote_python", "make_venv", "remote_folder")]
    return f"{named[0]}, {named[1]} and {named[2]}"


def _refuse_page(address: str, options: TargetOptions) -> None:
    if options.page:
        raise UsageError(
            f"{parameter('lan')}, {parameter('ort_web')} and {parameter('port')} go with "
            f"{parameter('target', 'browser')}, not with {address!r}"
        )


def program_elsewhere(options: TargetOptions) -> Program:
    """Return the program that the user's options ask for on another machine.

    Raises:
        UsageError: when they contradict each other.
        MissingBackendError: when the worker is not there.
    """
    if options.worker is not None:
        if options.remote_python is not None or options.make_venv:
            raise UsageError(
                f"{parameter('worker')} goes without {parameter('remote_python')} and "
                f"{parameter('make_venv')}"
            )
        return WorkerProgram(options.worker)
    python = options.remote_python or "python3"
    if options.make_venv:
        program: Program = load(_VENV)(python, options.formats)
        return program
    return PythonProgram(python)
