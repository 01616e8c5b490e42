"""What an export is asked for in, by Python or the command line: words and numbers."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.record import Export, Format, format_named, formats
from lama_edge.spec import IoForm, Size


def export_job(
    source: str | Path | None,
    output: str | Path,
    *,
    form: Format,
    size: int | str | Size | Sequence[int | str | Size] | None = (),
    precision: str | None = None,
    io: IoForm | None = None,
    composite: bool = True,
    calibrate: str | Path | None = None,
    ignore: str | Sequence[str] | None = (),
    overwrite: bool = False,
    parity: bool = True,
    keep_failed: bool = False,
    options: Mapping[str, Any],
) -> Export:
    """Return the job of a `lama_edge.export`, whose arguments these are.

    Args:
        source: the checkpoint; None is the embedded lama-tiny.
        output: see `lama_edge.export`.
        form: the format.
        size: see `lama_edge.export`; None is nothing said.
        precision: see `lama_edge.export`.
        io: see `lama_edge.export`.
        composite: see `lama_edge.export`.
        calibrate: see `lama_edge.export`.
        ignore: see `lama_edge.export`; None is nothing said.
        overwrite: see `lama_edge.export`.
        parity: see `lama_edge.export`.
        keep_failed: see `lama_edge.export`.
        options: the format's own, by `Option.name`; None is nothing said.

    Raises:
        UsageError: when a size is none, or an option has a value of another kind.
    """
    return Export(
        format=form.name,
        source=source,
        output=Path(output),
        sizes=tuple(form.parse_size(_word(one)) for one in _listed(size)),
        precision=precision,
        io=io,
        composite=composite,
        calibrate=None if calibrate is None else Path(calibrate),
        options=_own(form, options),
        overwrite=overwrite,
        check_parity=parity,
        keep_failed=keep_failed,
        ignore=(ignore,) if isinstance(ignore, str) else tuple(ignore or ()),
    )


def format_of(output: Path, name: str | None) -> Format:
    """Return the format of a name, or without one that of an output's suffix.

    Raises:
        UsageError: when there is none, or several have the suffix.
    """
    if name is not None:
        return format_named(name)
    fitting = [one for one in formats() if one.suffix == output.suffix.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"{output.suffix} is the suffix of several formats: say which with "
            f"{parameter('format', *(one.name for one in fitting))}"
        )
    known = ", ".join(f"{one.suffix} ({one.name})" for one in formats())
    raise UsageError(f"no format has the suffix of {str(output)!r}; there are: {known}")


def option_name(name: str) -> str:
    """Return an option's name as its format has it, without what keeps it apart from a keyword."""
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name


def _listed(size: Any) -> Sequence[Any]:
    if size is None:
        return ()
    if isinstance(size, tuple) and any(isinstance(one, int) for one in size):
        # Of two numbers nobody knows whether they are one size or two.
        raise UsageError(
            f"{parameter('size', size)} is no size: give 'HEIGHTxWIDTH', such as '512x768', or a "
            "list of several"
        )
    return size if isinstance(size, list | tuple) else [size]


def _word(size: Any) -> str:
    if isinstance(size, bool) or not isinstance(size, int | str | Size):
        raise UsageError(
            f"{parameter('size', size)} is not a size; give 512, '512x768' (height x width) or "
            "'dynamic'"
        )
    return str(size)


def _own(form: Format, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a format's own options, of the kinds that it expects; who they are is the flow's."""
    known = {option.name: option for option in form.options}
    checked = {name: value for name, value in options.items() if value is not None}
    for name, value in checked.items():
        option = known.get(name)
        if option is None:
            continue
        if option.repeats:
            checked[name] = (value,) if isinstance(value, str) else tuple(value)
        elif option.default is False and not isinstance(value, bool):
            raise UsageError(f"{parameter(name)} is {value!r}; give True or False")
        elif option.parse is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise UsageError(f"{parameter(name)} is {value!r}; give a whole number")
    return checked
