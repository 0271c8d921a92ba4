"""The engine's counters, after requests whose numbers are known."""

import time

import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.engine.metrics import Histogram


@pytest.fixture(scope="module")
def engine(mini):
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=2, queue=4))
    yield engine
    engine.close()


def test_a_histogram_counts_each_value_once() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1]
    assert histogram.total == 12.0


def test_cached_tokens_are_counted(mini) -> None:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=1))
    for end in (1, 2):
        list(engine.generate([*range(10, 40), end], SamplingParams(max_tokens=2)))
    engine.close()
    assert (engine.metrics.prompt_tokens, engine.metrics.cached_tokens) == (62, 30)


def test_requests_and_tokens_are_counted(engine) -> None:
    started = time.monotonic()
    assert len(list(engine.generate([5] * 7, SamplingParams(max_tokens=10, temperature=0)))) == 10
    left = engine.generate([5] * 9, SamplingParams(max_tokens=200, temperature=0))
    next(left)
    left.close()
    deadline = time.monotonic() + 5
    while engine.stats().running and time.monotonic() < deadline:
        time.sleep(0.01)
    elapsed = time.monotonic() - started
    metrics = engine.metrics
    assert metrics.finished == {"length": 1, "abort": 1}
    assert metrics.prompt_tokens == 7 + 9
    first, between = metrics.time_to_first_token, metrics.inter_token_latency
    assert sum(first.counts) == 2
    assert sum(between.counts) == metrics.generation_tokens - 2
    assert 0 < first.total + between.total < 2 * elapsed
    assert engine.stats().cached == 0


def test_a_stop_string_is_no_abort(nano) -> None:
    before = nano.metrics.finished["stop"]
    *_, last = nano.generate(
        "Once upon a time", SamplingParams(max_tokens=200, stop=["e"], temperature=0)
    )
    assert last.finish_reason == "stop"
    deadline = time.monotonic() + 5
    while nano.metrics.finished["stop"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_listener_is_told_of_every_piece_and_of_the_end(engine) -> None:
    told: list[None] = []
    generation = engine.generate([5] * 7, SamplingParams(max_tokens=10, temperature=0))
    generation.notify(lambda: told.append(None))
    taken = list(generation)
    assert len(taken) == 10
    assert 0 < len(told) <= 10
