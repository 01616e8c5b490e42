"""How fast models are in a browser beside native ONNX Runtime: the tables of docs/how-to/web.md.

`make web-speed` exports big-lama's shape with seeded weights and lama-tiny at 512 x 512, opens the
bench page in a headless Chromium and measures each file there, in WebAssembly with 2 threads, and
in Python on this machine, in rounds in turn and in one run; what was timed is judged. Then each
file has a browser of its own, whose page's process tells its peak memory. It writes
benchmarks/results/web.json, with all samples in two documents of `lama-edge bench`, and the
tables. Without ``--measure`` the tables alone are written from that file, or with ``--check``
compared. Keep the machine quiet meanwhile. It wants what `make web` makes, and Chromium.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.bench.bootstrap import ratio_interval
from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.store import BENCH, check_document
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.chromium import HeadlessChromium
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table, read_json
from lama_edge.benchmarks.targets.base import Opening, TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.forms import to_model
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig, config_from_dict
from lama_edge.models.seeded import save_seeded
from lama_edge.pipeline import export_model
from lama_edge.process import run_isolated
from lama_edge.runtimes.onnxruntime.parts import read_manifest_of
from lama_edge.spec import Precision, Size

THREADS = 2
SIZE = Size(512, 512)
_RESULT = Path("benchmarks/results/web.json")
_MODULE = "lama_edge.benchmarks.studies.web_speed"
_BIG = "big-lama-shape.safetensors"
_SEED = 20261129


@dataclass(frozen=True)
class Row:
    """A file that is measured, in the page and in Python.

    Attributes:
        name: of the file, without its suffix; unique among all.
        form: how it is exported, as people read it.
        purpose: what it is exported for.
        precision: of it.
    """

    name: str
    form: str
    purpose: str
    precision: Precision = "fp32"


@dataclass(frozen=True)
class Group:
    """Files of one checkpoint, which are measured in one run.

    Attributes:
        title: of the checkpoint.
        is_big: whether that is big-lama's shape; else lama-tiny.
        rows: the files.
        min_runs: samples a round, at least.
        min_seconds: length of the sampling a round, at least, in seconds.
    """

    title: str
    is_big: bool
    rows: tuple[Row, ...]
    min_runs: int
    min_seconds: float


# `--for web` is the direct form, which native ONNX Runtime is given too: the ratio is of the
# runtimes. int8 is for WebAssembly and processors, not for WebGPU.
_BIG_GROUP = Group(
    "big-lama's shape",
    True,
    (Row("big-web", "`--for web`", "web"), Row("big-cpu", "`--for cpu`", "cpu")),
    min_runs=4,
    min_seconds=0.0,
)
_TINY_GROUP = Group(
    "lama-tiny",
    False,
    (
        Row("tiny-web", "`--for web`", "web"),
        Row("tiny-fp16", "`--for web`, fp16", "web", "fp16"),
        Row("tiny-int8", "int8", "any", "int8"),
    ),
    min_runs=10,
    min_seconds=3.0,
)
GROUPS = {"big": _BIG_GROUP, "tiny": _TINY_GROUP}
ROWS = tuple((f"{group.title}, {row.form}", row) for group in GROUPS.values() for row in group.rows)
_NATIVE_BEST = "big-cpu"


def write_models(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Export what is measured, see `run_isolated`.

    Args:
        payload: `folder`; `config`, that of big-lama's shape; and `size`, height and width.
    """
    folder = Path(payload["folder"])
    save_seeded(config_from_dict(payload["config"]), folder / _BIG)
    for group in GROUPS.values():
        for row in group.rows:
            export_model(
                Export(
                    "onnx",
                    folder / _BIG if group.is_big else None,
                    folder / f"{row.name}.onnx",
                    sizes=(Size(*payload["size"]),),
                    precision=row.precision,
                    check_parity=False,
                    options={"for": row.purpose},
                )
            )
    return {}


