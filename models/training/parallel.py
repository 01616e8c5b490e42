"""Data-parallel training: several processes on one machine that average their gradients.

On a CPU with few cores two processes of one thread each train faster than one with two threads,
because much of a small network's step does not thread.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import LamaEdgeError, needs_extra, one_line

with needs_extra("train"):
    import torch
    import torch.distributed
    from torch import Tensor
    from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, spawn

_FAILED = 2


class TrainingError(LamaEdgeError):
    """A training that cannot go on: a process failed, or a loss is no number any more."""


@dataclass(frozen=True)
class Group:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: this process's number, from 0; the first one reports and writes.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that reports and writes."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type by their means over the processes, in one exchange."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        offset = 0
        for tensor in tensors:
            tensor.copy_(flat[offset : offset + tensor.numel()].view(tensor.shape))
            offset += tensor.numel()

    def mean(self, value: float) -> float:
        """Return a number's mean over the processes."""
        tensor = torch.tensor([value], dtype=torch.float64)
        self.average([tensor])
        return float(tensor)


ALONE = Group()


def run_group(work: Callable[[Group], None], processes: int) -> None:
    """Run `work` in each of several processes that can exchange tensors; with 1, in this one.

    They meet in a temporary file and talk over the loopback interface alone.

    Args:
        work: a picklable function.
        processes: how many.

    Raises:
        TrainingError: when a process fails; the others are ended first.
    """
    if processes == 1:
        work(ALONE)
        return
    with tempfile.TemporaryDirectory() as folder:
        context = spawn(  # type: ignore[no-untyped-call]
            _member, (processes, Path(folder), work), nprocs=processes, join=False
        )
        try:
            _wait(context, Path(folder))
        finally:
            for process in context.processes:
                process.kill()
                process.join()


def _wait(context: ProcessContext, folder: Path) -> None:
    try:
        while not context.join():
            pass
    except ProcessExitedException as error:
        notes = sorted(folder.glob("failed-*"), key=lambda note: note.stat().st_mtime_ns)
        message = notes[0].read_text(encoding="utf-8") if notes else one_line(error)
        raise TrainingError(f"the training stopped: {message}") from error


def _member(rank: int, size: int, folder: Path, work: Callable[[Group], None]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    try:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=size
        )
        work(Group(rank, size))
    except LamaEdgeError as error:
        _leave(folder, rank, str(error))
    except Exception as error:
        traceback.print_exc()
        _leave(folder, rank, f"process {rank}: {type(error).__name__}: {one_line(error)}")


def _end_with_parent() -> None:
    """A parent that is killed cannot end its children, and they would train on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(_FAILED)


def _leave(folder: Path, rank: int, message: str) -> None:
    """Leave a note for the parent; a process that merely lost its peer writes a later one."""
    (folder / f"failed-{rank}").write_text(message, encoding="utf-8")
    sys.exit(_FAILED)
