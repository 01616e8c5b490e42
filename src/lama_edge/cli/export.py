"""`lama-edge export`: a checkpoint becomes an artifact of one of the registered formats."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lama_edge.cli.rendering import print_export, steps, within_step
from lama_edge.errors import UsageError
from lama_edge.exporters.formats.job import export_job
from lama_edge.exporters.formats.record import SIZE_RULE, Format, Option, Retired, formats
from lama_edge.files import join_part, split_part
from lama_edge.retired import Meaning, add_retired

_FAILED = 1
# What comes to stand beside an output.
_BESIDE = {
    "split": "; OUT.bin, with the weights, comes beside it",
    "pair": "; OUT{}.json, with the manifest, comes beside it",
}


def add_export(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge export`, with a subcommand a format."""
    export = commands.add_parser(
        "export",
        help="export a checkpoint for a runtime",
        description="Export a checkpoint to one of these formats; `lama-edge export FORMAT --help` "
        f"has the options of each. Without --size an export is for {SIZE_RULE}.",
    )
    listed = export.add_subparsers(title="formats", metavar="FORMAT", required=True)
    for form in formats():
        _add_format(listed, common, form)


def _add_format(listed: Any, common: argparse.ArgumentParser, form: Format) -> None:
    or_model = f", or a model that ends in {' or '.join(form.takes)}" if form.takes else ""
    command = listed.add_parser(
        form.name,
        parents=[common],
        help=f"{form.title} {form.about}",
        description=f"Export a checkpoint{or_model} to {form.title}, check it against the "
        "reference, and write it with its manifest and parity figures.",
        epilog=f'Needs: `pip install "lama-edge[{form.extra}]"`',
    )
    command.add_argument(
        "source",
        nargs="?",
        metavar="CHECKPOINT | MODEL" if form.takes else "CHECKPOINT",
        help="folder with config.yaml, .ckpt, .pt or .safetensors file"
        + or_model
        + " (default: lama-tiny)",
    )
    command.add_argument(
        "--entry",
        metavar="NAME",
        help="which generator of a checkpoint with several; CHECKPOINT#NAME says the same",
    )
    command.add_argument(
        "--ignore",
        action="append",
        metavar="NAME",
        help="leave out a part or tensor that is not read, as another model; may repeat",
    )
    command.add_argument(
        "-o",
        "--output",
        required=True,
        type=Path,
        metavar=f"OUT{form.suffix}",
        help="what to write" + _BESIDE.get(form.kind, "").format(form.suffix),
    )
    command.add_argument("--size", action="append", metavar="SIZE", help=form.size_help)
    command.add_argument(
        "--precision",
        choices=form.precisions,
        help=f"number format: {form.precision_help} (default: {form.precision})",
    )
    command.add_argument(
        "--io",
        choices=form.io_forms,
        help=f"form of the inputs and the output (default: {form.io_forms[0]})",
    )
    command.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="measure the ranges of reduced precisions on these pictures (default: drawn ones)",
    )
    for option in form.options:
        _add_option(command, option)
    command.add_argument(
        "--no-composite", action="store_true", help="return the raw fill, named `predicted`"
    )
    command.add_argument(
        "--no-parity", action="store_true", help="skip the check; the manifest says it"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    command.add_argument(
        "--keep-failed",
        action="store_true",
        help="keep what is out of tolerance; its manifest says so, and the exit code is 1",
    )
    add_retired(command, "--force", "--overwrite and --keep-failed", _force)
    for old in form.retired:
        add_retired(
            command, old.flag, old.instead, _meaning(old), takes=str, choices=tuple(old.values)
        )
    command.set_defaults(command=_exporting(form), retired={})


def _add_option(command: argparse.ArgumentParser, option: Option) -> None:
    if option.default is False:
        command.add_argument(option.flag, action="store_true", help=option.help)
        return
    command.add_argument(
        option.flag,
        action="append" if option.repeats else "store",
        type=option.parse,
        choices=option.choices or None,
        default=None if option.repeats else option.default,
        metavar=option.metavar,
        help=option.help,
    )


def _force(options: argparse.Namespace, value: Any) -> None:
    options.overwrite = options.keep_failed = True


def _meaning(old: Retired) -> Meaning:
    def mean(options: argparse.Namespace, value: str) -> None:
        options.retired = {**options.retired, **old.values[value]}

    return mean


def _source(options: argparse.Namespace, form: Format) -> str | None:
    source: str | None = options.source
    if options.entry is None:
        return source
    if source is not None and source.lower().endswith(form.takes):
        raise UsageError("--entry is settled in an ONNX file: leave it out, or give the checkpoint")
    from lama_edge.models.checkpoint import EMBEDDED_NAME  # brings numpy

    named = source or EMBEDDED_NAME
    if split_part(named)[1] is not None:
        raise UsageError(f"--entry {options.entry}: {named!r} names a generator already")
    return join_part(named, options.entry)


def _meant(options: argparse.Namespace, form: Format, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what old spellings stand for, unless today's say otherwise."""
    meant: Mapping[str, Any] = options.retired
    for option in form.options:
        given = own.get(option.name, option.default)
        old = meant.get(option.name, given)
        if given not in (option.default, old):
            raise UsageError(
                f"{option.flag} is {given}, and {old} by an old spelling: leave one of them out"
            )
    return meant


def _exporting(form: Format) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        own: dict[str, Any] = {
            option.name: value
            for option in form.options
            for value in [getattr(options, option.name)]
            if value is not None
        }
        job = export_job(
            _source(options, form),
            options.output,
            form=form,
            size=options.size,
            precision=options.precision,
            io=options.io,
            composite=not options.no_composite,
            calibrate=options.calibrate,
            options={**own, **_meant(options, form, own)},
            overwrite=options.overwrite,
            parity=not options.no_parity,
            keep_failed=options.keep_failed,
            ignore=options.ignore,
        )
        with steps() as (progress, expect), within_step() as within:
            from lama_edge.pipeline import STEPS, export_model

            expect(len(STEPS))
            result = export_model(job, progress, within)
        manifest = result.manifest
        print_export(result.path, result.size_bytes, manifest.to_dict(), as_json=options.json)
        if not options.json:
            for line in form.summary(manifest):
                print(line)
        return _FAILED if result.kept_failed else 0

    return run
