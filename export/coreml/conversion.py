"""Conversion in a process of its own: what a failed one leaves registered ends with it.

coremltools keeps its symbols and names in globals, and a conversion's memory comes back at once
when its process ends. Graphs travel as files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO, cast

from lama_edge import errors
from lama_edge.errors import LamaEdgeError, ModelError, needs_extra, one_line
from lama_edge.export.coreml.options import function_name, known_precision, known_target
from lama_edge.manifest import Manifest

_ANSWER = "lama-edge-answer "
_LAST_WORDS_CHARACTERS = 200
# `python -m` looks for modules in the current folder first, where a user's own numpy.py could
# take the place of the real one. Python 3.10 does not know the variable.
_NO_CURRENT_FOLDER = {"PYTHONSAFEPATH": "1"}


def convert_in_fresh_process(
    graphs: Sequence[Path],
    manifests: Sequence[Manifest],
    output: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> None:
    """Convert deploy graphs to one package and wait until it is written.

    Args:
        graphs: an ONNX file for each size, see `sizes.deploy_graphs`.
        manifests: what the package says of each; form, size, precision and the target under
            ``format`` decide the conversion.
        output: the package to write, ending in ``.mlpackage``; what is there is replaced.
        progress: called with what begins, such as ``512x768`` or ``merge``.

    Raises:
        ModelError: when a graph cannot be converted, or the process died.
        MissingBackendError: when coremltools is not installed.
    """
    job = {
        "graphs": [str(path.resolve()) for path in graphs],
        "manifests": [manifest.to_json() for manifest in manifests],
        "output": str(output.resolve()),
    }
    with TemporaryDirectory(prefix="lama-edge-") as folder:
        request = Path(folder, "request.json")
        request.write_text(json.dumps(job), encoding="utf-8")
        with Path(folder, "log").open("w+", encoding="utf-8") as log:
            answer, code = _run(request, log, progress)
            if answer is None:
                raise ModelError(_last_words(code, log))
    if "error" in answer:
        raise _error_class(answer["error"])(answer["message"])


def _run(
    request: Path, log: TextIO, progress: Callable[[str], None]
) -> tuple[dict[str, Any] | None, int]:
    """Return the process's answer, None when it gave none, and its exit code."""
    command = [sys.executable, "-m", "lama_edge.export.coreml.conversion", str(request)]
    answer = None
    with subprocess.Popen(
        command,
        env={**os.environ, **_NO_CURRENT_FOLDER},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            for line in cast(TextIO, process.stdout):
                if line.startswith(_ANSWER):
                    message = json.loads(line.removeprefix(_ANSWER))
                    if "step" in message:
                        progress(message["step"])
                    else:
                        answer = message
        except BaseException:
            process.kill()
            raise
    return answer, process.returncode


def _last_words(code: int, log: TextIO) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = ": the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the conversion was killed by {name}{hint}"
    log.seek(0)
    lines = log.read().strip().splitlines() or ["no message"]
    return f"the conversion ended with code {code}: " + one_line(lines[-1][:_LAST_WORDS_CHARACTERS])


def _error_class(name: str) -> type[LamaEdgeError]:
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, LamaEdgeError):
        return known
    return LamaEdgeError


def convert(
    graphs: Sequence[Path],
    manifests: Sequence[Manifest],
    output: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> None:
    """Convert deploy graphs to one package, in this process; see `convert_in_fresh_process`."""
    with needs_extra("coreml"):
        import onnx_ir as ir

        from lama_edge.export.coreml import package

    models, described = {}, {}
    for path, manifest in zip(graphs, manifests, strict=True):
        size = manifest.size.fixed
        progress("any size" if size is None else str(size))
        name = "main" if size is None or len(graphs) == 1 else function_name(size)
        described[name] = manifest
        models[name] = package.build_package(
            ir.load(path),
            manifest.io,
            manifest.size,
            precision=known_precision(manifest.precision),
            target=known_target(str(manifest.format["target"])),
        )
    if len(models) == 1:
        package.write_package(models["main"], manifests[0], output)
    else:
        progress("merge")
        package.write_multifunction_package(models, described, output)


def _serve(request: Path) -> None:
    """Do the job that `request` holds, and say what came of it on stdout."""
    stdout, sys.stdout = sys.stdout, sys.stderr

    def say(message: dict[str, Any]) -> None:
        stdout.write(f"{_ANSWER}{json.dumps(message)}\n")
        stdout.flush()

    job = json.loads(request.read_text(encoding="utf-8"))
    try:
        convert(
            [Path(path) for path in job["graphs"]],
            [Manifest.from_json(text) for text in job["manifests"]],
            Path(job["output"]),
            lambda step: say({"step": step}),
        )
    except LamaEdgeError as error:
        say({"error": type(error).__name__, "message": str(error)})
    else:
        say({"done": True})


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
