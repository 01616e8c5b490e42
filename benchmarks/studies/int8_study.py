"""The figures behind int8: quality kind by kind and as a whole, speed and file sizes.

`make precision` measures lama-tiny's fills against fp32 on the training's holdout and on
photographs, and the speed of big-lama's shape with seeded weights at 512 x 512 beside its fp32
export and torch's default export, in rounds in turn; writes benchmarks/results/int8.json and the
tables in docs/explanation/precision.md. Keep the machine quiet meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.int8_quality import Subject, sensitivities
from lama_edge.benchmarks.targets.tasks.environment import environment
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy, measure
from lama_edge.exporters.precision.layer_kinds import LAYER_KINDS
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.config import BIG_LAMA
from lama_edge.models.seeded import save_seeded
from lama_edge.process import run_isolated
from lama_edge.runtimes.onnxruntime.session import open_session, run_session

SIDES = (128, 256, 512)
_SENSITIVITY_SIDE = 256
_SPEED_SIDE = 512
# The speed does not depend on the ranges; a small picture gives them in seconds.
_SPEED_RANGES_SIDE = 64
_THREADS = 2
_POLICY = Policy(min_warmup_runs=2, min_warmup_ms=0, min_runs=3, min_seconds=0)
_TORCH = "torch-default-export"
_MODULE = "lama_edge.benchmarks.studies.int8_study"
_RESULT = Path("benchmarks/results/int8.json")
_DEFAULT_EXPORT = "lama_edge.benchmarks.studies.peers.prepare:write_default_export"


def time_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run an ONNX file on noise and return its times in milliseconds; see `run_isolated`."""
    session = open_session(
        payload["path"], provider_names=["CPUExecutionProvider"], threads=payload["threads"]
    )
    rng = np.random.default_rng(0)
    feeds = {
        value.name: rng.random(
            [side if isinstance(side, int) else 1 for side in value.shape], dtype=np.float32
        )
        for value in session.get_inputs()
    }
    name = session.get_outputs()[0].name
    timings = measure(lambda: run_session(session, [name], feeds), _POLICY)
    return {"samples_ms": list(timings.samples_ms)}


