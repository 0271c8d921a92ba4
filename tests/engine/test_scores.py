"""How likely a given text is: as the logits say, whatever else is going on."""

import threading

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.engine.scorer import Scores
from grok_app.errors import RequestError


def prompt(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(3, 512, length).tolist()


def scored(engine: grok_app.Engine, ids: list[int]) -> Scores:
    chunks = list(engine.score(ids))
    return Scores(
        *(
            np.concatenate([getattr(chunk, name) for chunk in chunks])
            for name in ("logprob", "top", "top_logprob")
        )
    )


def wanted(engine: grok_app.Engine, ids: list[int]) -> np.ndarray:
    logits = engine.logits([ids])[0, :-1].astype(np.float64)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.fixture(scope="module", params=[(1, 1), (2, 4)], ids=str)
def engine(mini, request):
    engine = grok_app.load(
        mini, EngineOptions(mesh=request.param, dtype="float32", slots=4, queue=4)
    )
    yield engine
    engine.close()


@pytest.mark.parametrize("length", [2, 128, 129, 200, 256])
def test_scores_are_those_of_the_logits(engine, length: int) -> None:
    ids = prompt(length, length)
    scores, logprobs = scored(engine, ids), wanted(engine, ids)
    assert np.abs(scores.logprob - logprobs[np.arange(length - 1), ids[1:]]).max() < 1e-3
    assert np.abs(scores.top_logprob - -np.sort(-logprobs)[:, :20]).max() < 1e-3
    assert (scores.top[:, 0] == logprobs.argmax(-1)).all()


def test_replies_go_on_between_two_chunks(engine) -> None:
    start = prompt(1, 10)
    greedy = SamplingParams(max_tokens=100, temperature=0)
    alone = [piece.token_id for piece in engine.generate(start, greedy)]
    ended = threading.Event()

    def score() -> None:
        while not ended.is_set():
            list(engine.score(prompt(2, 250)))

    scoring = threading.Thread(target=score)
    scoring.start()
    together = [piece.token_id for piece in engine.generate(start, greedy)]
    ended.set()
    scoring.join()
    assert together == alone


@pytest.mark.parametrize("ids", [[], [512], [1] * 257], ids=str)
def test_what_cannot_be_scored_is_refused(engine, ids: list[int]) -> None:
    with pytest.raises(RequestError):
        list(engine.score(ids))


def test_a_single_token_has_nothing_before_it(engine) -> None:
    assert list(engine.score([5])) == []
