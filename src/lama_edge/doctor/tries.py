"""What is tried, each in a process of its own: exports, runtimes, and what commands import.

What comes of it is data, also where it fails; a crash is told by the process that waits.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lama_edge.errors import LamaEdgeError, MissingBackendError, ParityError, one_line
from lama_edge.nvidia import current_gpu
from lama_edge.runtimes.registry import load, runtimes, tolerance_of

Answer = dict[str, Any]


def export(payload: Mapping[str, Any]) -> Answer:
    """Export lama-tiny, unjudged: who runs it judges it.

    Args:
        payload: ``format``, its ``options``, and ``output``, the path to write.
    """

    def work() -> Answer:
        from lama_edge.exporters.formats.record import Export, format_named
        from lama_edge.pipeline import export_model

        form = format_named(payload["format"])
        job = Export(
            format=form.name,
            source=None,
            output=Path(payload["output"]),
            sizes=(form.parse_size(payload["size"]),),
            precision="fp32" if "fp32" in form.precisions else None,
            options=payload["options"],
            check_parity=False,
        )
        started = time.perf_counter()
        export_model(job)
        return {"seconds": time.perf_counter() - started}

    return _attempt(work)


def run(payload: Mapping[str, Any]) -> Answer:
    """Run lama-tiny in a runtime and judge what it gives.

    Args:
        payload: the ``runtime``'s name, the ``provider``, and ``model``, the file to open; None
            where there is none, and then the runtime is imported alone.
    """

    def work() -> Answer:
        runtime = next(one for one in runtimes() if one.name == payload["runtime"])
        opener = load(runtime.opener)
        if payload["model"] is None:
            return _imported_alone(runtime.modules[:1])
        from lama_edge.doctor.probe import known, probe
        from lama_edge.forms import to_model
        from lama_edge.judging.judge import judge, require_parity

        part = {"part": None} if runtime.has_parts else {}
        with opener(
            Path(payload["model"]), provider=payload["provider"], threads=None, **part
        ) as runner:
            if runner.runtime.name != runtime.name:
                raise MissingBackendError(f"what was made here is for {runner.runtime.title}")
            case, manifest = probe(), runner.manifest
            tolerance = tolerance_of(runtime.name, manifest.precision)
            figures = judge(
                runner, [case], [known(case)], reference_name="lama-tiny", tolerance=tolerance
            )
            require_parity(figures)
            image, mask = to_model(manifest.io, case.image, case.hole)
            started = time.perf_counter()
            runner.run(image, mask)
            return {
                "version": runner.runtime_version,
                "max_abs_diff": figures.max_abs_diff,
                "run_ms": (time.perf_counter() - started) * 1000,
            }

    return _attempt(work)


def ssh(payload: Mapping[str, Any]) -> Answer:
    """Import what reaches machines over SSH."""
    del payload
    return _attempt(lambda: _imported("lama_edge.benchmarks.targets.places.ssh"))


def pages(payload: Mapping[str, Any]) -> Answer:
    """Look for what serves pages, and what they are made of."""
    del payload

    def work() -> Answer:
        from lama_edge.web.parts import compiled_pages, find_ort_web

        found = _imported("lama_edge.web.server")
        compiled_pages()
        return {**found, "version": f"ONNX Runtime Web {find_ort_web().version}"}

    return _attempt(work)


def workers(payload: Mapping[str, Any]) -> Answer:
    """Start what shares folders out to workers, and look for what keeps their record."""
    del payload

    def work() -> Answer:
        from importlib.metadata import version

        from lama_edge.runtimes.batch.engine import open_engine
        from lama_edge.runtimes.batch.record import schema

        schema()
        with open_engine(1, None):
            return {"version": f"Dask {version('distributed')}"}

    return _attempt(work)


def _imported(module: str) -> Answer:
    importlib.import_module(module)
    return {}


def _imported_alone(modules: Iterable[str]) -> Answer:
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingBackendError(f"the package {name!r} is not installed") from error
    return {"outcome": "imported", "nvidia": current_gpu() is not None}


def _attempt(work: Callable[[], Answer]) -> Answer:
    """Do it and return what it gives, or what went wrong.

    Returns:
        ``outcome``: ``works``, or what the work says; ``missing``, a package is not installed;
        ``absent``, a provider or device is not here; ``wrong``, it computes something else;
        ``broken``. With ``reason`` where it fails, and where something is not here, whether an
        NVIDIA GPU is: ``nvidia``.
    """
    try:
        return {"outcome": "works", **work()}
    except MissingBackendError as error:
        # What is there and cannot be loaded is no missing package.
        if isinstance(error.__cause__, ModuleNotFoundError):
            outcome = "missing"
        else:
            outcome = "broken" if isinstance(error.__cause__, ImportError | OSError) else "absent"
        nvidia = current_gpu() is not None
        return {"outcome": outcome, "reason": one_line(error), "nvidia": nvidia}
    except ParityError as error:
        return {"outcome": "wrong", "reason": one_line(error)}
    except LamaEdgeError as error:
        return {"outcome": "broken", "reason": one_line(error)}
    except Exception as error:
        return {"outcome": "broken", "reason": f"{type(error).__name__}: {one_line(error)}"}
