"""What an export is asked for in, by Python or the command line: words and numbers."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.errors import UsageError, parameter
from lama_edge.exporters.formats.record import Export, Format, format_named, formats
from lama_edge.spec import IoForm, Progress, Size, untold

if TYPE_CHECKING:
    from lama_edge.pipeline import ExportResult


def export(
    checkpoint: str | Path,
    output: str | Path,
    *,
    format: str | None = None,
    size: int | str | Size | Sequence[int | str | Size] = (),
    precision: str | None = None,
    io: IoForm | None = None,
    composite: bool = True,
    calibrate: str | Path | None = None,
    ignore: str | Sequence[str] = (),
    overwrite: bool = False,
    parity: bool = True,
    keep_failed: bool = False,
    progress: Progress = untold,
    **options: Any,
) -> ExportResult:
    """Export a checkpoint for a runtime, judge the result, and write it with its manifest.

    ``export("big-lama/", "lama.onnx", size=512, for_="web")`` is what ``lama-edge export onnx
    big-lama/ -o lama.onnx --size 512 --for web`` is on the command line, whose help
    (``lama-edge export FORMAT --help``) says what each format takes.

    Args:
        checkpoint: a folder with ``config.yaml``, a ``.ckpt``, ``.pt`` or ``.safetensors`` file,
            or a name from ``lama-edge models list``, such as ``lama-tiny``, which comes with the
            package. ``FILE#NAME`` is one generator of several. For ``.engine`` also an ONNX file
            of ours.
        output: what to write. Its suffix says the format: ``.onnx``, ``.mlpackage`` (Core ML),
            ``.tflite`` (LiteRT), ``.engine`` (TensorRT), ``.pte`` (ExecuTorch), ``.xml``
            (OpenVINO), ``.param`` (ncnn) or ``.mnn``.
        format: the format's name, such as ``onnx``, where the suffix is several formats'.
        size: of the pictures, in pixels: ``512`` for a square, ``"512x768"`` (height x width), a
            `Size`, or ``"dynamic"`` for any; a list of these where a format takes several. Left
            out it is the format's default.
        precision: ``fp32``, ``fp16``, ``w8`` or ``int8``, as far as the format has it; None is
            its default.
        io: form of the inputs and the output: ``float`` (float32, 0 to 1), ``uint8`` (0 to 255)
            or ``image`` (Core ML's pictures); None is the format's first.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        calibrate: a folder of pictures to measure ranges on for reduced precisions; None draws
            some.
        ignore: parts or tensors of the checkpoint to leave out, see `load_checkpoint`.
        overwrite: whether an existing output may be replaced.
        parity: whether to judge the result against the checkpoint before it is kept.
        keep_failed: whether to keep one that is out of tolerance; its manifest says so.
        progress: called with the name of each step as it begins.
        options: the format's own, by their names, such as ``opset=17``; one that is a word of
            Python's, such as ``for``, with an underscore after it.

    Returns:
        Where it was written, its size in bytes, its manifest and whether it failed and was kept.

    Raises:
        UsageError: when an option is unknown, cannot be used or not with another, or the output
            cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when the format's own tool refuses the graph.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when what the format needs is not installed; says the extra.
    """
    job = export_job(
        checkpoint,
        output,
        form=_format_of(Path(output), format),
        size=size,
        precision=precision,
        io=io,
        composite=composite,
        calibrate=calibrate,
        ignore=ignore,
        overwrite=overwrite,
        parity=parity,
        keep_failed=keep_failed,
        options={_plain(name): value for name, value in options.items()},
    )
    # Imported here because the command line asks for jobs alone before it begins.
    from lama_edge.pipeline import export_model

    return export_model(job, progress)


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
    """Return the job of an `export`, whose arguments these are.

    Args:
        source: the checkpoint; None is the embedded lama-tiny.
        output: see `export`.
        form: the format.
        size: see `export`; None is nothing said.
        precision: see `export`.
        io: see `export`.
        composite: see `export`.
        calibrate: see `export`.
        ignore: see `export`; None is nothing said.
        overwrite: see `export`.
        parity: see `export`.
        keep_failed: see `export`.
        options: the format's own, by `Option.name`.

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


def _format_of(output: Path, name: str | None) -> Format:
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
    checked = dict(options)
    for name, value in options.items():
        option = known.get(name)
        if option is None or value is None:
            continue
        if option.repeats:
            checked[name] = (value,) if isinstance(value, str) else tuple(value)
        elif option.default is False and not isinstance(value, bool):
            raise UsageError(f"{parameter(name)} is {value!r}; give True or False")
        elif option.parse is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise UsageError(f"{parameter(name)} is {value!r}; give a whole number")
    return checked


def _plain(name: str) -> str:
    bare = name.removesuffix("_")
    return bare if keyword.iskeyword(bare) else name
