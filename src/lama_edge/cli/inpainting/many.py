"""Runs of `lama-edge inpaint` over several workers: their flags, and what is told of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.cli.rendering import print_json
from lama_edge.errors import LamaEdgeError, PictureError, UsageError, one_line
from lama_edge.stores.addresses import is_url

if TYPE_CHECKING:
    from lama_edge.runtimes.batch.job import InpaintMany
    from lama_edge.runtimes.batch.progress import Progress, Summary

_LINE_EVERY_S = 10.0
_OBJECT_EVERY_S = 1.0
_GO_ON = "lama-edge: the same command with --resume goes on: what is done is not done again"
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def add_many(inpaint: argparse.ArgumentParser) -> None:
    """Add the flags that make a run one over several workers."""
    group = inpaint.add_argument_group("folders over several workers")
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes of this machine that work at once, with --threads each or an even share "
        "(default: 1 with --resume or URLs)",
    )
    group.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="the workers of a Dask scheduler, such as tcp://10.0.0.1:8786",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="do what a run into OUT before left missing, and what has changed since",
    )


def is_run(options: argparse.Namespace) -> bool:
    """Tell whether the options ask for a run over workers."""
    places = (options.model, options.image, options.mask, options.output)
    asked = options.workers is not None or options.cluster is not None or options.resume
    return asked or any(map(is_url, places))


def run(job: InpaintMany, *, as_json: bool) -> None:
    """Inpaint folders over workers, and tell of it.

    Raises:
        PictureError: when some pictures could not be inpainted.
        LamaEdgeError: as `inpaint_many`.
    """
    from lama_edge.runtimes.batch.run import inpaint_many

    if Path(job.pictures).is_file():
        raise UsageError(
            f"{job.pictures!r} is a file: --workers, --cluster, --resume and URLs are for folders "
            "of pictures; leave them out, or give a folder"
        )
    with _telling(as_json) as tell:
        summary = inpaint_many(job, tell)
    _give(summary, as_json)


def _give(summary: Summary, as_json: bool) -> None:
    failed, total = len(summary.failed), summary.total
    if as_json:
        print_json(summary.to_dict())
    else:
        for picture, message in sorted(summary.failed.items()):
            print(f"lama-edge: {one_line(picture)}: {one_line(message)}", file=sys.stderr)
        more = [f"{summary.unchanged} were there unchanged"] if summary.unchanged else []
        if summary.workers:
            more += [_speed(summary.pictures_per_second), _workers(summary.workers)]
        details = f" ({', '.join(more)})" if more else ""
        print(
            f"wrote {summary.written} of {total} pictures in {duration(summary.seconds)}{details}; "
            f"the record is {summary.record}"
        )
    if failed:
        if not as_json:
            print(_GO_ON, file=sys.stderr)
        raise PictureError(f"{failed} of {total} pictures could not be inpainted")


@contextmanager
def _telling(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """Tell how far a run is: in a bar on a terminal, elsewhere now and then on a line, or as JSON.

    A run that ends early, once it has done something, is told how to go on.
    """
    begun = False
    teller = _json_lines if as_json else _bar if sys.stderr.isatty() else _lines
    try:
        with teller() as show:

            def tell(progress: Progress) -> None:
                nonlocal begun
                begun = progress.written + progress.unchanged > 0
                show(progress)

            yield tell
    except (KeyboardInterrupt, LamaEdgeError):
        if begun and not as_json:
            print(_GO_ON, file=sys.stderr)
        raise


@contextmanager
def _json_lines() -> Iterator[Callable[[Progress], None]]:
    yield _now_and_then(
        _OBJECT_EVERY_S, lambda progress: json.dumps(progress.to_dict(), sort_keys=True)
    )


@contextmanager
def _lines() -> Iterator[Callable[[Progress], None]]:
    yield _now_and_then(
        _LINE_EVERY_S,
        lambda progress: (
            f"lama-edge: {progress.done} of {progress.total} pictures, {state(progress)}"
        ),
    )


def _now_and_then(every_s: float, spell: Callable[[Progress], str]) -> Callable[[Progress], None]:
    due = every_s

    def show(progress: Progress) -> None:
        nonlocal due
        if progress.seconds >= due:
            due = progress.seconds + every_s
            print(spell(progress), file=sys.stderr, flush=True)

    return show


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from tqdm import tqdm

    layout = "{n_fmt}/{total_fmt} {bar} {desc}"  # the bar has what room the words leave
    with tqdm(bar_format=layout, leave=False, dynamic_ncols=True, file=sys.stderr) as bar:

        def show(progress: Progress) -> None:
            bar.total, bar.n = progress.total, progress.done
            bar.set_description_str(state(progress))

        yield show


def state(progress: Progress) -> str:
    """Spell how far a run is, but for how many pictures are done.

    What a person must not miss comes first, since a narrow terminal cuts the end.
    """
    said = [progress.waiting] if progress.waiting else []
    said.append(f"{progress.failed} failed")
    if progress.pictures_per_second:
        said.append(_speed(progress.pictures_per_second))
    if progress.seconds_left is not None:
        said.append(f"{duration(progress.seconds_left)} left")
    if progress.slowest is not None:
        slowest = progress.slowest
        said.append(f"slowest {slowest.seconds:.2g} s by {slowest.worker}")
    return ", ".join(said)


def duration(seconds: float) -> str:
    """Spell a time in its two largest units, such as ``2 h 5 min``."""
    left = round(seconds)
    for at, (unit, length) in enumerate(_UNITS):
        if left >= length:
            whole, rest = divmod(left, length)
            smaller, its_length = _UNITS[min(at + 1, len(_UNITS) - 1)]
            more = rest // its_length
            return f"{whole} {unit}" + (f" {more} {smaller}" if more else "")
    return f"{seconds:.1f} s"


def _speed(pictures_per_second: float) -> str:
    digits = 0 if pictures_per_second >= 100 else 1 if pictures_per_second >= 1 else 3
    return f"{pictures_per_second:.{digits}f} pictures/s"


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
