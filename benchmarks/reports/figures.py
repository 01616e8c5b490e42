"""How reports spell figures: units that fit the value, three digits, a dash where nobody knows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

UNKNOWN = "–"
_NBSP = "\u00a0"
_BINARY = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_DECIMAL = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_DURATIONS = ((60_000.0, "min"), (1000.0, "s"), (1.0, "ms"), (1e-3, "µs"))
# A duration is spelled in minutes only where seconds would need four digits.
_LEAST_MINUTES_MS = 600_000.0


def duration(value_ms: float | None) -> str:
    """Spell a duration given in milliseconds: ``204 µs``, ``41.3 ms``, ``1.02 s``, ``60.2 s``."""
    if value_ms is None:
        return UNKNOWN
    scale, unit = duration_unit(value_ms)
    return f"{digits(value_ms / scale)}{_NBSP}{unit}"


def duration_unit(value_ms: float) -> tuple[float, str]:
    """Return how many milliseconds the unit that fits a duration has, and the unit's name."""
    for scale, unit in _DURATIONS[:-1]:
        least = _LEAST_MINUTES_MS if unit == "min" else scale
        if abs(value_ms) >= least * 0.9995:
            return scale, unit
    return _DURATIONS[-1]


def memory(value_bytes: float | None) -> str:
    """Spell an amount of memory with binary prefixes: ``412 MiB``, ``1.6 GiB``."""
    return UNKNOWN if value_bytes is None else _amount(value_bytes, memory_unit(value_bytes))


def memory_unit(value_bytes: float) -> tuple[float, str]:
    """Return the binary unit that fits: how many bytes it has, and its name."""
    return _unit(value_bytes, _BINARY)


def file_size(value_bytes: float | None) -> str:
    """Spell a file's size with decimal prefixes, as file managers do: ``204 MB``."""
    return UNKNOWN if value_bytes is None else _amount(value_bytes, file_unit(value_bytes))


def file_unit(value_bytes: float) -> tuple[float, str]:
    """Return the decimal unit that fits: how many bytes it has, and its name."""
    return _unit(value_bytes, _DECIMAL)


def _unit(value: float, units: tuple[tuple[int, str], ...]) -> tuple[float, str]:
    for scale, unit in units:
        if value >= scale * 0.9995:
            return scale, unit
    return 1, "B"


def _amount(value: float, unit: tuple[float, str]) -> str:
    scale, name = unit
    return f"{digits(value / scale)}{_NBSP}{name}"


def digits(value: float) -> str:
    """Spell a number with three digits, and with all of them where it has more before the point."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    places = max(0, 2 - math.floor(math.log10(abs(rounded)) + 1e-9))
    return f"{value:,.{min(places, 6)}f}".replace(",", "\u202f")


def two_digits(value: float) -> str:
    """Spell how many times something is enlarged: ``12 000``."""
    return f"{float(f'{value:.2g}'):,.10g}".replace(",", "\u202f")


def scientific(value: float | None) -> str:
    """Spell a difference on the 0-to-1 scale: ``1.5e-6``, ``0`` where there is none."""
    if value is None:
        return UNKNOWN
    if value == 0 or not math.isfinite(value):
        return digits(value)
    if 0.01 <= abs(value) < 100:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def percent(share: float | None) -> str:
    """Spell a share from 0 to 1 in percent; one too small for the digits reads ``<0.01 %``."""
    if share is None:
        return UNKNOWN
    value = share * 100
    if 0 < value < 0.01:
        return f"<0.01{_NBSP}%"
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 1 else 2}f}{_NBSP}%"


def decibels(value: float | None, *, missing: str = UNKNOWN) -> str:
    """Spell a ratio in decibels; `missing` stands where there is none."""
    return missing if value is None else f"{value:.1f}{_NBSP}dB"


def decibels_of(found: Mapping[str, Any], key: str) -> str:
    """Spell one of the ratios of a comparison, equal where its ``psnr_db`` says so."""
    return decibels(found[key], missing="equal" if found["psnr_db"] is None else UNKNOWN)


def ssim(value: float | None) -> str:
    """Spell a structural similarity."""
    return UNKNOWN if value is None else f"{value:.5f}"


def ratio(value: float | None) -> str:
    """Spell how many times something is something else: ``0.52×``."""
    if value is None:
        return UNKNOWN
    return f"{value:.2f}×" if 0.0095 <= value < 10 else f"{digits(value)}×"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Spell a number of things: ``1 run``, ``3 runs``."""
    return f"{number}{_NBSP}{noun if number == 1 else plural or noun + 's'}"


def size(text: str | None) -> str:
    """Spell a size given as ``HEIGHTxWIDTH`` with a proper sign."""
    return UNKNOWN if text is None else text.replace("x", "×")


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Render rows of cells, the first of them the headings, as lines of aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