def measure(
    rounds: int,
    *,
    config: FfcResnetConfig = BIG_LAMA,
    size: Size = SIZE,
    quick: bool = False,
    executable: str | None = None,
    ort_web: Path | None = None,
) -> dict[str, Any]:
    """Measure every file in a page and in Python, in turns, and what memory a page takes for it.

    Args:
        rounds: how often each.
        config: the architecture of the big one; weights are seeded.
        size: of the picture.
        quick: a sample or two each, to see that all works.
        executable: a Chromium; None is one on the PATH.
        ort_web: see `TargetOptions`.

    Returns:
        Plain data: ``config``; ``benches``, a document of `lama-edge bench` for each of `GROUPS`;
        and ``tabs``, for each file by name ``page_bytes``, what the page's process had had
        resident before the model, and ``peak_bytes``, after two runs of it.

    Raises:
        UsageError: when there is no round.
        MissingBackendError: when Chromium, the page or ONNX Runtime Web is missing.
        LamaEdgeError: when a model cannot be measured, or computes something else than it has to.
    """
    if rounds < 1:
        raise UsageError(f"--rounds is {rounds}; give 1 or more")
    chromium = HeadlessChromium(executable)
    options = TargetOptions(ort_web=ort_web, invite=chromium.visit)
    # What is missing is told before anything is made.
    with open_target("browser", options):
        pass
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as name:
        folder = Path(name)
        made = {"folder": name, "config": config.to_dict(), "size": [size.height, size.width]}
        _tell("exporting")
        run_isolated(f"{_MODULE}:write_models", made)
        benches = {}
        for key, group in GROUPS.items():
            job = Bench(
                models=tuple(folder / f"{row.name}.onnx" for row in group.rows),
                target="browser",
                options=options,
                with_python=True,
                threads=THREADS,
                provider="wasm",
                rounds=rounds,
                min_runs=2 if quick else group.min_runs,
                min_seconds=0.0 if quick else group.min_seconds,
                min_warmup_runs=1,
                min_warmup_ms=0.0,
                reference=str(folder / _BIG) if group.is_big else None,
            )
            with chromium:
                found = run_bench(job, _tell)
            if found.failures:
                raise found.failures[0]
            benches[key] = found.document
        tabs = {}
        for _, row in ROWS:
            _tell(f"{row.name}, peak memory of the page")
            with chromium:
                tabs[row.name] = tab_memory(folder / f"{row.name}.onnx", size, chromium, options)
    return {"config": config.to_dict(), "benches": benches, "tabs": tabs}


def tab_memory(
    path: Path, size: Size, chromium: HeadlessChromium, options: TargetOptions
) -> dict[str, int]:
    """Run a file twice in a page of a fresh browser; returns what `measure` has of it in ``tabs``.

    Args:
        path: the file.
        size: of the picture.
        chromium: just started.
        options: open the page in it.
    """
    with open_target("browser", options) as target:
        handle = target.push(path)
        target.claim()
        before = chromium.renderer_peak_bytes()
        manifest = read_manifest_of(path)
        assert manifest is not None
        inputs = to_model(manifest.io, *measured_picture(size))
        target.memory(handle, Opening("wasm", THREADS), *inputs)
        return {"page_bytes": before, "peak_bytes": chromium.renderer_peak_bytes()}


def _tell(step: str) -> None:
    print(f"web-speed: {step}", file=sys.stderr)


def load(path: Path) -> Any:
    """Read the result, and hold its benches against their schema.

    Raises:
        DocumentError: when one does not fit.
    """
    document = read_json(path)
    for bench in document["benches"].values():
        check_document(bench, BENCH)
    return document


