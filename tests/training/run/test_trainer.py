"""A run that was stopped goes on exactly; a longer one goes on from before the decay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.made import TINY
from training.run.batches import Batches
from training.run.loader import Batch, load
from training.run.model import loss
from training.run.optimizer import DECAY_PART, PEAK, WARMUP_STEPS, learning_rate
from training.run.phases import PHASES, Phase
from training.run.progress import LOG_EVERY, Progress, read_log
from training.run.state import State, StateError
from training.run.trainer import _update, resume, train

TEN_STEPS = 10 / 60  # minutes, when every step takes a second
TWO_PHASES = replace(PHASES[0], until=0.75), PHASES[-1]  # each is another program to compile


def ticking() -> Callable[[], float]:
    """A clock that goes on by a second each time it is looked at, twice a step and once between."""
    return map(float, count()).__next__


def stop_after(steps: int) -> Callable[[], bool]:
    asked = count()
    return lambda: next(asked) >= steps


def run(data: Path, folder: Path, minutes: float, steps: int = 1000) -> State:
    folder.mkdir(exist_ok=True)
    state = resume(TINY, minutes, folder)
    rate = PEAK * WARMUP_STEPS / 10  # ten steps see only the beginning of the warm-up
    return train(TINY, state, data, minutes, folder, stop_after(steps), ticking(), rate, TWO_PHASES)


def bytes_of(state: State) -> list[bytes]:
    counters = np.array([state.step, state.tokens, state.seconds]).tobytes()
    leaves = jax.tree.leaves((state.params, state.moments))
    return [counters, *(np.asarray(leaf).tobytes() for leaf in leaves)]


@pytest.fixture(scope="module")
def through(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Path]:
    folder = tmp_path_factory.mktemp("through")
    return run(packed, folder, TEN_STEPS), folder


def test_a_stopped_run_goes_on_bit_for_bit(
    packed: Path, through: tuple[State, Path], tmp_path: Path
) -> None:
    stopped = run(packed, tmp_path, TEN_STEPS, steps=4)
    assert (stopped.step, stopped.seconds) == (4, 4.0)
    resumed = run(packed, tmp_path, TEN_STEPS)
    assert resumed.step == 10
    assert bytes_of(resumed) == bytes_of(through[0])
    assert bytes_of(State.load(tmp_path / "state.npz", TINY)) == bytes_of(through[0])


def test_a_run_whose_batches_fail_is_saved_as_it_stood(
    packed: Path, through: tuple[State, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def failing(*options: Any) -> Iterator[Iterator[Batch]]:
        with load(*options) as batches:
            yield chain(islice(batches, 4), map(np.load, ["no batch"]))

    monkeypatch.setattr("training.run.trainer.load", failing)
    with pytest.raises(FileNotFoundError, match="no batch"):
        run(packed, tmp_path, TEN_STEPS)
    assert State.load(tmp_path / "state.npz", TINY).step == 4
    monkeypatch.undo()
    assert bytes_of(run(packed, tmp_path, TEN_STEPS)) == bytes_of(through[0])


def test_a_run_learns(packed: Path, through: tuple[State, Path]) -> None:
    assert through[0].tokens == 8 * 2048 + 2 * 4096  # the last phase has a quarter of the time
    batch = Batches(packed, {"plain": 1.0}, rows=16, length=32, vocabulary=TINY.vocab_size)(0)
    states = State.new(TINY), through[0]
    before, after = (float(loss(s.params, TINY, jnp.asarray(batch))[1]["loss"]) for s in states)
    assert before == pytest.approx(np.log(TINY.vocab_size), rel=0.02)  # it knew nothing
    assert after < before - 0.1


def test_a_run_has_the_phases_it_is_given(packed: Path, tmp_path: Path) -> None:
    phases = Phase(0.5, 1 / 4, 256, {"plain": 1.0}, 0.0), Phase(1.0, 1 / 2, 512, {"wit": 1.0}, 0.0)
    done = train(TINY, State.new(TINY), packed, 2 / 60, tmp_path, clock=ticking(), phases=phases)
    assert (done.step, done.tokens) == (2, 256 + 512)


def test_a_longer_run_goes_on_from_before_the_decay(
    packed: Path, through: tuple[State, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(through[1], tmp_path / "run"))
    stable = State.load(folder / "stable.npz", TINY)
    assert (stable.seconds, stable.decayed) == (10 * (1 - DECAY_PART), False)
    assert bytes_of(resume(TINY, 2 * TEN_STEPS, folder)) == bytes_of(stable)
    stopped = run(packed, folder, 2 * TEN_STEPS, steps=3)
    assert stopped.step == stable.step + 3
    assert bytes_of(resume(TINY, 2 * TEN_STEPS, folder)) == bytes_of(stopped)
    run(packed, folder, TEN_STEPS + 1 / 60)  # it ends earlier than was meant: the rate falls now
    assert bytes_of(resume(TINY, 2 * TEN_STEPS, folder)) == bytes_of(stopped)


def test_a_run_not_prolonged_past_the_decay_keeps_its_end(through: tuple[State, Path]) -> None:
    state, folder = through
    assert bytes_of(resume(TINY, TEN_STEPS, folder)) == bytes_of(state)
    assert bytes_of(resume(TINY, 0, folder)) == bytes_of(state)


def test_a_new_run_begins_where_there_is_none(tmp_path: Path) -> None:
    assert resume(TINY, 1, tmp_path).step == 0


def test_a_state_of_other_sizes_is_refused(through: tuple[State, Path]) -> None:
    with pytest.raises(StateError, match="other sizes"):
        State.load(through[1] / "state.npz", replace(TINY, widening_factor=8))


def test_the_log_loses_the_lines_of_steps_that_were_not_kept(tmp_path: Path) -> None:
    path, state = tmp_path / "log.jsonl", State.new(TINY)
    lines = [{"step": step, "loss": 5.0} for step in (20, 40, 60)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    state.step = 40
    progress = Progress(path, state, 60.0)
    for step in range(41, 41 + LOG_EVERY):
        state.step, state.tokens, state.seconds = step, state.tokens + 100, state.seconds + 0.5
        progress.add(state, {"loss": float(step % 2)}, 0.001, 16)
    progress.close()
    assert read_log(path)[:2] == lines[:2]
    (last,) = read_log(path)[2:]
    assert last == {
        **{"step": 60, "tokens": 2000, "seconds": 10.0, "rate": 0.001, "length": 16},
        **{"speed": 200, "loss": 0.5},
    }


def test_the_rate_warms_up_holds_and_decays_to_zero() -> None:
    assert learning_rate(0, 0.0) == pytest.approx(PEAK / WARMUP_STEPS)
    assert learning_rate(WARMUP_STEPS, 0.3) == PEAK
    assert learning_rate(10_000, 1 - DECAY_PART / 2) == pytest.approx(PEAK / 2)
    assert learning_rate(10_000, 1.0) == 0
    assert learning_rate(WARMUP_STEPS, 0.3, peak=1e-3) == 1e-3


def test_dropout_leaves_out_others_at_each_step(packed: Path) -> None:
    batch = PHASES[-1].batches(packed, TINY)(0)
    updates = {share: jax.jit(partial(_update, TINY, share)) for share in (0.0, 0.5)}

    def loss_of(share: float, step: int) -> float:
        state = State.new(TINY)
        given = state.params, state.moments, batch, np.float32(0), np.uint32(step)
        return float(updates[share](*given)[2]["loss"])

    assert loss_of(0.5, 0) == loss_of(0.5, 0)
    assert len({loss_of(0.0, 0), loss_of(0.5, 0), loss_of(0.5, 1)}) == 3
    assert loss_of(0.0, 0) == loss_of(0.0, 1)
