"""A real Dask cluster on loopback: a scheduler and nodes, each in processes of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 60.0


class Cluster:
    """A scheduler, and nodes that come and go.

    Attributes:
        address: the scheduler's.
        scheduler: its process.
        nodes: each a process group: what looks after a node's workers, and those.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.nodes: list[subprocess.Popen[bytes]] = []
        found = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(found),
        )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError, ValueError):
                self.address: str = json.loads(found.read_text())["address"]
                return
            assert time.monotonic() < end, "the scheduler did not start"
            time.sleep(0.05)

    def add_node(self, workers: int = 1) -> subprocess.Popen[bytes]:
        """Start a node; it takes a second or two to be there."""
        node = self._start(
            "worker", self.address, "--nworkers", str(workers), "--nthreads", "1",
            "--host", "127.0.0.1", "--no-dashboard",
            "--local-directory", str(self._folder / f"node-{len(self.nodes)}"),
        )  # fmt: skip
        self.nodes.append(node)
        return node

    def wait_for(self, workers: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address) as client:
            client.wait_for_workers(workers, timeout=PATIENCE_S)

    @staticmethod
    def kill(node: subprocess.Popen[bytes]) -> None:
        """Kill all of a node at once, as when its machine loses power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def close(self) -> None:
        for process in (*self.nodes, self.scheduler):
            self.kill(process)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextlib.contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """Start a cluster with nodes of one worker; all of it ends with the block."""
    started = Cluster(folder)
    try:
        for _ in range(nodes):
            started.add_node()
        if nodes:
            started.wait_for(nodes)
        yield started
    finally:
        started.close()
