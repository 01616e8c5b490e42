"""A small device for adb: Debian's adbd with Android's shell and tools, in namespaces of its own.

`.ci/adb` unpacks it. Its processes, network, mounts and adb server are its own, so that neither a
phone on this machine nor anybody on its network has to do with it; all of it ends with the block.
Only adb's client runs outside, and reaches that server by a socket in the file system.

What Android says of itself comes from scripts, `getprop`, `dumpsys` and `settings`, that print what
a test wrote: Debian has none of them.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import adb_handshake
import pytest
from places import TOOLS, lying_in

PORT = 5591
SERIAL = f"127.0.0.1:{PORT}"
FOLDER = "data/local/tmp"
_ADBD = "/platform-tools/adbd"
_SECONDS = 60
# The head of a program for 64-bit ARM, and which bits of it count.
_ARM = rb"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_BITS = rb"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_START = """
set -eu
root=$1 folder=$2 size=$3 port=$4
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc none /proc
if [ -e "$root/usr/bin/qemu-aarch64" ]; then
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    printf %s ":arm64:M::$5:$6:$root/usr/bin/qemu-aarch64:F" >/proc/sys/fs/binfmt_misc/register
fi
mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
for name in data system/bin tmp; do mount -t tmpfs none "$root/$name"; done
mount -o "remount,size=$size" "$root/data"
mkdir -p "$root/data/local/tmp"
for name in says packages; do
    mkdir "$root/tmp/$name"
    mount --bind "$folder/$name" "$root/tmp/$name"
done
for tool in $(chroot "$root" /usr/bin/toybox); do
    ln -s /usr/bin/toybox "$root/system/bin/$tool"
