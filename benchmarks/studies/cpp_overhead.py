"""What `Inpainter` takes beside the model, in C++ and in Python: the tables of docs/how-to/cpp.md.

`make cpp-overhead` builds `runtimes/cpp/benchmarks` and measures, each language in a process of its
own, in turns, with 2 threads and with 1:

- ``overhead``: a picture of 512 x 512 as one window, by `Inpainter` and by a bare call of the same
  open session, one after the other; lama-tiny, and big-lama's shape with seeded weights.
- ``pictures``: a photograph of 12 megapixels with a round hole of 3 %, cut out and shrunk to 1024,
  with a model that returns what it is given. What its bare call takes is taken off: the rest is
  reading the mask, planning, shrinking, converting, enlarging and compositing.

It writes benchmarks/results/cpp.json and the tables. Without ``--measure`` the tables alone are
written from that file, or with ``--check`` compared. Keep the machine quiet meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.large_photograph import HOLE_SHARE, PHOTOGRAPH, write_pictures
from lama_edge.benchmarks.targets.tasks.environment import environment
from lama_edge.errors import MissingBackendError, ModelError, UsageError, needs_extra
from lama_edge.exporters.formats.record import Export
from lama_edge.manifest import METADATA_KEY
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.pipeline import export_model
from lama_edge.process import run_isolated
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan, Strategy
from lama_edge.spec import IoForm, Size

LANGUAGES = ("C++", "Python")
THREADS = (2, 1)
# The runs of the first pair build threads and memory.
WARM_UP_PAIRS = 1
_RESULT = Path("benchmarks/results/cpp.json")
_MODULE = "lama_edge.benchmarks.studies.cpp_overhead"
_PREPARE = "lama_edge.benchmarks.studies.peers.prepare"
_PROGRAM = Path("runtimes/cpp/build/overhead/benchmarks/lama_edge_overhead")


@dataclass(frozen=True)
class Case:
    """One thing that is measured.

    Attributes:
        model: the file's name without its suffix.
        title: of its rows.
        size: of the picture.
        seen: what the model is given of it.
        strategy: see `Inpainter`.
        pairs: how often `Inpainter` and the bare call run in each round.
    """

    model: str
    title: str
    size: Size
    seen: Size
    strategy: Strategy
    pairs: int


OVERHEAD = tuple(
    Case(model, title, Size(512, 512), Size(512, 512), "full", pairs)
    for model, title, pairs in (
        ("tiny", "lama-tiny, float", 10),
        ("tiny-uint8", "lama-tiny, uint8", 10),
        ("big", "big-lama's shape, float", 2),
    )
)
PICTURES = tuple(
    Case(model, title, PHOTOGRAPH, Size(1024, 1024), "crop", 6)
    for model, title in (("given-back", "float"), ("given-back-uint8", "uint8"))
)


def write_models(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Export what is measured, see `run_isolated`.

    Args:
        payload: `folder`, and `config` for the file ``big``.
    """
    folder = Path(payload["folder"])
    run_isolated(
        f"{_PREPARE}:write_checkpoint",
        {"config": payload["config"], "output": str(folder / "big.safetensors")},
    )
    big = str(folder / "big.safetensors")
    jobs: tuple[tuple[str, str, IoForm], ...] = (
        (EMBEDDED_NAME, "tiny", "float"),
        (EMBEDDED_NAME, "tiny-uint8", "uint8"),
        (big, "big", "float"),
    )
    for source, name, form in jobs:
        output = folder / f"{name}.onnx"
        export_model(
            Export("onnx", source, output, io=form, check_parity=False, options={"for": "cpu"})
        )
    for name in ("", "-uint8"):
        give_back(folder / f"tiny{name}.onnx", folder / f"given-back{name}.onnx")
    return {}


def give_back(model: Path, output: Path) -> None:
    """Write a model that takes what another one takes, and returns the image as it is."""
    with needs_extra("export"):
        import onnx
        from onnx import helper
    old = onnx.load(model)
    graph = old.graph
    given, returned = graph.input[0].name, graph.output[0].name
    node = helper.make_node("Identity", [given], [returned])
    new = helper.make_model(
        helper.make_graph([node], "given-back", graph.input, graph.output),
        opset_imports=old.opset_import,
        ir_version=old.ir_version,
    )
    new.metadata_props.extend(one for one in old.metadata_props if one.key == METADATA_KEY)
    onnx.save(new, output)


