"""Trains the default model from a folder of text and exports it: `python -m training --help`."""

from __future__ import annotations

import argparse
import sys
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from grok_app.model.parameters import count, count_active
from training.batches import Batches
from training.corpus import CorpusError
from training.dataset import WORK, Recipe, prepare
from training.nano import NANO
from training.optimizer import optimizer
from training.state import State
from training.trainer import PHASES, Phase, resume, train
from training.weights import export, random_parameters


def main() -> int:
    """Prepares the data, trains, exports; returns the exit status."""
    arguments = _arguments()
    try:
        data = prepare(arguments.corpus, Recipe(vocabulary=NANO.vocab_size), arguments.work)
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    folder = arguments.work / "run"
    folder.mkdir(parents=True, exist_ok=True)
    params = jax.tree.map(jnp.asarray, random_parameters(NANO))
    state = resume(State(params, optimizer().init(params)), arguments.minutes, folder)
    print(
        f"{count(NANO) / 1e6:.1f} million parameters, {count_active(NANO) / 1e6:.1f} million used "
        f"by a token; {state.tokens:,} tokens seen in {state.seconds / 60:.0f} minutes"
    )
    try:
        state = train(NANO, state, _draw(data), arguments.minutes, folder)
    except KeyboardInterrupt:
        print("\nstopped; exporting the last saved state")
        state = resume(state, 0, folder)
    export(state.params, NANO, data / "tokenizer.model", arguments.out)
    print(f"exported to {arguments.out}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder with dialogues.jsonl.gz, prose.jsonl.gz"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=60,
        help="of training in all, those of earlier runs included (default: 60); fewer than the run "
        "has had: only export",
    )
    parser.add_argument("--out", type=Path, default=Path("assets/nano"), help="where to export to")
    parser.add_argument(
        "--work", type=Path, default=WORK, help="where tokens and the run's state are kept"
    )
    return parser.parse_args()


def _draw(data: Path):
    @lru_cache
    def batches(phase: int) -> Batches:
        chosen = PHASES[phase]
        rows = chosen.tokens // chosen.length
        return Batches(data, chosen.mixture, rows=rows, length=chosen.length)

    def draw(phase: Phase, step: int) -> np.ndarray:
        return batches(PHASES.index(phase))(step)

    return draw


if __name__ == "__main__":
    sys.exit(main())
