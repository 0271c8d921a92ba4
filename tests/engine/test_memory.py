"""Where memory runs out in spite of the plan, the error is ours and says what was planned."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.checkpoint.machine import Machine
from grok_app.engine import load
from grok_app.engine.engine import Engine
from grok_app.engine.scorer import Scorer
from grok_app.errors import EngineFailed, RequestError, SettingsError

BOASTER = Machine(1, 10**18, "cpu", "cpu")  # says it has more memory than it has


@pytest.fixture
def engine(mini: Path) -> Iterator[Engine]:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), slots=2, context=256))
    yield engine
    engine.close()


def test_at_load(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "this_machine", lambda devices: BOASTER)
    with pytest.raises(
        SettingsError, match=r"run out of memory .* the plan was: .* 20000000 slots"
    ):
        grok_app.load(mini, EngineOptions(mesh=(1, 1), slots=20_000_000))


def exhausted(*_: object) -> None:
    """XLA's own error: a petabyte is not to be had."""
    jax.jit(lambda: jax.numpy.zeros(2**50, "int8"))()


def test_a_job_that_takes_too_much_harms_nobody(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scorer, "extend", exhausted)
    with pytest.raises(RequestError, match=r"too much memory: .*run out of memory .* 2 slots"):
        engine.logits([[5]])
    assert list(engine.generate([5, 6], SamplingParams(max_tokens=2, temperature=0)))


def test_at_a_step(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine._runner, "prefill", exhausted)
    with pytest.raises(EngineFailed, match=r"run out of memory .* 2 slots"):
        list(engine.generate([5, 6], SamplingParams(max_tokens=2)))
