"""Tell whether a checkpoint's files are all there and whole.

Reads headers only, so it takes a moment even for Grok-1: every expected file, its tensor's shape
and type, and its size to the byte. With --sha256 it then reads everything and compares digests.
The exit status is 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from grok_app.checkpoint.devices import overlooked_gpus
from grok_app.checkpoint.folder import survey
from grok_app.checkpoint.plan import gigabytes
from grok_app.checkpoint.verify import read_digests, wrong_digests
from grok_app.engine.tokenizer import Tokenizer
from grok_app.errors import CheckpointError


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
    problems = [*found.problems, *_wrong_tokenizer(given.checkpoint)]
    if given.sha256:
        problems = problems + wrong_digests(given.checkpoint, digests)
    for problem in problems:
        print(problem)
    if not (given.checkpoint / "tokenizer.model").is_file():
        print(f"note: {given.checkpoint} has no tokenizer.model: it can serve token ids only")
    if not (given.checkpoint / "config.json").is_file():
        print(f"note: {given.checkpoint} has no config.json: it is taken for Grok-1 itself")
    if note := overlooked_gpus():
        print(f"note: {note}")
    checkpoint = found.checkpoint
    read = "" if digests else " by their headers; contents were not read"
    held = f"{len(checkpoint.tensors)} files, {gigabytes(checkpoint.nbytes)}"
    if problems:
        plural = "s" if len(problems) > 1 else ""
        print(f"{given.checkpoint}: NOT right: {len(problems)} problem{plural}; {held} readable")
    else:
        print(f"{given.checkpoint}: all {held}, are right{read}")
    return 1 if problems else 0


def _wrong_tokenizer(folder: Path) -> list[str]:
    path = folder / "tokenizer.model"
    try:
        if path.is_file():
            Tokenizer(path)
    except CheckpointError as error:
        return [str(error)]
    return []
