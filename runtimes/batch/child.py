"""A process with one open model, which inpaints pictures that it is told of, one after another.

A picture may kill its process, by a fault in a decoder or for want of memory. So the model runs in
a process of its own beside the engine's: its death is known at once, and whose fault it was.
Pickled objects go each way: a `Setup` first, answered when the model is open, then a `Task` and its
`Row`, and so on; or an error, which is the end. The process ends with the one that started it, and
when it was idle for a while.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from collections.abc import Iterator

from lama_edge.errors import LamaEdgeError
from lama_edge.process import own_output
from lama_edge.runtimes.batch.work import Work
from lama_edge.runtimes.inpainting.memory import trim_heap

# Whoever started it begins another one when there is more to do: on a cluster, a run whose driver
# died leaves no model in memory.
_IDLE_S = 60.0


def _questions() -> Iterator[object]:
    """Give what this process is asked; it ends at once with the one that asks."""
    asked: queue.SimpleQueue[object] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                asked.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - of the process that started this
        except Exception:  # a pipe that ended, in the middle of a question too
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            yield asked.get(timeout=_IDLE_S)
        except queue.Empty:
            return


def _serve() -> None:
    with os.fdopen(own_output(), "wb") as output:

        def answer(told: object) -> None:
            pickle.dump(told, output)
            output.flush()

        questions = _questions()
        try:
            with Work(next(questions)) as work:  # type: ignore[arg-type]
                answer(None)
                for task in questions:
                    row = work.perform(task)  # type: ignore[arg-type]
                    # Else a worker keeps what decoded pictures took, and the gaps between.
                    trim_heap()
                    answer(row)
        except LamaEdgeError as error:
            answer(error)


if __name__ == "__main__":
    _serve()
