"""Which of ONNX Runtime's providers runs which nodes of a file, as `lama-edge support` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lama_edge.errors import MissingBackendError
from lama_edge.runtimes.base import SupportReport
from lama_edge.runtimes.onnxruntime.runner import OnnxRuntimeRunner


def file_support(path: Path, part: str | None, provider: str) -> SupportReport:
    """Open a file and look where its nodes run.

    Args:
        path: the ``.onnx`` file.
        part: None; a file has no parts.
        provider: which provider; ``auto`` is the one that a run takes.

    Raises:
        ModelError: when the file cannot be opened.
        MissingBackendError: when the provider is not here, or this ONNX Runtime does not tell.
    """
    del part
    with OnnxRuntimeRunner(path, provider=provider) as runner:
        found, title = runner.placement(), runner.title
    if found is None:
        raise MissingBackendError(
            f"{title} does not say where the nodes of {str(path)!r} run: onnxruntime 1.24 and "
            "newer do"
        )
    return SupportReport(
        tuple(_pieces(title, found["providers"], found["fell_back"])), {"runtime": title, **found}
    )


def _pieces(
    title: str, counts: dict[str, int], fell_back: Sequence[str]
) -> Iterator[str | Sequence[Sequence[str]]]:
    yield f"nodes by the providers that run them, in {title}:"
    yield [(name, str(count)) for name, count in counts.items()]
    if fell_back:
        yield f"left to the processor, the first {len(fell_back)}:"
        yield from (f"  {name}" for name in fell_back)
