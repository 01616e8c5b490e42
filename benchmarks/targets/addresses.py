"""What each kind of address is: a place, and the program that is started there."""

from __future__ import annotations

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.device import DeviceTarget
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.benchmarks.targets.programs.worker import WorkerProgram
from lama_edge.errors import UsageError
from lama_edge.runtimes.registry import load

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
        raise UsageError(f"--target {address!r}: {LocalPlace.name!r} takes nothing after its name")
    if options.remote_python is not None or options.make_venv or options.remote_folder is not None:
        raise UsageError(
            "--remote-python, --make-venv and --remote-folder go with a --target elsewhere, not "
            f"with {address!r}"
        )
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

    place = AdbPlace(serial_of(address), options.remote_folder)
    return DeviceTarget(place, program_elsewhere(options))


def program_elsewhere(options: TargetOptions) -> Program:
    """Return the program that the user's options ask for on another machine.

    Raises:
        UsageError: when they contradict each other.
        MissingBackendError: when the worker is not there.
    """
    if options.worker is not None:
        if options.remote_python is not None or options.make_venv:
            raise UsageError("--worker goes without --remote-python and --make-venv")
        return WorkerProgram(options.worker)
    python = options.remote_python or "python3"
    if options.make_venv:
        program: Program = load(_VENV)(python)
        return program
    return PythonProgram(python)
