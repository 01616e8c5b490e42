"""`lama-edge tradeoff`: every precision's size, speed and closeness to fp32, on one page."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.reports.figures import table
from lama_edge.cli.outputs import add_outputs, check_outputs, give
from lama_edge.cli.rendering import decibels, milliseconds, steps
from lama_edge.errors import LamaEdgeError
from lama_edge.exporters.formats.record import formats
from lama_edge.spec import IO_FORMS, fixed_size

_OUT_OF_TOLERANCE = 1


def reduced_precisions() -> list[str]:
    """Return the precisions of all formats but fp32, which the others are weighed against."""
    known = dict.fromkeys(kind for one in formats() for kind in one.precisions)
    return [kind for kind in known if kind != "fp32"]


def add_tradeoff(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge tradeoff`."""
    names = [one.name for one in formats()]
    tradeoff = commands.add_parser(
        "tradeoff",
        parents=[common],
        help="weigh the precisions: size, speed, and how close to fp32",
        description="Export a checkpoint at every precision, compare what each fills holes with "
        "to fp32, and time them, interleaved. Keep the machine quiet meanwhile. Exit code 1 when "
        "one is out of tolerance.",
    )
    tradeoff.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="folder with config.yaml, .ckpt, .pt or .safetensors file (default: lama-tiny)",
    )
    tradeoff.add_argument(
        "--format",
        choices=names,
        default="onnx",
        metavar="NAME",
        help=f"of the exports: {', '.join(names)} (default: onnx)",
    )
    tradeoff.add_argument(
        "--size",
        default="512",
        metavar="SIZE",
        help="512 or 512x768 (height x width) (default: 512)",
    )
    tradeoff.add_argument(
        "--precision",
        action="append",
        metavar="NAME",
        help="weigh this one of the format's beside fp32: "
        f"{', '.join(reduced_precisions())}; may repeat (default: all of them)",
    )
    tradeoff.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure the ranges for fp16 and int8 on these pictures (default: drawn ones)",
    )
    tradeoff.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="compare on these pictures (default: drawn scenes and scikit-image's photographs)",
    )
    tradeoff.add_argument(
        "--masks", type=Path, metavar="DIR", help="their masks, by name (default: seeded ones)"
    )
    tradeoff.add_argument(
        "--io",
        choices=IO_FORMS,
        default="float",
        help="form of the inputs and the output (default: float)",
    )
    tradeoff.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="that work on one operation (default: one a core)",
    )
    tradeoff.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="of each precision, in turn (default: 3)",
    )
    tradeoff.add_argument("--no-speed", action="store_true", help="time nothing")
    add_outputs(tradeoff)
    tradeoff.set_defaults(command=_tradeoff)


def _tradeoff(options: argparse.Namespace) -> int:
    check_outputs(options)
    size = fixed_size(options.size)
    with steps() as (progress, expect):
        from lama_edge.benchmarks.tradeoff.weigh import Tradeoff, weigh_precisions

        job = Tradeoff(
            checkpoint=options.checkpoint,
            size=size,
            format=options.format,
            precisions=tuple(options.precision or ()),
            calibrate=options.calibrate,
            images=options.images,
            masks=options.masks,
            io=options.io,
            speed=not options.no_speed,
            threads=options.threads,
            rounds=options.rounds,
        )
        result = weigh_precisions(job, progress, expect)

    def page() -> str:
        from lama_edge.benchmarks.reports.tradeoff_page import tradeoff_page

        return tradeoff_page(result.document, pictures=result.pictures)

    give(options, result.document, page, _lines)
    # Everything is written by now; a script shall notice the failure all the same.
    if result.failures:
        told = "; ".join(f"{name} failed: {error}" for name, error in result.failures.items())
        raise LamaEdgeError(told)
    return 0 if result.passed else _OUT_OF_TOLERANCE


def _lines(document: dict[str, Any]) -> Iterator[str]:
    from lama_edge.benchmarks.documents.tradeoff_verdict import verdict_of

    pictures, size = len(document["pictures"]), document["size"]
    purpose = f", exported --for {document['for']}," if "for" in document else ""
    yield (
        f"{document['checkpoint']['name']} at {size}{purpose} against fp32, inside the holes of "
        f"{pictures} picture{'s' if pictures > 1 else ''}:"
    )
    yield from table(list(_rows(document)))
    for row in document["precisions"]:
        if row["latency"] and row["latency"]["note"]:
            yield f"* {row['precision']}: {row['latency']['note']}"
    verdict = verdict_of(document)
    yield verdict.title
    yield from verdict.sentences


def _rows(document: dict[str, Any]) -> Iterator[list[str]]:
    yield ["", "", "file", "of fp32", "median", "speed", "PSNR", "SNR", "worst picture", "max diff"]
    for row in document["precisions"]:
        found, base = row["closeness"], row["precision"] == "fp32"
        if found is None:
            yield [row["precision"], "no figures", *["-"] * 8]
            continue
        verdict = "reference" if base else "passed" if found["passed"] else "FAILED"
        yield [
            row["precision"],
            verdict,
            f"{row['size_bytes'] / 1e6:.1f} MB",
            f"{row['size_share']:.1%}",
            *_speed(row["latency"]),
            decibels(found["psnr_db"]),
            decibels(found["snr_db"]),
            decibels(found["worst_psnr"]["psnr_db"]),
            f"{found['max_abs_diff']:.1e}",
        ]


def _speed(latency: dict[str, Any] | None) -> list[str]:
    """Spell median and speed; what the runtime does not compute in gets an asterisk."""
    if latency is None:
        return ["-", "-"]
    speed = latency["speed"]
    mark = "*" if latency["note"] else ""
    ratio = "1" if speed is None else f"{speed['ratio']:.2f}{mark}"
    return [milliseconds(latency["median_ms"]), ratio]
