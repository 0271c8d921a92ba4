"""Trains a run's routers alone: `python -m training.run.routers --help`.

An expert can be for a single kind of text, and next to unused by any other. Here each row is asked
to use them all, as in the run but several times as strictly. The routers are less than a thousandth
of the parameters, and the experts stay as they are: minutes are enough.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import optax
from jax import Array
from tqdm import trange

from grok_app.checkpoint.folder import read_config
from grok_app.errors import CheckpointError
from grok_app.model.config import GrokConfig
from training.run.batches import Batches, sufficient
from training.run.loader import Batch
from training.run.model import loss
from training.run.nano import NANO
from training.run.state import State, StateError
from training.run.weights import Params, export
from training.texts.corpus import CorpusError
from training.texts.dataset import WORK, packed

STEPS = 280
RATE = 2e-3  # at first; it falls to zero
STRICTLY = 0.15  # weight of the loss that keeps all experts in use
ROWS = 4  # of a step, each as long as the context
# Without drills, which are no text; with replies, whose experts are to stay what they are.
MIXTURE = {
    **{"plain": 0.2, "dialogues": 0.15, "more": 0.1, "made": 0.1, "prose": 0.15, "wit": 0.05},
    **{"lesson": 0.15, "long": 0.1},
}


def train_routers(
    params: Params, config: GrokConfig, batches: Callable[[int], Batch], steps: int = STEPS
) -> Params:
    """The parameters with routers that were trained on so many `batches`, by Adam."""
    routers = {module: params[module] for module in params if module.endswith("/router")}
    rest = {module: params[module] for module in params if module not in routers}
    optimizer = optax.adam(optax.linear_schedule(RATE, 0.0, steps))

    @jax.jit
    def update(routers: Params, moments: Any, rest: Params, batch: Array) -> tuple[Params, Any]:
        def objective(routers: Params) -> Array:
            return loss(rest | routers, config, batch, balanced=STRICTLY)[0]

        updates, moments = optimizer.update(jax.grad(objective)(routers), moments)
        return optax.apply_updates(routers, updates), moments

    moments = optimizer.init(routers)
    for step in trange(steps, desc="routers", unit=" steps"):
        routers, moments = update(routers, moments, rest, batches(step))
    return rest | routers


def main() -> int:
    """Writes <work>/run/routed.npz, to be measured, and exports it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.run.routers",
        description="Trains a run's routers alone, so that no expert is for one kind of text only. "
        "Writes <work>/run/routed.npz beside its state, and exports it.",
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="how many (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="tokens and run (%(default)s)")
    parser.add_argument(
        "--state", type=Path, help="what to go on from (default: <work>/run/state.npz)"
    )
    parser.add_argument("--model", type=Path, help="folder whose config.json has other sizes")
    parser.add_argument("--out", type=Path, required=True, help="where to export")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error(f"--steps is {options.steps}; expected 1 or more")
    run = options.work / "run"
    tokenizer = run / "tokenizer.model"
    try:
        config = read_config(options.model) if options.model else NANO
        state = State.load(options.state or run / "state.npz", config)
        length, size = config.sequence_len, config.vocab_size
        if not tokenizer.exists():
            raise StateError(f"{run} lacks the tokenizer.model that the run was trained with")
        data = packed(options.work / "data", size, tokenizer)
        mixture = sufficient(data, MIXTURE, length)
        batches = Batches(data, mixture, rows=ROWS, length=length, vocabulary=size)
        routed = train_routers(state.params, config, batches, options.steps)
        replace(state, params=routed).save(run / "routed.npz")
        export(routed, config, tokenizer, options.out)
    except (CheckpointError, CorpusError, StateError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
