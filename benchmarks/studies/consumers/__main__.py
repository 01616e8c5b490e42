"""Measures what reads exported ONNX files: ``make consumers``.

A second run measures what is missing only; ``--again`` measures everything anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lama_edge.benchmarks.studies.consumers.cells import MODELS, files
from lama_edge.benchmarks.studies.consumers.consumers import CONSUMERS, chosen
from lama_edge.benchmarks.studies.consumers.environments import default_folder, install
from lama_edge.benchmarks.studies.consumers.run import fill
from lama_edge.errors import MissingBackendError, exit_code_of

RESULT = Path("benchmarks/results/consumers.jsonl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the matrix, or install what the tests want.

    Args:
        arguments: the command line's; None takes those of the process.

    Returns:
        The exit code: 0 done, 2 wrong usage, 3 what the tests want could not be installed, 130
        interrupted. A cell that fails is a result.
    """
    options = _parser().parse_args(arguments)
    return exit_code_of(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if options.install_light:
        return _install_light(options.environments)
    fill(
        chosen(None if options.consumers is None else tuple(options.consumers)),
        [
            file
            for file in files(tuple(options.models))
            if options.precision in (None, file.precision)
        ],
        options.result,
        options.environments,
        lambda text: print(f"consumers: {text}", file=sys.stderr),
        again=options.again,
    )
    return 0


def _install_light(folder: Path) -> int:
    """Make what can be made, and say what cannot."""
    code = 0
    for environment in {one.environment: None for one in CONSUMERS if one.light}:
        try:
            install(environment, folder)
        except MissingBackendError as error:
            print(f"lama-edge: error: {error}", file=sys.stderr)
            code = error.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.benchmarks.studies.consumers", description=__doc__
    )
    add = parser.add_argument
    add("--consumers", nargs="+", metavar="NAME", help="only these")
    add("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL", help="only these")
    add("--precision", metavar="PRECISION", help="only files of this precision")
    add("--again", action="store_true", help="measure what is there already, too")
    add("--result", type=Path, default=RESULT, metavar="RESULT.jsonl")
    add("--environments", type=Path, default=default_folder(), metavar="FOLDER",
        help="where the consumers' environments are (default: %(default)s)")  # fmt: skip
    add("--install-light", action="store_true", help="only make what the tests want")
    return parser


if __name__ == "__main__":
    sys.exit(main())