def measure_python(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Do in Python what `runtimes/cpp/benchmarks/overhead.cpp` does; see `run_isolated`.

    Args:
        payload: `model`, `picture`, `mask` and `result` (paths), `size` and `seen` (height and
            width), `strategy`, `threads`, `pairs` and `warm_up_pairs`.

    Returns:
        `windows`, how many there were, and `bare_ms` and `inpaint_ms`, one for each pair.
    """
    height, width = payload["size"]
    picture = np.fromfile(payload["picture"], np.uint8).reshape(height, width, 3)
    mask = np.fromfile(payload["mask"], np.uint8).reshape(height, width)
    plans: list[Plan] = []
    bare_ms, inpaint_ms = [], []
    with open_runner(payload["model"], provider="cpu", threads=payload["threads"]) as runner:
        io, inpainter = runner.manifest.io, Inpainter(runner, strategy=payload["strategy"])
        inputs = [np.ones(spec.shape(*payload["seen"]), spec.dtype) for spec in (io.image, io.mask)]
        for pair in range(-payload["warm_up_pairs"], payload["pairs"]):
            bare_first = pair % 2 == 0
            one = _milliseconds_of(lambda: runner.run(*inputs)) if bare_first else 0.0
            start = time.perf_counter()
            filled = inpainter(picture, mask, report=plans.append)
            other = (time.perf_counter() - start) * 1e3
            if not bare_first:
                one = _milliseconds_of(lambda: runner.run(*inputs))
            if pair >= 0:
                bare_ms.append(one)
                inpaint_ms.append(other)
    filled.tofile(payload["result"])
    return {"windows": len(plans[-1].windows), "bare_ms": bare_ms, "inpaint_ms": inpaint_ms}


def _milliseconds_of(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def measure_cpp(program: Path, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Call `lama_edge_overhead`; payload and result are `measure_python`'s.

    Raises:
        ModelError: with what the program said, when it failed.
    """
    names = ("model", "picture", "mask", "size", "seen", "strategy", "threads")
    words = [payload[name] for name in (*names, "pairs", "warm_up_pairs", "result")]
    flat = [part for word in words for part in (word if isinstance(word, list) else [word])]
    done = subprocess.run([program, *map(str, flat)], capture_output=True, text=True)
    if done.returncode != 0:
        raise ModelError(f"{program.name} failed: {done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def measure(
    program: Path,
    rounds: int,
    *,
    config: FfcResnetConfig = BIG_LAMA,
    cases: Mapping[str, Sequence[Case]] | None = None,
) -> dict[str, Any]:
    """Measure every case by both languages, in turns.

    Args:
        program: `lama_edge_overhead`.
        rounds: how often each.
        config: the architecture of the file ``big``; weights are seeded.
        cases: `OVERHEAD` and `PICTURES` under the names of their tables, or others.

    Returns:
        Plain data: ``environment``, ``config``, and ``measured``, a list with ``table``, ``title``,
        ``language``, ``threads``, ``windows``, and ``bare_ms`` and ``inpaint_ms`` of all rounds.

    Raises:
        UsageError: when there is no round.
        MissingBackendError: when there is no such program.
        ModelError: when the program fails, or the languages make other pictures of one.
    """
    if rounds < 1:
        raise UsageError(f"--rounds is {rounds}; give 1 or more")
    if not program.is_file():
        raise MissingBackendError(f"there is no program {str(program)!r}: make cpp-overhead")
    cases = {"overhead": OVERHEAD, "pictures": PICTURES} if cases is None else cases
    measured: dict[tuple[object, ...], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as name:
        folder = Path(name)
        run_isolated(f"{_MODULE}:write_models", {"folder": str(folder), "config": config.to_dict()})
        for number in range(1, rounds + 1):
            for table, some in cases.items():
                for case in some:
                    payload = _payload(folder, case)
                    for threads in THREADS:
                        print(
                            f"{case.title}, {threads} thread(s), round {number} of {rounds}",
                            file=sys.stderr,
                        )
                        for language, one in _both(program, {**payload, "threads": threads}):
                            key = {
                                "table": table,
                                "title": case.title,
                                "language": language,
                                "threads": threads,
                            }
                            row = measured.setdefault(
                                tuple(key.values()), {**key, "bare_ms": [], "inpaint_ms": []}
                            )
                            row["windows"] = one["windows"]
                            row["bare_ms"] += one["bare_ms"]
                            row["inpaint_ms"] += one["inpaint_ms"]
    return {
        "environment": environment(),
        "config": config.to_dict(),
        "measured": list(measured.values()),
    }


def _payload(folder: Path, case: Case) -> dict[str, Any]:
    """Write a case's picture, and return what `measure_python` wants but the threads."""
    inside = folder / f"{case.size.height}x{case.size.width}"
    files = {"picture": inside / "picture", "mask": inside / "mask", "result": inside / "result"}
    if not inside.exists():
        inside.mkdir()
        image, mask = write_pictures(inside, case.size)
        for path, output in ((image, files["picture"]), (mask, files["mask"])):
            with Image.open(path) as opened:
                np.asarray(opened).tofile(output)
    return {
        "model": str(folder / f"{case.model}.onnx"),
        **{name: str(path) for name, path in files.items()},
        "size": [case.size.height, case.size.width],
        "seen": [case.seen.height, case.seen.width],
        "strategy": case.strategy,
        "pairs": case.pairs,
        "warm_up_pairs": WARM_UP_PAIRS,
    }


def _both(program: Path, payload: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Measure once by each language, and see that both did the same.

    Raises:
        ModelError: when they did not.
    """
    found, pictures = [], []
    for language in LANGUAGES:
        if language == "C++":
            found.append(measure_cpp(program, payload))
        else:
            found.append(run_isolated(f"{_MODULE}:measure_python", payload))
        pictures.append(np.fromfile(payload["result"], np.uint8))
    windows = [one["windows"] for one in found]
    if windows[0] != windows[1] or not np.array_equal(pictures[0], pictures[1]):
        raise ModelError(
            f"C++ made another picture than Python of {Path(payload['model']).name}, with "
            f"{windows[0]} windows and {windows[1]}: pytest -m cpp tests/runtimes/cpp"
        )
    return list(zip(LANGUAGES, found, strict=True))


def text(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    for one in document["measured"]:
        rows.setdefault((one["table"], one["title"], one["threads"]), {})[one["language"]] = one
    each = ["bare", "`Inpainter`", "more"]
    overhead = [["model", "threads", *each, f"Python: {each[0]}", *each[1:]]]
    pictures = [["form", "threads", "C++", "Python", "C++ / Python"]]
    for (table, title, threads), both in rows.items():
        cells = [title, str(threads)]
        if table == "overhead":
            for language in LANGUAGES:
                one = both[language]
                cells += [f"{median(one[name]):.1f} ms" for name in ("bare_ms", "inpaint_ms")]
                cells.append(_spread(_shares(one), ".1f", " %"))
            overhead.append(cells)
        else:
            cells += [_spread(_differences(both[name]), ".1f", " ms") for name in LANGUAGES]
            share = median(_differences(both["C++"])) / median(_differences(both["Python"]))
            pictures.append([*cells, f"{share:.2f}"])
    where = document["environment"]
    source = (
        f"Medians, quartiles in brackets; {where['chip']} ({where['cores']} cores), onnxruntime "
        f"{where['packages']['onnxruntime']}. Made by `make cpp-overhead`; data in "
        f"{_RESULT.as_posix()}."
    )
    calls = (
        "A picture of 512 x 512 as one window, by `Inpainter` and by a bare call of the same open "
        "session, one after the other. `more` is the median over these pairs:"
    )
    work = (
        f"A photograph of {PHOTOGRAPH.width} x {PHOTOGRAPH.height} with a round hole of "
        f"{HOLE_SHARE:.0%}, cut out, shrunk to 1024, and pasted again: all but the model, which "
        "here returns what it is given (its bare call is taken off):"
    )
    parts = [source, calls, markdown_table(overhead), work, markdown_table(pictures)]
    return "\n\n".join(parts)


def _shares(one: Mapping[str, Sequence[float]]) -> list[float]:
    pairs = zip(one["bare_ms"], one["inpaint_ms"], strict=True)
    return [100 * (inpaint / bare - 1) for bare, inpaint in pairs]


def _differences(one: Mapping[str, Sequence[float]]) -> list[float]:
    pairs = zip(one["bare_ms"], one["inpaint_ms"], strict=True)
    return [inpaint - bare for bare, inpaint in pairs]


def _spread(values: Sequence[float], form: str, unit: str) -> str:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:{form}}{unit} ({low:{form}} to {high:{form}})"


PAGE = GeneratedPage(_MODULE, __doc__, "cpp-overhead", _RESULT, Path("docs/how-to/cpp.md"), text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    parser.add_argument("--rounds", type=int, default=3, help="of each language, in turns")
    parser.add_argument("--program", type=Path, default=_PROGRAM, help="lama_edge_overhead")
    options = parser.parse_args(arguments)
    return PAGE.run(options, lambda: measure(options.program, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
