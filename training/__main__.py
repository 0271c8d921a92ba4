"""Trains the default model from a folder of text and exports it: `python -m training --help`.

What a run needs to go on lies in <work>/run: its state, its log and its tokenizer. Ctrl+C saves
and exports; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from grok_app.checkpoint.folder import Checkpoint, open_checkpoint, read_config
from grok_app.errors import CheckpointError
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import count, count_active
from training.run.loader import LoaderError
from training.run.nano import NANO
from training.run.optimizer import PEAK
from training.run.phases import PHASES
from training.run.state import StateError
from training.run.trainer import resume, train
from training.run.weights import export
from training.texts.corpus import DIALOGUES, PROSE, CorpusError
from training.texts.dataset import WORK, packed, prepare
from training.texts.pools import Recipe


def main() -> int:
    """Prepares the data, trains, exports; returns the exit status."""
    options = _options()
    try:
        _run(options)
    except (CorpusError, LoaderError, StateError, CheckpointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    config = read_config(options.model) if options.model else NANO
    run = options.work / "run"
    run.mkdir(parents=True, exist_ok=True)
    start = _start(options.start, config, run) if options.start else None
    state = resume(config, options.minutes, run, start)
    data = _prepare(options.corpus, config, options.work, run)
    phases = [
        replace(phase, tokens=phase.tokens * options.larger_steps)
        for phase in (PHASES[1:] if options.no_drill else PHASES)
    ]
    print(
        f"{count(config) / 1e6:.1f} million parameters, {count_active(config) / 1e6:.1f} million "
        f"used by a token; {state.tokens:,} tokens seen in {state.seconds / 60:.1f} minutes"
    )
    with _interruption() as stopped:
        state = train(
            config,
            state,
            data,
            options.minutes,
            run,
            stopped,
            peak=options.rate,
            phases=phases,
            dropout_share=options.dropout,
            workers=options.workers,
        )
    export(state.params, config, run / "tokenizer.model", options.out)
    print(f"{state.tokens:,} tokens seen; exported to {options.out}")


def _start(folder: Path, config: GrokConfig, run: Path) -> Checkpoint:
    """The model from which a new run begins; the run keeps its tokenizer."""
    start = open_checkpoint(folder)
    if start.config != config:
        raise StateError(f"{folder} has other sizes than the model to be trained: see --model")
    if not (run / "tokenizer.model").exists():
        shutil.copy(folder / "tokenizer.model", run)
    return start


def _prepare(corpus: Path | None, config: GrokConfig, work: Path, run: Path) -> Path:
    """The packed tokens. A run keeps its tokenizer, whatever becomes of the text."""
    kept = run / "tokenizer.model"
    if not kept.exists() and (run / "state.npz").exists():
        raise StateError(f"{run} has a state.npz but lacks the tokenizer.model it was trained with")
    recipe = Recipe(vocabulary=config.vocab_size)
    if corpus is None:
        data = packed(work / "data", config.vocab_size, kept)
    else:
        data = prepare(corpus, recipe, work, kept if kept.exists() else None)
    if not kept.exists():
        shutil.copy(data / "tokenizer.model", kept)
    return data


@contextmanager
def _interruption() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl+C was pressed; pressed twice it acts as ever."""
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)
        print("\nstopping after this step", file=sys.stderr)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Trains a small Grok-1 from a folder of text and exports it. Ctrl+C saves and "
        "exports; the same command goes on from there.",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        help=f"folder with {DIALOGUES} and perhaps {PROSE} (default: what was packed before is "
        "read, from <work>/data)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=60,
        help="of training in all, those of earlier runs included (default: %(default)s); fewer "
        "than the run has had: only export; more than a finished run has had: go on from before "
        "its learning rate fell",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="folder of an exported model from which a new run begins, with its tokenizer "
        "(default: random weights)",
    )
    parser.add_argument(
        "--no-drill",
        action="store_true",
        help="leave out the first phase: a model that looks back need not learn it again",
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=PEAK,
        help="the highest learning rate; a run that begins with a model forgets less of it at half "
        "the default (%(default)s)",
    )
    parser.add_argument(
        "--larger-steps",
        type=int,
        default=1,
        help="how many times as many tokens a step as on a CPU, the same from a run's beginning to "
        "its end; a GPU needs 16 to be busy (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="processes that make batches ahead; a GPU needs some 13 (default: %(default)s)",
    )
    parser.add_argument(
        "--dropout",
        type=float,
        default=0.0,
        help="share of what attention and experts give that is left out at each step; of use where "
        "the text is read ten times or more (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("assets/nano"),
        help="where to export (default: %(default)s)",
    )
    parser.add_argument(
        "--work", type=Path, default=WORK, help="where tokens and the run are kept (%(default)s)"
    )
    parser.add_argument(
        "--model", type=Path, help="folder whose config.json has other sizes than the default model"
    )
    options = parser.parse_args()
    if options.larger_steps < 1:
        parser.error(f"--larger-steps is {options.larger_steps}; expected 1 or more")
    if options.workers < 0:
        parser.error(f"--workers is {options.workers}; expected 0 or more")
    if not 0 <= options.dropout < 1:
        parser.error(f"--dropout is {options.dropout}; expected 0 or more, and less than 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
