"""The command line: flags become one frozen dataclass, one call does the work, this renders it.

Results go to stdout, progress and logs to stderr. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

import lama_edge
from lama_edge.cli.bench import add_bench
from lama_edge.cli.demo import add_demo
from lama_edge.cli.doctor import add_doctor
from lama_edge.cli.export import add_export
from lama_edge.cli.inpainting import add_inpaint
from lama_edge.cli.inspect import add_inspect, renewed
from lama_edge.cli.inspect.ranges import add_ranges
from lama_edge.cli.inspect.support import add_support
from lama_edge.cli.measure import add_compare, add_parity
from lama_edge.cli.models import add_models
from lama_edge.cli.shell.completion import add_completion
from lama_edge.cli.shell.parser import Parser, common_options
from lama_edge.cli.signals import in_order
from lama_edge.cli.tradeoff import add_tradeoff
from lama_edge.errors import INTERRUPTED, LamaEdgeError, one_line, spelling_flags

Command = Callable[[argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after ``lama-edge``; None takes them from the process.

    Returns:
        0 done, 1 parity failed or a regression, 2 wrong usage or input, 3 missing backend,
        130 interrupted, 143 terminated, 129 the terminal hung up.
    """
    parser = _parser()
    options = parser.parse_args(renewed(sys.argv[1:] if arguments is None else arguments))
    if options.command is None:
        parser.print_help()
        return 0
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING,
        format="lama-edge: %(message)s",
        stream=sys.stderr,
    )
    command: Command = options.command
    stopped: list[int] = []
    try:
        with in_order(stopped), spelling_flags():
            exit_code = command(options) or 0
        sys.stdout.flush()
    except LamaEdgeError as error:
        if options.debug:
            traceback.print_exc()
        print(f"lama-edge: error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        with suppress(OSError):  # of a terminal that is gone
            print("lama-edge: interrupted", file=sys.stderr)
        return 128 + stopped[0] if stopped else INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; keep Python from complaining later.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return exit_code


def _parser() -> argparse.ArgumentParser:
    common = common_options()
    parser = Parser(
        prog="lama-edge",
        description="LaMa image inpainting on edge devices: export, check, run and measure.",
        epilog="`lama-edge COMMAND --help` has the options of a command.",
    )
    parser.add_argument(
        "--version", action="version", version=lama_edge.__version__, help="print the version"
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        add_export,
        add_inpaint,
        add_parity,
        add_bench,
        add_compare,
        add_tradeoff,
        add_inspect,
        add_ranges,
        add_support,
        add_models,
        add_demo,
        add_doctor,
        add_completion,
    ):
        add(commands, common)
    return parser
