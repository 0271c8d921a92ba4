"""Tell whether a checkpoint's files are all there and whole.

Reads headers only, so it takes a moment even for Grok-1: every expected file, its tensor's shape
and type, and its size to the byte. With --sha256 it then reads everything and compares digests.
The exit status is 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from grok_app.checkpoint.folder import survey
from grok_app.checkpoint.plan import gigabytes
from grok_app.checkpoint.verify import read_digests, wrong_digests


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="the model's folder")
    parser.add_argument(
        "--sha256",
        metavar="FILE",
        type=Path,
        help="also compare digests with those in FILE, as sha256sum writes them",
    )


def run(given: argparse.Namespace) -> int:
    """Prints all that is wrong, then a line of summary."""
    digests = read_digests(given.sha256) if given.sha256 else {}
    found = survey(given.checkpoint)
    problems = found.problems
    if given.sha256:
        problems = problems + wrong_digests(given.checkpoint, digests)
    for problem in problems:
        print(problem)
    if not (given.checkpoint / "tokenizer.model").is_file():
        print(f"note: {given.checkpoint} has no tokenizer.model: it can serve token ids only")
    checkpoint = found.checkpoint
    print(
        f"{given.checkpoint}: {len(checkpoint.tensors)} files are right, "
        f"{gigabytes(checkpoint.nbytes)}; {len(problems) or 'no'} "
        f"problem{'s' if len(problems) != 1 else ''}"
        + ("" if digests else " in the headers; contents were not read")
    )
    return 1 if problems else 0