done
cp "$folder"/bin/* "$root/system/bin"
[ ! -e /dev/bus/usb ] || mount -t tmpfs none /dev/bus/usb
chroot "$root" /usr/bin/toybox ifconfig lo up
HOME=$folder adb -L "localfilesystem:$folder/adb" nodaemon server >"$folder/server.log" 2>&1 &
touch "$folder/ready"
while :; do
    [ ! -e "$folder/plugged" ] || chroot "$root" /usr/bin/toybox env -i "ADBD_PORT=$port" \
        PATH=/system/bin:/usr/bin HOME=/ PYTHONPYCACHEPREFIX=/tmp/compiled \
        /usr/lib/android-sdk/platform-tools/adbd >>"$folder/adbd.log" 2>&1 || :
    sleep 0.1
done
"""
_SAYS = """#!/bin/sh
cat "/tmp/says/{tool}${{*:+ $*}}" 2>/dev/null || echo
"""


class AdbDevice:
    """A device that runs.

    Attributes:
        environment: the variables by which adb reaches it.
    """

    def __init__(self, root: Path, folder: Path, leader: int) -> None:
        self._root = root
        self._folder = folder
        self._leader = leader
        self.environment = {"ADB_SERVER_SOCKET": f"localfilesystem:{folder}/adb"}

    def says(self, command: str, answer: str) -> None:
        """Let a command, such as ``getprop ro.product.model``, print an answer."""
        (self._folder / "says" / command).write_text(answer + "\n", encoding="utf-8")

    def install(self, wheel: Path) -> None:
        """Let its Python, where it has one, import what is in a wheel."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self._folder / "packages")

    def files(self) -> list[str]:
        """Return what lies in the folder for files that are pushed."""
        return lying_in(Path(f"/proc/{self._leader}/root{self._root}/{FOLDER}"))

    def processes(self) -> list[str]:
        """Return the command lines of all that runs there, but of what makes it a device."""
        return sorted(
            line
            for pid, line in self._all().items()
            if pid != self._leader and not line.endswith((_ADBD, "nodaemon server", "sleep 0.1"))
        )

    def kill(self, part: str, sign: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to each program there whose command line has a part."""
        for pid, line in self._all().items():
            if part in line and pid != self._leader:
                os.kill(pid, sign)

    def unplug(self) -> None:
        """Take it away in the middle of whatever it does."""
        (self._folder / "plugged").unlink()
        self.kill(_ADBD)

    def freeze(self) -> None:
        """Let it say nothing any more, with the connection open."""
        self.kill(_ADBD, signal.SIGSTOP)

    def plug(self) -> None:
        """Bring it back."""
        (self._folder / "plugged").touch()
        self.connect()

    def connect(self) -> None:
        """Let adb's server find it."""
        waits(lambda: "connected to" in self.adb("connect", SERIAL))
        waits(lambda: self.adb("-s", SERIAL, "get-state").strip() == "device")

    @contextmanager
    def beside(self, state: str) -> Iterator[str]:
        """Put a second device into its network, see `adb_handshake`; yields its serial."""
        spaces = ["--preserve-credentials", "--user", "--net", f"--target={self._leader}"]
        program = [sys.executable, Path(adb_handshake.__file__), str(PORT + 2), state]
        serial = f"127.0.0.1:{PORT + 2}"
        with subprocess.Popen(["nsenter", *spaces, *program]) as process:
            try:
                waits(lambda: "Connection refused" not in self.adb("connect", serial))
                yield serial
            finally:
                process.kill()

    def adb(self, *words: str) -> str:
        """Return what adb prints."""
        done = subprocess.run(
            ["adb", *words],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        return done.stdout + done.stderr

    def _all(self) -> dict[int, str]:
        found = {}
        inside = Path(f"/proc/{self._leader}/ns/pid").readlink()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if line and (entry / "ns/pid").readlink() == inside:
                    found[int(entry.name)] = line
            except OSError:
                continue  # it has just ended
        return found


def waits(condition: Callable[[], bool], seconds: float = _SECONDS) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: when it does not in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.1)


@contextmanager
def adb_device(arch: str = "x86_64", size: str = "400m") -> Iterator[AdbDevice]:
    """Start a device; skips the test where it cannot be had.

    Args:
        arch: x86_64, or aarch64 under an emulator: for function, never for time.
        size: of the file system that files are pushed to.
    """
    root = Path(os.environ.get("LAMA_EDGE_ADB_ROOT") or TOOLS / "adb") / arch
    if shutil.which("adb") is None:
        pytest.skip("no adb: apt-get install adb")
    if not root.is_dir():
        pytest.skip(f"no adbd: .ci/adb {arch} unpacks it")
    # Sockets' paths are short, pytest's folders are not.
    with tempfile.TemporaryDirectory(prefix="lama-edge-adb-") as name:
        folder = Path(name)
        for part in ("bin", "packages", "says"):
            (folder / part).mkdir()
        (folder / "plugged").touch()
        for tool in ("getprop", "dumpsys", "settings"):
            (folder / "bin" / tool).write_text(_SAYS.format(tool=tool), encoding="utf-8")
            (folder / "bin" / tool).chmod(0o755)
        spaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork"]
        words = [root.resolve(), folder, size, str(PORT), _ARM, _BITS]
        with (
            (folder / "start.log").open("wb") as log,
            subprocess.Popen(
                ["unshare", *spaces, "--kill-child", "sh", "-c", _START, "start", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_confine,
            ) as process,
        ):
            try:
                waits(lambda: (folder / "ready").exists() or process.poll() is not None)
                if process.poll() is not None:
                    pytest.skip(f"no namespaces for a device: {(folder / 'start.log').read_text()}")
                children = f"/proc/{process.pid}/task/{process.pid}/children"
                leader = int(Path(children).read_text().split()[0])
                device = AdbDevice(root.resolve(), folder, leader)
                # A client that finds no server starts one of its own, out here.
                waits(lambda: _listens(folder / "adb"))
                device.connect()
                yield device
            finally:
                process.kill()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _confine() -> None:
    """End with this process, and refuse sockets that no namespace holds.

    adbd listens on one of those (vsock), to the host of a virtual machine.
    """
    family, forbidden = 40, 97  # AF_VSOCK, EAFNOSUPPORT
    arch, call = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}[platform.machine()]
    load, equal, give = 0x20, 0x15, 0x06
    program = [
        (load, 0, 0, 4),
        (equal, 0, 5, arch),
        (load, 0, 0, 0),
        (equal, 0, 3, call),
        (load, 0, 0, 16),
        (equal, 0, 1, family),
        (give, 0, 0, 0x00050000 | forbidden),
        (give, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    # struct sock_fprog: the number of steps, and where they are.
    filter_ = struct.pack("HP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP with a filter
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(filter_), 0, 0):
        sys.exit("no filter of system calls")
