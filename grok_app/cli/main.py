"""Finds the command that was asked for and runs it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Protocol

from grok_app.cli import eval, inspect, plan, trace, verify
from grok_app.errors import GrokError


class Command(Protocol):
    """A command is a module: its name is what one types, its docstring what `--help` says."""

    __name__: str
    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Adds the command's arguments."""
        ...

    def run(self, given: argparse.Namespace) -> int:
        """Does it; the exit status is 0 where all is well. May raise GrokError."""
        ...


COMMANDS: tuple[Command, ...] = (plan, verify, inspect, eval, trace)


def main(arguments: Sequence[str]) -> int:
    """Runs a command. The exit status is the command's own, or 2 where it could not be done."""
    given = _parser().parse_args(arguments)
    try:
        return given.run(given)
    except GrokError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # as in `| head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m grok_app",
        description="What there is to do with a checkpoint beside serving it (see app.py).",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        text = command.__doc__ or ""
        sub = commands.add_parser(
            command.__name__.rpartition(".")[2],
            help=text.partition("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(sub)
        sub.set_defaults(run=command.run)
    return parser
