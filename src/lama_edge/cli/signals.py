"""What asks a command to end: it tidies up first, as it does for Ctrl-C."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What the main thread needs to look at a signal when nothing keeps it from that.
_PROMPT_S = 0.2


@contextmanager
def in_order(stopped: list[int]) -> Iterator[None]:
    """Let what asks the command to end do what Ctrl-C does; `stopped` is told by what signal."""
    asked = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored, as under nohup, stays so. A program's main thread alone may set them.
    here = threading.current_thread() is threading.main_thread()
    before = {one: signal.getsignal(one) for one in asked if here}
    before = {one: now for one, now in before.items() if now not in (signal.SIG_IGN, None)}

    def stop(number: int, frame: FrameType | None) -> None:
        # A terminal and its shell tell both; the second one would end the tidying up.
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        stopped.append(number)
        raise KeyboardInterrupt

    for one in before:
        signal.signal(one, stop)
    try:
        with _heard(tuple(before), stopped):
            yield
    finally:
        for one, now in before.items():
            signal.signal(one, now)


@contextmanager
def _heard(asked: tuple[int, ...], stopped: list[int]) -> Iterator[None]:
    """See to it that a signal is noticed while the main thread waits for something.

    One that comes just before a wait begins, or to another thread, does not end the wait, and
    Python calls its handler only afterwards. So it is told again until the handler was called.
    """
    if not asked or not hasattr(signal, "pthread_kill"):
        yield
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)

    def listen() -> None:
        while told := ear.recv(1):
            if told[0] in asked:
                time.sleep(_PROMPT_S)
                if not stopped:
                    signal.pthread_kill(threading.main_thread().ident or 0, told[0])

    before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=listen, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        mouth.close()
