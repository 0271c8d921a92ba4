"""Mixes a run's weights with those it began with: `python -m training.run.blend --help`.

A run that begins with a trained model learns what is new and forgets some of what was known. The
mean of the two sets of weights has most of both (Wortsman et al., arXiv 2109.01903), as long as
the one has not gone far from the other.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import jax

from grok_app.checkpoint.folder import Checkpoint, open_checkpoint
from grok_app.errors import CheckpointError
from training.run.state import State, StateError
from training.run.weights import Params, export, exported_parameters
from training.texts.dataset import WORK


def blend(start: Checkpoint, params: Params, share: float) -> Params:
    """`share` of the weights of `start` and the rest of `params`, of the same sizes."""
    return jax.tree.map(
        lambda old, new: share * old + (1 - share) * new, exported_parameters(start), params
    )


def main() -> int:
    """Writes <work>/run/blended.npz and exports it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.run.blend",
        description="Mixes a run's weights with those of the model that it began with.",
    )
    parser.add_argument("--start", type=Path, required=True, help="the model it began with")
    parser.add_argument("--share", type=float, required=True, help="of its weights, from 0 to 1")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of the run (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="where to export")
    options = parser.parse_args()
    if not 0 <= options.share <= 1:
        parser.error(f"--share is {options.share}; expected a number from 0 to 1")
    run = options.work / "run"
    try:
        start = open_checkpoint(options.start)
        state = State.load(run / "state.npz", start.config)
        mixed = replace(state, params=blend(start, state.params, options.share))
        mixed.save(run / "blended.npz")
        export(mixed.params, start.config, run / "tokenizer.model", options.out)
    except (CheckpointError, StateError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
