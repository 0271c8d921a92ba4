"""The training run: phases, steps, progress, saving."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
from jax import Array
from tqdm import tqdm

from grok_app.model.config import GrokConfig
from training.model import loss
from training.optimizer import DECAY_PART, learning_rate, optimizer
from training.state import State

SAVE_EVERY = 300.0  # seconds
LOG_EVERY = 20  # steps


@dataclass(frozen=True)
class Phase:
    """A part of the run.

    Attributes:
        until: the share of the budget at which it ends.
        length: tokens a row; rows follow from `tokens`.
        tokens: tokens a step.
        mixture: how likely a row is from each source.
    """

    until: float
    length: int
    tokens: int
    mixture: dict[str, float]


_BROAD = {"plain": 0.25, "dialogues": 0.55, "wit": 0.06, "prose": 0.14}
_TALK = {"plain": 0.3, "dialogues": 0.6, "wit": 0.1}

PHASES = (
    Phase(0.60, 256, 2048, _BROAD),
    Phase(0.75, 256, 4096, _BROAD),
    Phase(1.00, 1024, 4096, _TALK),
)

Draw = Callable[[Phase, int], np.ndarray]
"""(phase, step) -> int32 [rows, length + 1], always the same for the same arguments."""


def train(config: GrokConfig, state: State, draw: Draw, minutes: float, folder: Path) -> State:
    """Trains until the run has taken `minutes` in all; state.npz and log.jsonl go to `folder`.

    The state before the learning rate's decay stays in stable.npz: a later, longer run goes on
    from there (see `resume`).
    """
    budget = 60 * minutes
    update = jax.jit(partial(_update, config), donate_argnums=(0, 1))
    saved = time.monotonic()
    with tqdm(total=round(budget), initial=round(state.seconds), unit="s") as bar:
        while (progress := state.seconds / budget) < 1:
            started = time.monotonic()
            phase = next(phase for phase in PHASES if progress < phase.until)
            rate = learning_rate(state.step, progress)
            batch = draw(phase, state.step)
            state.params, state.moments, metrics = update(state.params, state.moments, batch, rate)
            metrics = {name: float(value) for name, value in metrics.items()}  # waits for the step
            was_stable = progress < 1 - DECAY_PART
            state.step += 1
            state.tokens += batch.size - len(batch)
            state.seconds += time.monotonic() - started
            if state.step % LOG_EVERY == 0:
                _log(folder, bar, state, metrics, rate, phase)
            if was_stable and state.seconds / budget >= 1 - DECAY_PART:
                state.save(folder / "stable.npz")
            if time.monotonic() - saved > SAVE_EVERY:
                state.save(folder / "state.npz")
                saved = time.monotonic()
    state.save(folder / "state.npz")
    return state


def resume(state: State, minutes: float, folder: Path) -> State:
    """The saved state of a run in `folder`, or `state` where there is none.

    A run whose learning rate has decayed further than a run of `minutes` would have it by then
    goes on from before its decay, where a higher rate still does good.
    """
    latest, stable = folder / "state.npz", folder / "stable.npz"
    if not latest.exists():
        return state
    if not stable.exists():
        return state.load(latest)
    before = state.load(stable)
    return before if before.seconds < 60 * minutes * (1 - DECAY_PART) else state.load(latest)


def _update(
    config: GrokConfig, params: dict, moments: optax.OptState, batch: Array, rate: float
) -> tuple[dict, optax.OptState, dict[str, Array]]:
    gradients, metrics = jax.grad(loss, has_aux=True)(params, config, batch)
    moments.hyperparams["learning_rate"] = rate  # type: ignore[attr-defined]
    updates, moments = optimizer().update(gradients, moments, params)
    return optax.apply_updates(params, updates), moments, metrics  # type: ignore[return-value]


def _log(
    folder: Path, bar: tqdm, state: State, metrics: dict[str, float], rate: float, phase: Phase
) -> None:
    speed = state.tokens / state.seconds
    line = {"step": state.step, "tokens": state.tokens, "seconds": round(state.seconds, 1)}
    line |= {"rate": rate, "length": phase.length} | {k: round(v, 4) for k, v in metrics.items()}
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    bar.update(round(state.seconds) - bar.n)
    bar.set_postfix_str(
        f"step {state.step}, {state.tokens / 1e6:.2f}M tokens, loss {metrics['loss']:.3f}, "
        f"{speed:.0f} tokens/s"
    )
