"""The training run: steps, saving, going on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jax import Array

from grok_app.checkpoint.folder import Checkpoint
from grok_app.model.config import GrokConfig
from training.run.loader import load
from training.run.model import dropout, loss
from training.run.optimizer import DECAY_PART, PEAK, learning_rate, optimizer
from training.run.phases import PHASES, Phase
from training.run.progress import LOG_EVERY, Progress
from training.run.state import State
from training.run.weights import Params, exported_parameters

SAVE_EVERY = 300.0  # seconds


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
    dropout_share: float = 0.0,
    workers: int = 0,
) -> State:
    """Trains until the run has taken `minutes` in all, or until `stopped` says so.

    state.npz and log.jsonl go to `folder`. The state before the learning rate's decay stays in
    stable.npz: a later, longer run goes on from there (see `resume`).

    Args:
        config: sizes of the model.
        state: where the run stands; given away.
        data: the folder of packed tokens (see `training.texts.dataset`).
        minutes: of all the run, earlier parts included.
        folder: where the run is kept.
        stopped: asked between steps.
        clock: tells the seconds.
        peak: the highest learning rate.
        phases: the first begins with the run, each other where the one before ends, at 1 the last.
        dropout_share: see `dropout`.
        workers: processes that make the batches, see `load`.

    Raises:
        CorpusError: a pool of documents is missing, or a phase has none that is large enough.
        LoaderError: a process that makes batches has ended; the state is saved.
    """
    budget = 60 * minutes

    def current() -> int:
        ahead = (n for n, phase in enumerate(phases) if state.seconds < phase.until * budget)
        return next(ahead, len(phases) - 1)

    sizes = {phase.shape(config) for phase in phases if state.seconds < phase.until * budget}
    shapes = [(rows, length + 1) for rows, length in sizes]  # a row's last token is a target only
    with (
        load(data, config, phases, current, state.step, workers) as batches,
        closing(Progress(folder / "log.jsonl", state, budget)) as progress,
    ):
        updates = _compiled(partial(_update, config, dropout_share), state, shapes)
        metrics, saved = None, clock()
        while state.seconds < budget and not stopped():
            started, spent, before = clock(), state.seconds / budget, metrics
            if spent >= 1 - DECAY_PART and not state.decayed:
                state.save(folder / "stable.npz")
                state.decayed = True
            rate = learning_rate(state.step, spent, peak)
            try:
                batch = next(batches)
            except Exception:  # the state is whole: this step has not begun to change it
                state.save(folder / "state.npz")
                raise
            state.params, state.moments, metrics = updates[batch.shape](
                state.params, state.moments, batch, np.float32(rate), np.uint32(state.step)
            )
            state.step += 1
            # The step before is waited for, so that the next is ready when this one is done; this
            # one too if the log needs it, or its time would not be counted.
            jax.block_until_ready(before if state.step % LOG_EVERY else metrics)
            state.tokens += batch[:, 1:].size
            state.seconds += clock() - started
            progress.add(state, metrics, rate, batch.shape[1] - 1)
            if clock() - saved > SAVE_EVERY:
                state.save(folder / "state.npz")
                saved = clock()
    state.save(folder / "state.npz")
    return state


def _compiled(
    update: Callable[..., Any], state: State, shapes: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Any]:
    """The step for each of the shapes of batches: no time is lost when a phase begins."""
    step = jax.jit(update, donate_argnums=(0, 1))

    def program(shape: tuple[int, int]) -> Any:
        batch = jax.ShapeDtypeStruct(shape, np.int32)
        return step.lower(state.params, state.moments, batch, np.float32(0), np.uint32(0)).compile()

    with ThreadPoolExecutor() as pool:
        programs = {shape: pool.submit(program, shape) for shape in shapes}
    return {shape: program.result() for shape, program in programs.items()}


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
    config: GrokConfig,
    dropout_share: float,
    params: Params,
    moments: Any,
    batch: Array,
    rate: Array,
    step: Array,
) -> tuple[Params, Any, dict[str, Array]]:
    """One step of the optimiser: (parameters, its moments, parts of the loss).

    `step`, its number, decides what `dropout` leaves out.
    """
    key = jax.random.fold_in(jax.random.key(0, impl="rbg"), step)
    drop = dropout(dropout_share, key)
    gradients, metrics = jax.grad(loss, has_aux=True)(params, config, batch, drop)
    moments = moments._replace(hyperparams={"learning_rate": rate})
    updates, moments = optimizer().update(gradients, moments, params)
    return optax.apply_updates(params, updates), moments, metrics
