"""The training run: phases, steps, saving."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax import Array

from grok_app.checkpoint.folder import Checkpoint
from grok_app.model.config import GrokConfig
from training.batches import Batches, sufficient
from training.model import loss
from training.optimizer import DECAY_PART, PEAK, learning_rate, optimizer
from training.progress import Progress
from training.state import State
from training.weights import Params, exported_parameters

SAVE_EVERY = 300.0  # seconds


@dataclass(frozen=True)
class Phase:
    """A part of the run.

    Attributes:
        until: the share of the budget at which it ends.
        context: the share of the model's context that a row fills.
        tokens: tokens a step, in as many rows as that makes.
        mixture: how likely a row is from each pool.
        disguised: the share of the rows of text in which words have other names.
    """

    until: float
    context: float
    tokens: int
    mixture: Mapping[str, float]
    disguised: float

    def batches(self, data: Path, config: GrokConfig) -> Batches:
        """Its batches. A pool too small for a row is left out: a corpus may have no books."""
        length = int(self.context * config.sequence_len)
        mixture = sufficient(data, self.mixture, length)
        rows = max(1, self.tokens // length)
        size, disguised = config.vocab_size, self.disguised
        return Batches(
            data, mixture, rows=rows, length=length, vocabulary=size, disguised=disguised
        )


_DRILL = {"drill": 0.75, "plain": 0.10, "dialogues": 0.10, "wit": 0.05}
_BROAD = {"plain": 0.26, "dialogues": 0.45, "wit": 0.22, "prose": 0.03, "drill": 0.04}
_TALK = {"plain": 0.19, "dialogues": 0.30, "wit": 0.26, "long": 0.03, "lesson": 0.20, "drill": 0.02}
_LAST = {"plain": 0.31, "dialogues": 0.36, "wit": 0.15, "long": 0.06, "lesson": 0.10, "drill": 0.02}

PHASES = (  # to look back is learnt first, the rest builds on it; short rows are quicker than long
    Phase(0.10, 1 / 4, 2048, _DRILL, 0.5),
    Phase(0.60, 1 / 4, 2048, _BROAD, 0.4),
    Phase(0.90, 1 / 4, 2048, _TALK, 0.3),
    Phase(1.00, 1, 4096, _LAST, 0.05),
)


def train(
    config: GrokConfig,
    state: State,
    data: Path,
    minutes: float,
    folder: Path,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    peak: float = PEAK,
    phases: Sequence[Phase] = PHASES,
) -> State:
    """Trains until the run has taken `minutes` in all, or until `stopped` says so.

    state.npz and log.jsonl go to `folder`. The state before the learning rate's decay stays in
    stable.npz: a later, longer run goes on from there (see `resume`).

    Args:
        config: sizes of the model.
        state: where the run stands; given away.
        data: the folder of packed tokens (see `training.dataset`).
        minutes: of all the run, earlier parts included.
        folder: where the run is kept.
        stopped: asked between steps.
        clock: tells the seconds.
        peak: the highest learning rate.
        phases: the first begins with the run, each other where the one before ends, at 1 the last.
    """
    budget = 60 * minutes
    batches = [phase.batches(data, config) for phase in phases]
    update = jax.jit(partial(_update, config), donate_argnums=(0, 1))
    saved = clock()
    with closing(Progress(folder / "log.jsonl", state, budget)) as progress:
        while state.seconds < budget and not stopped():
            started, spent = clock(), state.seconds / budget
            if spent >= 1 - DECAY_PART and not state.decayed:
                state.save(folder / "stable.npz")
                state.decayed = True
            draw = next(b for b, phase in zip(batches, phases, strict=True) if spent < phase.until)
            rate, batch = learning_rate(state.step, spent, peak), draw(state.step)
            state.params, state.moments, metrics = update(
                state.params, state.moments, batch, np.float32(rate)
            )
            metrics = {name: float(value) for name, value in metrics.items()}  # waits for the step
            state.step += 1
            state.tokens += batch[:, 1:].size
            state.seconds += clock() - started
            progress.add(state, metrics, rate, batch.shape[1] - 1)
            if clock() - saved > SAVE_EVERY:
                state.save(folder / "state.npz")
                saved = clock()
    state.save(folder / "state.npz")
    return state


def resume(
    config: GrokConfig, minutes: float, folder: Path, start: Checkpoint | None = None
) -> State:
    """The saved state of the run in `folder`; where there is none a new one, of `start` if given.

    A run whose learning rate has decayed further than a run of `minutes` would have it by then
    goes on from before its decay, where a higher rate still does good.

    Raises:
        StateError: the run is of a model of other sizes.
    """
    latest, stable = folder / "state.npz", folder / "stable.npz"
    if not latest.exists():
        return State.of(exported_parameters(start)) if start else State.new(config)
    state = State.load(latest, config)
    if state.decayed and stable.exists():
        before = State.load(stable, config)
        if before.seconds < 60 * minutes * (1 - DECAY_PART):
            return before
    return state


def _update(
    config: GrokConfig, params: Params, moments: Any, batch: Array, rate: Array
) -> tuple[Params, Any, dict[str, Array]]:
    """One step of the optimiser: (parameters, its moments, parts of the loss)."""
    gradients, metrics = jax.grad(loss, has_aux=True)(params, config, batch)
    moments = moments._replace(hyperparams={"learning_rate": rate})
    updates, moments = optimizer().update(gradients, moments, params)
    return optax.apply_updates(params, updates), moments, metrics
