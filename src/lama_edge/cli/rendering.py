"""How the command line shows results: figures, JSON, and progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def parity_line(parity: dict[str, Any] | None) -> str:
    """Spell a manifest's parity figures in one line."""
    if parity is None:
        return "parity: not checked"
    psnr = "equal" if parity["psnr_db"] is None else f"PSNR {parity['psnr_db']} dB"
    return (
        f"parity: max difference {parity['max_abs_diff']:.1e} inside the hole "
        f"(tolerance {parity['tolerance']:.0e}), {psnr}, against {parity['reference']} "
        f"at {len(parity['sizes'])} size{'s' if len(parity['sizes']) > 1 else ''}"
    )


def print_export(path: Path, size_bytes: int, manifest: dict[str, Any], *, as_json: bool) -> None:
    """Print what an export wrote, and warn of a model that was kept out of tolerance."""
    parity = manifest["parity"]
    if parity is not None and parity["forced"]:
        psnr = "" if parity["psnr_db"] is None else f", {parity['psnr_db']:.1f} dB"
        print(
            f"lama-edge: warning: out of tolerance (difference {parity['max_abs_diff']:.1e}{psnr}) "
            "and kept because of --keep-failed",
            file=sys.stderr,
        )
    if as_json:
        print_json({"path": str(path), "size_bytes": size_bytes, "manifest": manifest})
        return
    print(f"wrote {path} ({size_bytes / 1e6:.1f} MB)")
    print(parity_line(parity))


def milliseconds(value: float) -> str:
    """Spell a duration given in milliseconds with three significant digits and a fitting unit."""
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.3g} ms" if value >= 1 else f"{value * 1000:.3g} µs"


def decibels(value: float | None) -> str:
    """Spell a ratio in dB; None stands for equal results."""
    return "equal" if value is None else f"{value:.1f} dB"


def print_json(value: Any) -> None:
    """Print plain data as JSON on stdout."""
    print(json.dumps(value, indent=2, sort_keys=True))


class Steps:
    """Tells a bar of named steps which one begins, see `steps`."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._begun = 0
        self._step = ""

    def __call__(self, step: str) -> None:
        """Begin a step."""
        self._step = step
        self._bar.set_description_str(step, refresh=False)
        self._bar.n = self._begun
        self._bar.refresh()
        self._begun += 1

    def detail(self, text: str) -> None:
        """Say what the step is at."""
        self._bar.set_description_str(f"{self._step}: {text}")


@contextmanager
def steps() -> Iterator[tuple[Steps, Callable[[int], None]]]:
    """Show a bar of named steps on a terminal; elsewhere stay silent."""
    from tqdm import tqdm

    layout = "{desc:<12} {bar:24} {n_fmt}/{total_fmt} {elapsed}"
    disable = not sys.stderr.isatty()
    with tqdm(
        desc="starting", bar_format=layout, disable=disable, leave=False, file=sys.stderr
    ) as bar:

        def expect(total: int) -> None:
            bar.total = total

        yield Steps(bar), expect


@contextmanager
def within_step() -> Iterator[Callable[[str, float], None]]:
    """Show how far a long step is on a terminal, under the bar of steps; elsewhere stay silent."""
    from tqdm import tqdm

    layout = "{desc:<40.40} {bar:24} {percentage:3.0f} % {elapsed}"
    disable = not sys.stderr.isatty()
    with tqdm(
        total=1.0, position=1, leave=False, disable=disable, bar_format=layout, file=sys.stderr
    ) as bar:

        def progress(what: str, done: float) -> None:
            bar.set_description_str(what, refresh=False)
            bar.n = done
            bar.refresh()

        yield progress


@contextmanager
def counter(unit: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar of counted things on a terminal; elsewhere stay silent.

    Args:
        unit: what is counted, in the plural with a space before it; ``B`` is bytes.

    Yields:
        A function of how many are done and how many there are, or None where nobody knows.
    """
    from tqdm import tqdm

    disable = not sys.stderr.isatty()
    with tqdm(unit=unit, unit_scale=unit == "B", leave=False, disable=disable) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
