"""Interventions do what they say, on every mesh, and to nobody else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, Intervention, RequestError, SamplingParams
from grok_app.engine.prefixes import SHORTEST, Prefixes
from grok_app.interventions import check
from tests.model.float64 import Float64

MESHES = [(1, 1), (1, 8), (2, 4)]
PROMPT = np.random.default_rng(0).integers(3, 512, 60).tolist()
SETS = {
    "zero": (Intervention("zero", 2), Intervention("zero", 5, (1,))),
    "mask": (Intervention("mask", 0), Intervention("mask", 3, (0, 2))),
    "swap": (Intervention("swap", 1, to=6), Intervention("swap", 6, to=1)),
    "same": tuple(Intervention("swap", expert, to=4) for expert in range(8)),
    "force": (Intervention("force", 7), Intervention("force", 1, (2,))),
    "bias": (Intervention("bias", 4, by=1.5), Intervention("bias", 4, (0,), by=-0.5)),
    "all": (
        Intervention("mask", 0, (0,)),
        Intervention("force", 3, (1,)),
        Intervention("bias", 5, by=0.7),
        Intervention("swap", 5, to=2),
        Intervention("zero", 2, (2,)),
    ),
}


@pytest.fixture(scope="module", params=MESHES, ids=str)
def engine(mini: Path, request: pytest.FixtureRequest) -> Iterator[grok_app.Engine]:
    engine = grok_app.load(mini, EngineOptions(mesh=request.param, dtype="float32", slots=4))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def model(mini: Path) -> Float64:
    return Float64(mini)


def apart(got: np.ndarray | None, wanted: np.ndarray) -> float:
    assert got is not None
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(np.isfinite(got), finite)
    return float(np.abs(got[finite] - wanted[finite]).max())


@pytest.mark.parametrize("name", SETS)
def test_they_do_what_float64_says(engine: grok_app.Engine, model: Float64, name: str) -> None:
    what = ("experts", "gates", "router_logits", "hidden")
    trace = engine.trace(PROMPT, what, interventions=SETS[name])
    exact = model(PROMPT, SETS[name])
    np.testing.assert_array_equal(trace.experts, exact.experts)
    assert apart(trace.gates, exact.gates) < 1e-4
    assert apart(trace.router_logits, exact.router_logits) < 1e-3
    assert apart(trace.hidden, exact.hidden) < 1e-3
    scores = next(engine.score(PROMPT, SETS[name]))
    np.testing.assert_array_equal(scores.logprob, trace.logprobs[1:])


def test_they_change_the_model(engine: grok_app.Engine) -> None:
    """So what float64 agrees with is not the model as it is."""
    plain = engine.trace(PROMPT, "hidden")
    for changed in SETS.values():
        trace = engine.trace(PROMPT, "hidden", interventions=changed)
        assert apart(trace.hidden, np.asarray(plain.hidden)) > 0.1


def test_a_masked_expert_serves_no_token(engine: grok_app.Engine) -> None:
    changed = SETS["mask"]
    params = SamplingParams(max_tokens=20, temperature=0.0, interventions=changed, experts=True)
    made = np.stack([piece.experts for piece in engine.generate(PROMPT, params)])
    assert not (made == 0).any()
    assert not (made[:, [0, 2]] == 3).any()


def test_each_request_has_its_own_and_others_none(engine: grok_app.Engine) -> None:
    """Together in one batch, the tokens and their log-probabilities are those made alone, to the
    bit: the prompt is too short to be reused."""
    wishes: list[tuple[Intervention, ...]] = [(), SETS["all"], (), SETS["mask"]]

    def begin(number: int) -> grok_app.Generation:
        params = SamplingParams(max_tokens=24, seed=number, interventions=wishes[number])
        return engine.generate(PROMPT[: SHORTEST - 1], params)

    def read(generation: grok_app.Generation) -> list[tuple[int, float]]:
        return [(piece.token_id, piece.logprob) for piece in generation]

    alone = [read(begin(number)) for number in range(4)]
    begun = [begin(number) for number in range(4)]
    assert [read(generation) for generation in begun] == alone
    assert alone[0] != alone[1] != alone[3]


def test_a_reply_is_of_the_model_that_a_trace_shows(engine: grok_app.Engine) -> None:
    """But for its keys and values, which are kept in 16 bits."""
    params = SamplingParams(max_tokens=8, temperature=0.0, interventions=SETS["all"])
    made = list(engine.generate(PROMPT, params))
    text = PROMPT + [piece.token_id for piece in made]
    logprobs = engine.trace(text, (), interventions=SETS["all"]).logprobs[len(PROMPT) :]
    assert np.abs(logprobs - [piece.logprob for piece in made]).max() < 0.01


def test_what_one_has_left_in_the_cache_is_nothing_to_others(engine: grok_app.Engine) -> None:
    """Their prompt is the same, and so is what the model does with it."""

    def made(changed: tuple[Intervention, ...]) -> np.ndarray:
        params = SamplingParams(max_tokens=4, temperature=0.0, interventions=changed)
        return np.array([piece.logprob for piece in engine.generate(PROMPT[::-1], params)])

    plain, masked = made(()), made(SETS["mask"])
    assert np.abs(made(()) - plain).max() < 1e-4
    assert np.abs(made(SETS["mask"]) - masked).max() < 1e-4
    assert np.abs(plain - masked).max() > 0.01


def test_a_prefix_made_otherwise_is_not_reused() -> None:
    rows, changed = Prefixes(2, 2), SETS["mask"]
    first = rows.admit(PROMPT, [0, 1])
    rows.grow(first.slot, PROMPT)
    assert rows.cached(PROMPT) == len(PROMPT) - 1
    assert rows.cached(PROMPT, changed) == 0
    second = rows.admit(PROMPT, [1 - first.slot], changed)
    assert second.cached == 0
    rows.grow(second.slot, PROMPT)
    assert rows.cached(PROMPT, changed) == len(PROMPT) - 1
    again = rows.admit(PROMPT, [first.slot], changed)
    assert again.cached == len(PROMPT) - 1
    assert (second.slot, first.slot) in again.copies
    assert rows.cached(PROMPT) == len(PROMPT) - 1  # saved before its place was taken


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "kill", "expert": 1}, "'kill'; expected one of zero, mask"),
        ({"kind": "mask", "expert": 8}, "expert is 8; expected a whole number from 0 to 7"),
        ({"kind": "mask", "expert": True}, "expert is True"),
        ({"kind": "mask", "expert": 1, "layers": (3,)}, "layers is 3; expected a whole number"),
        ({"kind": "mask", "expert": 1, "layers": ()}, "layers is empty"),
        ({"kind": "swap", "expert": 1}, "swap needs it"),
        ({"kind": "swap", "expert": 1, "to": 9}, "to is 9"),
        ({"kind": "mask", "expert": 1, "to": 2}, "'to' belongs to swap"),
        ({"kind": "bias", "expert": 1}, "bias needs it"),
        ({"kind": "bias", "expert": 1, "by": float("nan")}, "by is nan"),
        ({"kind": "force", "expert": 1, "by": 1.0}, "'by' belongs to bias"),
    ],
)
def test_what_cannot_be_done_is_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError) as told:
        check([Intervention(**given)], layers=3, experts=8, chosen=2)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([Intervention("mask", expert) for expert in range(7)], "2 must be left"),
        ([Intervention("force", expert) for expert in range(3)], "at most 2 can be forced"),
        ([Intervention("mask", 1), Intervention("force", 1, (2,))], "none can be both"),
        ([Intervention("swap", 1, to=2), Intervention("swap", 1, (1,), to=3)], "swapped twice"),
    ],
    ids=["too few are left", "too many are forced", "both", "two swaps"],
)
def test_what_is_too_much_together_is_told(nano, given: list[Intervention], words: str) -> None:
    changed = tuple(given)
    asked = (
        lambda: nano.generate("A", SamplingParams(interventions=changed)),
        lambda: nano.trace("A B", interventions=changed),
        lambda: next(nano.score([5, 6], changed)),
    )
    for ask in asked:
        with pytest.raises(RequestError, match=words):
            ask()
