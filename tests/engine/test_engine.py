"""The resident engine on the miniature model: many at once, each as if alone."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.engine.slots import MOST_STEPS
from grok_app.errors import EngineBusy, EngineFailed, RequestError

SAMPLED = SamplingParams(temperature=1.0, top_p=0.95, repetition_penalty=1.1)


@pytest.fixture(scope="module")
def engine(mini: Path) -> Iterator[grok_app.Engine]:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=4, queue=4))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def forgetful(mini: Path) -> Iterator[grok_app.Engine]:
    """An engine that remembers one prompt, the newest."""
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=1, saved=0))
    yield engine
    engine.close()


def prompt(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, 512, length).tolist()


def greedy(max_tokens: int) -> SamplingParams:
    return SamplingParams(max_tokens=max_tokens, temperature=0)


def tokens(generation) -> list[int]:
    return [piece.token_id for piece in generation]


ROUNDING = 5e-3  # of logits, by keys and values in float16


def wait_until(condition, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def idle(engine) -> bool:
    stats = engine.stats()
    return stats.running == 0 and stats.waiting == 0


def assert_greedy(made: list[int], logits: np.ndarray) -> None:
    """Each token has the largest logit of its row, but for what the cache loses in float16."""
    assert (logits[range(len(made)), made] > logits.max(-1) - ROUNDING).all()


def test_greedy_tokens_are_the_arg_max_of_the_logits(engine) -> None:
    start = prompt(0, 20)
    made = tokens(engine.generate(start, greedy(40)))
    assert_greedy(made, engine.logits([start + made])[0, len(start) - 1 : -1])


def test_a_prompt_longer_than_a_chunk(engine) -> None:
    start = prompt(1, 200)
    made = tokens(engine.generate(start, greedy(20)))
    assert_greedy(made, engine.logits([start + made])[0, 199:-1])


def test_pieces_carry_what_was_asked_for(engine) -> None:
    start = prompt(2, 10)
    pieces = list(
        engine.generate(start, SamplingParams(max_tokens=5, seed=1, logprobs=4, experts=True))
    )
    assert [piece.finish_reason for piece in pieces] == [None] * 4 + ["length"]
    logits = engine.logits([start + [piece.token_id for piece in pieces]])[0, 9:-1]
    wanted = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for piece, row in zip(pieces, wanted, strict=True):
        assert piece.text == ""  # no tokenizer
        assert piece.logprob == pytest.approx(row[piece.token_id], abs=ROUNDING)
        top, top_logprob = zip(*piece.top_logprobs, strict=True)
        assert top_logprob == pytest.approx(np.sort(row)[:-5:-1].tolist(), abs=ROUNDING)
        assert top_logprob == pytest.approx(row[list(top)].tolist(), abs=ROUNDING)
        assert piece.experts.shape == (3, 2)
        assert (piece.experts < 8).all()
        assert (piece.experts[:, 0] != piece.experts[:, 1]).all()


def test_nothing_is_carried_that_was_not_asked_for(engine) -> None:
    piece = next(engine.generate(prompt(2, 10), SamplingParams(max_tokens=1)))
    assert piece.top_logprobs == ()
    assert piece.experts is None


def test_tokens_depend_on_the_request_alone(engine) -> None:
    """Alone, and in a crowd that comes and goes: the same tokens."""
    cases = [(prompt(i, 5 + 37 * i), replace(SAMPLED, max_tokens=30 + i, seed=i)) for i in range(5)]
    alone = [tokens(engine.generate(start, params)) for start, params in cases]
    together: dict[int, list[int]] = {}

    def serve(i: int) -> None:
        time.sleep(0.01 * i)
        together[i] = tokens(engine.generate(*cases[i]))

    threads = [threading.Thread(target=serve, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    passing = engine.generate(prompt(9, 60), SamplingParams(max_tokens=100, seed=9))
    next(passing)
    passing.close()
    for thread in threads:
        thread.join()
    assert [together[i] for i in range(5)] == alone


def test_seeds_matter_and_each_reply_without_one_draws_its_own(engine) -> None:
    start, drawing = prompt(3, 10), SamplingParams(max_tokens=20)
    one = engine.generate(start, drawing)
    with engine.generate(start, drawing) as second:
        assert second.seed != one.seed
    again = engine.generate(start, SamplingParams(max_tokens=20, seed=one.seed))
    other = engine.generate(start, SamplingParams(max_tokens=20, seed=one.seed ^ 1))
    first = tokens(one)
    assert tokens(again) == first
    assert tokens(other) != first


def test_stopping_frees_the_slot(engine) -> None:
    generation = engine.generate(prompt(4, 10), greedy(240))
    next(generation)
    generation.close()
    wait_until(lambda: idle(engine))
    with pytest.raises(StopIteration):
        next(generation)
    generation.close()


def test_stopping_takes_at_most_two_steps_more_where_somebody_waits(engine) -> None:
    first = engine.generate(prompt(0, 10), greedy(240))
    request = first._request
    others: list[grok_app.Generation] = []
    in_flight: list[int] = []

    def leave_when_somebody_waits() -> None:  # called by the engine's thread, between dispatches
        if not others:
            others.extend(engine.generate(prompt(i, 10), greedy(240)) for i in range(1, 5))
        elif not in_flight:
            if engine.stats().waiting == 1:
                in_flight.append(request.dispatched)  # from before, perhaps many steps
        elif request.delivered > in_flight[0]:
            first.close()

    first.notify(leave_when_somebody_waits)
    wait_until(lambda: request.finished)
    assert request.finish_reason is None
    assert request.dispatched - request.delivered <= 3
    for generation in others:
        generation.close()


def test_stopping_takes_at_most_two_dispatches_more(engine) -> None:
    generation = engine.generate(prompt(4, 10), greedy(240))
    next(generation)
    generation.close()
    wait_until(lambda: idle(engine))
    request = generation._request
    assert request.dispatched - request.delivered <= 2 * MOST_STEPS + 1


def test_a_reused_beginning_changes_no_token(engine, forgetful) -> None:
    """Turn after turn, and from a common preamble: the tokens of an engine with an empty cache."""
    preamble = prompt(11, 40)
    talks = [[*preamble, *prompt(20 + i, 60)] for i in range(7)]  # more than there are slots
    for turn in range(3):
        for i, talk in enumerate(talks):
            params = replace(SAMPLED, max_tokens=12, seed=10 * turn + i)
            warm = engine.generate(talk, params)
            reply = tokens(warm)
            assert warm.cached_tokens >= (40 if i or turn else 0)
            tokens(forgetful.generate(prompt(99, 30), greedy(1)))  # all that is cached now
            cold = forgetful.generate(talk, params)
            assert (tokens(cold), cold.cached_tokens) == (reply, 0)
            talk += [*reply, *prompt(turn, 9)]


def test_a_forgotten_generation_frees_the_slot(engine) -> None:
    generation = engine.generate(prompt(4, 10), greedy(240))
    next(generation)
    del generation
    wait_until(lambda: idle(engine))


def test_one_who_leaves_during_a_long_prompt_frees_the_slot(engine) -> None:
    engine.generate(prompt(5, 250), SamplingParams(max_tokens=5)).close()
    wait_until(lambda: idle(engine))
    params = SamplingParams(max_tokens=5, seed=5)  # another seed may end the text before
    assert len(tokens(engine.generate(prompt(5, 10), params))) == 5


def test_beyond_the_slots_one_waits_and_beyond_the_queue_one_is_told(engine) -> None:
    held = [engine.generate(prompt(i, 8), greedy(240)) for i in range(8)]
    with pytest.raises(EngineBusy, match="try again"):
        engine.generate(prompt(8, 8), greedy(240))
    places = [generation.place for generation in held]
    assert max(places) > 0
    for generation in held:
        generation.close()
    wait_until(lambda: idle(engine))


def test_the_queue_moves_on(engine) -> None:
    many = [engine.generate(prompt(i, 8), SamplingParams(max_tokens=10, seed=i)) for i in range(8)]
    assert [len(tokens(generation)) for generation in many] == [10] * 8


def test_a_reply_ends_where_the_context_ends(engine) -> None:
    pieces = list(engine.generate(prompt(6, 250), greedy(1000)))
    assert len(pieces) == 6
    assert pieces[-1].finish_reason == "length"
    assert len(tokens(engine.generate(prompt(6, 255), SamplingParams(max_tokens=9)))) == 1


@pytest.mark.parametrize(
    ("start", "settings", "words"),
    [
        ([], {}, "prompt is empty"),
        ([1] * 256, {}, "prompt has 256 tokens; this engine's context is 256"),
        ([512], {}, "512 is no token id"),
        ([-1], {}, "-1 is no token id"),
        ([1.5], {}, "1.5 is no token id"),
        (["a"], {}, "'a' is no token id"),
        ("text", {}, "no tokenizer.model"),
        ([1], {"temperature": -1}, "temperature is -1"),
        ([1], {"temperature": float("nan")}, "temperature is nan"),
        ([1], {"temperature": "hot"}, "temperature is 'hot'"),
        ([1], {"top_p": 1.5}, "top_p is 1.5"),
        ([1], {"top_k": -1}, "top_k is -1"),
        ([1], {"min_p": 2}, "min_p is 2"),
        ([1], {"repetition_penalty": 0}, "repetition_penalty is 0"),
        ([1], {"max_tokens": 0}, "max_tokens is 0"),
        ([1], {"logprobs": 21}, "logprobs is 21"),
        ([1], {"seed": -1}, "seed is -1"),
        ([1], {"seed": 2**32}, "seed is 4294967296"),
        ([1], {"stop": [""]}, "stop is"),
        ([1], {"stop": ["x"]}, "need a tokenizer"),
    ],
    ids=str,
)
def test_an_impossible_request_is_refused_and_disturbs_nobody(
    engine, start, settings, words
) -> None:
    other = engine.generate(prompt(7, 10), SamplingParams(max_tokens=20, seed=0))
    with pytest.raises(RequestError, match=words):
        engine.generate(start, SamplingParams(**settings))
    assert len(tokens(other)) == 20


@pytest.mark.parametrize("rows", [[], [[]], [[1], []], [[512]], [[1] * 257]], ids=str)
def test_impossible_logits_are_refused(engine, rows) -> None:
    with pytest.raises(RequestError):
        engine.logits(rows)


def test_logits_of_rows_of_unlike_length(engine) -> None:
    long, short = prompt(8, 30), prompt(9, 12)
    both = engine.logits([long, short])
    assert np.abs(both[1, :12] - engine.logits([short])[0]).max() < 1e-4


@pytest.mark.parametrize("mesh", [(1, 8), (2, 4)], ids=str)
def test_a_mesh_gives_the_same_tokens(engine, mini, mesh) -> None:
    divided = grok_app.load(mini, EngineOptions(mesh=mesh, dtype="float32", slots=4))
    try:
        cases = [
            (prompt(i, 10 + 60 * i), replace(SAMPLED, max_tokens=20, seed=i)) for i in range(4)
        ]
        many = [divided.generate(start, params) for start, params in cases]
        made = [tokens(generation) for generation in many]
    finally:
        divided.close()
    assert made == [tokens(engine.generate(start, params)) for start, params in cases]


def test_a_fault_of_the_engine_reaches_everybody_who_waits(
    mini, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), slots=1, queue=4))
    running = engine.generate(prompt(0, 5), greedy(250))
    waiting = engine.generate(prompt(1, 5), SamplingParams(max_tokens=5))
    next(running)

    def broken(slots: object, steps: int) -> None:
        raise RuntimeError("the device has gone")

    monkeypatch.setattr(engine._runner, "decode", broken)
    for generation in (running, waiting):
        with pytest.raises(EngineFailed, match="the device has gone"):
            list(generation)
    with pytest.raises(EngineFailed, match="the device has gone"):
        engine.generate([1])
    lengths = set()
    for _ in range(5):
        with pytest.raises(EngineFailed, match="the device has gone") as caught:
            engine.logits([[1]])
        lengths.add(len(list(caught.traceback)))
    assert len(lengths) == 1  # of errors of their own: one that is raised anew grows
    stats = engine.stats()
    assert (stats.waiting, stats.running) == (0, 0)
    assert engine.metrics.finished == {"abort": 2}
    engine.close()


def test_a_job_that_meets_the_end_of_the_engine_ends_too(
    mini, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), slots=1))
    taken = engine._next

    def closing_meanwhile(idle: bool) -> Any:
        work = taken(idle)
        if work and work[1]:
            engine._closing = True
        return work

    monkeypatch.setattr(engine, "_next", closing_meanwhile)
    engine.generate(
        [1], SamplingParams(max_tokens=1)
    )  # wakes the thread, which then asks through the above
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(engine.logits, [[1]])
        assert asked.exception(timeout=30) is None or isinstance(asked.exception(), EngineFailed)
    engine.close()


def test_a_closed_engine_says_so(mini) -> None:
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), slots=1))
    running = engine.generate(prompt(0, 5), greedy(250))
    next(running)
    engine.close()
    with pytest.raises(EngineFailed, match="closed"):
        list(running)
    with pytest.raises(EngineFailed, match="closed"):
        engine.generate([1])