def write_models(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Write a checkpoint in fp32, w8 and int8 into a folder; see `run_isolated`."""
    subject = Subject(load_checkpoint(payload["checkpoint"]), 1)
    folder = Path(payload["folder"])
    small, large = _SPEED_RANGES_SIDE, payload["side"]
    ranges = subject.ranges(small)
    subject.ranges = lambda side: ranges
    (folder / "fp32.onnx").write_bytes(subject.fastest_fp32(large))
    (folder / "w8.onnx").write_bytes(subject.w8(large))
    (folder / "int8.onnx").write_bytes(subject.int8(large))
    return {}


def speed(checkpoint: Path | None, rounds: int, *, with_torch: bool) -> dict[str, Any]:
    """Time the precisions of a checkpoint at 512 x 512 in rounds in turn.

    Args:
        checkpoint: None is a seeded one of big-lama's shape.
        rounds: how often each is measured, every time in a fresh process.
        with_torch: whether torch's default export is among them.
    """
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as name:
        folder = Path(name)
        if checkpoint is None:
            checkpoint = folder / "big-lama-shape.safetensors"
            save_seeded(BIG_LAMA, checkpoint)
        job = {"checkpoint": str(checkpoint), "folder": name, "side": _SPEED_SIDE}
        run_isolated(f"{_MODULE}:write_models", job)
        if with_torch:
            output = str(folder / f"{_TORCH}.onnx")
            peer = {"checkpoint": str(checkpoint), "output": output, "threads": _THREADS}
            run_isolated(_DEFAULT_EXPORT, {**peer, "size": [_SPEED_SIDE, _SPEED_SIDE]})
        paths = sorted(folder.glob("*.onnx"))
        samples: dict[str, list[list[float]]] = {path.stem: [] for path in paths}
        for _ in range(rounds):
            for path in paths:
                payload = {"path": str(path), "threads": _THREADS}
                samples[path.stem].append(
                    run_isolated(f"{_MODULE}:time_model", payload)["samples_ms"]
                )
        sizes = {path.stem: path.stat().st_size for path in paths}
    return {
        name: {
            "rounds_ms": each,
            "median_ms": float(np.median(np.concatenate(each))),
            "round_medians_ms": [float(np.median(one)) for one in each],
            **({"size_bytes": sizes[name]} if name != _TORCH else {}),
        }
        for name, each in samples.items()
    }


def quality(count: int, sides: Sequence[int]) -> dict[str, Any]:
    """Measure lama-tiny's fills in every form."""
    subject = Subject(load_checkpoint(None), count)
    result: dict[str, Any] = {"int8": [], "w8": [], "size_bytes": {}}
    for side in sides:
        models = {"int8": subject.int8(side), "w8": subject.w8(side)}
        for name, model in models.items():
            result[name] += [asdict(one) for one in subject.fidelity(model, side)]
        models["fp32"] = subject.fp32(side)
        result["size_bytes"][str(side)] = {name: len(model) for name, model in models.items()}
    alone = dict(sensitivities(subject, _SENSITIVITY_SIDE))
    weights = subject.int8(_SENSITIVITY_SIDE, frozenset(LAYER_KINDS))
    result["alone"] = {kind: [asdict(one) for one in each] for kind, each in alone.items()}
    result["weights"] = [asdict(one) for one in subject.fidelity(weights, _SENSITIVITY_SIDE)]
    return result


def tables(document: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    found, timed = document["quality"], document["speed"]
    fills = [
        [f"{one['pictures']}, {one['side_px']} px", str(one["count"]),
         *map(_decibels, (one["pooled_db"], one["mean_db"], one["worst_db"], w8["pooled_db"]))]
        for one, w8 in zip(found["int8"], found["w8"], strict=True)
    ]  # fmt: skip
    alone = [(kind, found["alone"][kind]) for kind in LAYER_KINDS if kind in found["alone"]]
    kinds = [
        [kind, *(_decibels(one["pooled_db"]) for one in each)]
        for kind, each in [("none (weights alone)", found["weights"]), *alone]
    ]
    speeds = [
        [
            name,
            f"{one['median_ms']:.0f} ms",
            f"{min(one['round_medians_ms']):.0f} to {max(one['round_medians_ms']):.0f} ms",
            f"{one['size_bytes'] / 1e6:.1f} MB" if "size_bytes" in one else "",
            f"{one['median_ms'] / timed['int8']['median_ms']:.2f}",
        ]
        for name, one in sorted(timed.items(), key=lambda item: float(item[1]["median_ms"]))
    ]
    heads = (
        ["lama-tiny, inside the hole against fp32", "pictures", "int8, all pixels", "mean",
         "worst", "w8, all pixels"],
        [f"layers in int8, {_SENSITIVITY_SIDE} px", *(one["pictures"] for one in found["weights"])],
        ["big-lama's shape, 512 x 512", "median", "of the rounds", "file", "times int8"],
    )  # fmt: skip
    where = document["environment"]
    return "\n\n".join(
        [
            *(markdown_table([head, *rows])
              for head, rows in zip(heads, (fills, kinds, speeds), strict=True)),
            f"{where['chip']}, {document['threads']} threads, onnxruntime "
            f"{where['packages']['onnxruntime']}, torch {where['packages']['torch']}; samples in "
            f"{_RESULT.as_posix()}.",
        ]
    )  # fmt: skip


def _decibels(value: float) -> str:
    return f"{value:.1f} dB"


PAGE = GeneratedPage(
    _MODULE, __doc__, "int8", _RESULT, Path("docs/explanation/precision.md"), tables
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; with ``--measure`` write the result first."""
    parser = PAGE.parser(measures=True)
    parser.add_argument(
        "checkpoint", nargs="?", type=Path, help="to time (default: big-lama's shape, seeded)"
    )
    parser.add_argument("--count", type=int, default=16, help="scenes; above 256 px a quarter")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIDES, metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=3, help="of every model, in turn")
    parser.add_argument("--no-torch", action="store_true", help="leave torch's export out")
    options = parser.parse_args(arguments)
    return PAGE.run(options, lambda: _measure(options))


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "environment": environment(),
        "threads": _THREADS,
        "speed": speed(options.checkpoint, options.rounds, with_torch=not options.no_torch),
        "quality": quality(options.count, options.sizes),
    }


if __name__ == "__main__":
    sys.exit(main())