def text(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    runs = {
        (run["model"]["name"].removesuffix(".onnx"), run["target"]): run
        for bench in document["benches"].values()
        for run in bench["runs"]
    }
    speed = [
        ["model, 512 x 512", "wasm", "spread", "native", "spread", "wasm over native"],
    ]
    memory = [
        ["model, 512 x 512", "file", "wasm: load", "first run", "native: load", "first run",
         "the tab's peak", "of it wasm", "native's peak"],
    ]  # fmt: skip
    for title, row in ROWS:
        page, native = (runs[row.name, target] for target in ("browser", "local"))
        speed.append([title, *_median(page), *_median(native), _ratio(page, native)])
        memory.append(
            [
                title,
                figures.file_size(page["model"]["size_bytes"]),
                *_loading(page),
                *_loading(native),
                figures.memory(document["tabs"][row.name]["peak_bytes"]),
                figures.memory(page["memory_bytes"]),
                figures.memory(native["memory_bytes"]),
            ]
        )
    return "\n\n".join(
        [_source(document, runs), markdown_table(speed), _best(runs), markdown_table(memory)]
    )


def _source(document: Mapping[str, Any], runs: Mapping[Any, Mapping[str, Any]]) -> str:
    first = next(iter(document["benches"].values()))
    where, rounds = first["environment"], first["settings"]["rounds"]
    page, native = (runs[_NATIVE_BEST, target] for target in ("browser", "local"))
    empty = max(tab["page_bytes"] for tab in document["tabs"].values())
    return (
        f"Medians over {rounds} rounds, the middle half of the samples as a share of the median, "
        f"the ratio with its 95 % interval. Big-lama's shape has "
        f"{document['config']['n_blocks']} blocks and ngf {document['config']['ngf']}, with seeded "
        f"weights. {where['chip']} ({where['cores']} cores), {THREADS} threads, "
        f"{where['browser']['name']} {where['browser']['version']}, headless, {page['runtime']}; "
        f"native is {native['runtime']} in Python, the same files in the same rounds. Every row "
        "computed what it has to. The tab's peak is its process's (VmHWM), in a browser of its "
        f"own: the page, the model on its way and ONNX Runtime, {figures.memory(empty)} before the "
        "model. (⚠): `lama-edge bench` warns of it. Made by `make web-speed`; data in "
        f"{_RESULT.as_posix()}."
    )


def _best(runs: Mapping[Any, Mapping[str, Any]]) -> str:
    best = runs[_NATIVE_BEST, "local"]
    over = " and ".join(
        f"{_ratio(runs[row.name, 'browser'], best)} with {row.form}" for row in _BIG_GROUP.rows
    )
    return (
        "Native's best for big-lama's shape is `--for cpu`, "
        f"{figures.duration(best['statistics']['median_ms'])}; WebAssembly takes {over} of that."
    )


def _median(run: Mapping[str, Any]) -> list[str]:
    found = run["statistics"]
    warns = " (⚠)" if run["warnings"] else ""
    return [figures.duration(found["median_ms"]) + warns, figures.percent(found["spread"])]


def _loading(run: Mapping[str, Any]) -> list[str]:
    return [figures.duration(run["statistics"][name]) for name in ("cold_load_ms", "cold_run_ms")]


def _ratio(run: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """Spell how many times as long a run takes as another one."""
    old, new = (
        [np.asarray(one["samples_ms"], dtype=np.float64) for one in side["rounds"]]
        for side in (base, run)
    )
    low, high = ratio_interval(old, new, seed=_SEED)
    ratio = run["statistics"]["median_ms"] / base["statistics"]["median_ms"]
    return f"{figures.ratio(ratio)} ({figures.digits(low)} to {figures.digits(high)})"


PAGE = GeneratedPage(_MODULE, __doc__, "web-speed", _RESULT, Path("docs/how-to/web.md"), text, load)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    parser.add_argument("--rounds", type=int, default=3, help="of each file, in turns")
    parser.add_argument("--quick", action="store_true", help="to see that it works, no figures")
    parser.add_argument("--chromium", metavar="PROGRAM", help="(default: one on the PATH)")
    parser.add_argument(
        "--ort-web", type=Path, metavar="DIR", help="see lama-edge bench (default: the package)"
    )
    options = parser.parse_args(arguments)
    return PAGE.run(options, lambda: _measure(options))


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    return measure(
        options.rounds,
        quick=options.quick,
        executable=options.chromium,
        ort_web=options.ort_web,
    )


if __name__ == "__main__":
    sys.exit(main())
