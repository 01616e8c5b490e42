"""Sessions of ONNX Runtime: how they are created and run, for every module that needs one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.inpainting.memory import trim_heap
from lama_edge.runtimes.onnxruntime.int8_sums import EXACT_INT8, sums_saturate
from lama_edge.runtimes.onnxruntime.library import ort
from lama_edge.runtimes.onnxruntime.providers import Provider

_log = logging.getLogger(__name__)
# What goes wrong is raised as well; the log would say it a second time.
_ONLY_FATAL = 4


def open_session(
    model: str | bytes,
    *,
    provider_names: Sequence[str | Provider],
    threads: int | None,
    entries: Sequence[tuple[str, str]] = (),
) -> ort.InferenceSession:
    """Create a session.

    What was tried, with big-lama's shape (204 MB of weights) at 512 x 512 and 2 threads; MiB:

    ================================  ======  ==========  ===========  =========  =======
    session                           opened  after that  run, at its  after the  second
                                      in s                peak         run        run, s
    ================================  ======  ==========  ===========  =========  =======
    ONNX Runtime's defaults           0.61    493         1102         1102       2.11
    no memory pattern                 0.64    484         865          865        2.11
    no arena                          0.64    489         875          519        2.29
    heap trimmed                      0.64    258         880          880        2.21
    heap trimmed, no pattern, arena   0.62    258         652          308        2.25
    shrunk after each run
    … and prepacking off              0.70    257         699          355        2.35
    … and optimised before, weights   0.10    67          649          305        2.33
    in a file of their own (mapped)
    ================================  ======  ==========  ===========  =========  =======

    So the pattern is off (a second block as large as all activations, for no time) and the heap
    is trimmed (the weights as they were before they were laid out for the processor). The arena
    is shrunk where `run_session` is told to. From bytes instead of a path it takes 200 MiB more.
    Mapped weights save half a second and nothing that a run does not touch again; they want a
    second file that fits one kind of processor only, so models stay one file.

    Args:
        model: the file's path, or the file itself.
        provider_names: ONNX Runtime's own names of execution providers, the preferred one first,
            or what `providers_for` gives: names with options.
        threads: threads that work on one operation; None is one for each physical core.
        entries: further settings of the session, by ONNX Runtime's names.

    Raises:
        Exception: whatever ONNX Runtime raises; its exceptions share no base class.
    """
    exact = [EXACT_INT8] if sums_saturate() else []
    try:
        session = _session(model, provider_names, threads, *entries, *exact)
    except Exception as error:
        if not exact:
            raise
        try:
            session = _session(model, provider_names, threads, *entries)
        except Exception:
            raise error from None
        _log.warning(
            "%s: ONNX Runtime refuses exact int8 sums (%s) for this file, so it is opened without: "
            "fills may be off on this processor, whose int8 sums saturate",
            "a part of the model" if isinstance(model, bytes) else model,
            EXACT_INT8[0],
        )
    trim_heap()
    return session


def _session(
    model: str | bytes,
    provider_names: Sequence[str | Provider],
    threads: int | None,
    *entries: tuple[str, str],
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    if threads is not None:
        options.intra_op_num_threads = threads
    options.enable_mem_pattern = False
    for entry in entries:
        options.add_session_config_entry(*entry)
    return ort.InferenceSession(model, options, providers=list(provider_names))


def run_session(
    session: ort.InferenceSession,
    outputs: Sequence[str],
    feeds: Mapping[str, Array],
    *,
    shrink: bool = False,
    into: Array | None = None,
) -> list[Any]:
    """Run a session once.

    Args:
        session: from `open_session`.
        outputs: the names of the outputs wanted.
        feeds: input name to array.
        shrink: whether the memory of the arena and of the heap goes back to the system
            afterwards: else the next run finds it and is 6 % faster, but a process grows with
            every new size: from 197 to 308 MB between the 20th and the 200th of 200 pictures
            where only the arena is shrunk, from 101 to 104 MB where both are.
        into: what the one output is written to, of its shape and dtype, on the host. Else it lies
            in the arena, and the block around it goes back with a later run only: 8 to 24 MB with
            lama-tiny and pictures of up to 640 x 640.

    Returns:
        The outputs, in the order asked for.

    Raises:
        Exception: whatever ONNX Runtime raises; its exceptions share no base class.
    """
    options = ort.RunOptions()
    options.log_severity_level = _ONLY_FATAL
    if shrink:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    if into is None:
        results = list(session.run(list(outputs), dict(feeds), options))
    else:
        binding = session.io_binding()
        # The binding keeps their addresses alone.
        held = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        for name, value in held.items():
            binding.bind_cpu_input(name, value)
        (name,) = outputs
        binding.bind_output(name, "cpu", 0, into.dtype, into.shape, into.ctypes.data)
        session.run_with_iobinding(binding, options)
        results = [into]
    if shrink:
        trim_heap()
    return results
