"""What a trace shows is what the model computes: as an independent computation in float64 says,
on every mesh, wherever its chunks end, and whatever else is going on."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions, SamplingParams, Trace
from grok_app.engine.recording import record, watch_of
from grok_app.engine.scorer import CHUNK, Scorer
from grok_app.errors import RequestError
from tests.model.float64 import Exact, Float64

LENGTH = CHUNK + 72  # two chunks
EVERYTHING = ("experts", "gates", "router_logits", "hidden", "lens", "attention")
HEADS = [(2, 15), (0, 0), (0, 7), (1, 8)]  # in no order; on eight devices each has two of them
TOP = 7
SEEN = ("experts", "gates", "router_logits", "hidden", "attention", "lens_ids", "lens_logprobs")
MESHES = [(1, 1), (1, 8), (2, 4)]


def prompt(seed: int, length: int = LENGTH) -> list[int]:
    return np.random.default_rng(seed).integers(3, 512, length).tolist()


@pytest.fixture(scope="module", params=MESHES, ids=str)
def engine(mini: Path, request: pytest.FixtureRequest) -> Iterator[grok_app.Engine]:
    engine = grok_app.load(mini, EngineOptions(mesh=request.param, dtype="float32", slots=4))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def trace(engine: grok_app.Engine) -> Trace:
    """All that can be seen of a text."""
    return engine.trace(prompt(0), EVERYTHING, heads=HEADS, top=TOP)


@pytest.fixture(scope="module")
def model(mini: Path) -> Float64:
    return Float64(mini)


@pytest.fixture(scope="module")
def exact(model: Float64) -> Exact:
    return model(prompt(0))


def apart(got: np.ndarray | None, wanted: np.ndarray) -> float:
    assert got is not None
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max())


def test_the_computation_in_float64_is_the_releases(model: Float64, mini: Path) -> None:
    with np.load(mini / "expected.npz") as expected:
        for ids, logits in zip(expected["tokens"], expected["logits_float32"], strict=True):
            assert apart(model(ids.tolist()).logits, logits) < 1e-3


def test_all_is_as_float64_says(trace: Trace, exact: Exact) -> None:
    kinds = {"experts": "uint8", "lens_ids": "int32"}
    for name in SEEN:
        assert getattr(trace, name).dtype == kinds.get(name, "float32")
    np.testing.assert_array_equal(trace.experts, exact.experts)
    assert apart(trace.gates, exact.gates) < 1e-4
    assert apart(trace.router_logits, exact.router_logits) < 1e-3
    assert apart(trace.hidden, exact.hidden) < 1e-3
    assert apart(trace.attention, np.stack([exact.attention[at] for at in HEADS])) < 1e-4
    likeliest = -np.sort(-exact.lens)[..., :TOP]
    assert apart(trace.lens_logprobs, likeliest) < 1e-3
    assert trace.lens_ids is not None
    of_named = np.take_along_axis(exact.lens, trace.lens_ids.astype(int), axis=-1)
    assert apart(trace.lens_logprobs, of_named) < 1e-3
    told = exact.lens[-1][np.arange(LENGTH - 1), prompt(0)[1:]]
    assert apart(trace.logprobs[1:], told) < 1e-3


def test_gates_are_not_renormalised_and_attention_is(trace: Trace) -> None:
    assert trace.gates is not None
    assert trace.attention is not None
    assert trace.gates.sum(-1).max() < 0.99
    assert np.abs(trace.attention.sum(-1) - 1).max() < 1e-5
    assert not np.triu(trace.attention, 1).any()


def test_logprobs_are_those_of_score(engine: grok_app.Engine, trace: Trace) -> None:
    scores = np.concatenate([chunk.logprob for chunk in engine.score(prompt(0))])
    assert np.isnan(trace.logprobs[0])
    assert apart(trace.logprobs[1:], scores) < 1e-5
    assert trace.token_ids.tolist() == prompt(0)
    assert trace.tokens[:1] == (f"token_id:{prompt(0)[0]}",)  # this model has no tokenizer


def test_where_a_chunk_ends_changes_nothing(engine: grok_app.Engine, trace: Trace) -> None:
    watch = watch_of(engine.config, EVERYTHING, None, HEADS, TOP)
    made = record(Scorer(engine._runner, 1, watch, chunk=48), prompt(0), engine._call)
    np.testing.assert_array_equal(made["experts"], trace.experts)
    for name in (*SEEN, "logprobs"):
        if name != "lens_ids":  # of two that are as likely either may come first
            assert np.nanmax(np.abs(made[name] - getattr(trace, name))) < 1e-4


def test_chosen_layers_are_those_of_all(engine: grok_app.Engine, trace: Trace) -> None:
    chosen = engine.trace(prompt(0), EVERYTHING, layers=[1], heads=[(2, 15)], top=TOP)
    assert (chosen.layers, chosen.heads) == ((1,), ((2, 15),))
    for name in SEEN:
        array = getattr(trace, name)
        if name == "attention":
            wanted = array[:1]
        else:  # of the streams that before the layer, and that after it
            wanted = array[1:3] if name in ("hidden", "lens_ids", "lens_logprobs") else array[1:2]
        assert apart(getattr(chosen, name), wanted) < 1e-4


def test_only_what_is_asked_for(engine: grok_app.Engine) -> None:
    held = engine.trace([5])
    assert [name for name in SEEN if getattr(held, name) is not None] == ["experts", "gates"]
    assert held.logprobs.shape == (1,)
    assert np.isnan(held.logprobs).all()
    assert repr(held) == "<Trace of 1 tokens: logprobs, experts [3, 1, 2], gates [3, 1, 2]>"


def test_a_trace_changes_no_reply(nano: grok_app.Engine) -> None:
    params = SamplingParams(max_tokens=120, temperature=1.0, seed=3)
    alone = [piece.token_id for piece in nano.generate("Once upon a time", params)]
    ended, traced = threading.Event(), []

    def keep_tracing() -> None:
        while not ended.is_set():
            traced.append(nano.trace([7] * 300, "hidden"))

    nano.trace([7], "hidden")  # compiled before the reply begins
    tracing = threading.Thread(target=keep_tracing)
    tracing.start()
    together = [piece.token_id for piece in nano.generate("Once upon a time", params)]
    ended.set()
    tracing.join()
    assert together == alone
    assert traced


def test_a_choice_is_compiled_once_and_few_are_kept(nano: grok_app.Engine) -> None:
    nano.trace("Hello", "hidden")
    before = nano._scorers.cache_info()
    nano.trace("again", ["hidden"], layers=range(6))
    after = nano._scorers.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)
    assert after.maxsize == 8


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"what": "expert"}, "what has 'expert'; expected some of experts, gates, router_logits, hid"),
    ({"what": ["experts", "heads"]}, "what has 'heads'; expected some of experts"),
    ({"what": 3}, "what has 3; expected some of experts"),
    ({"what": "attention"}, r"no heads; expected heads=\[\(layer, head\), \.\.\.\]"),
    ({"heads": [(0, 1)]}, r"heads is \[\(0, 1\)\] but 'attention' is not asked for"),
    ({"layers": [6]}, r"layers is \[6\]; expected whole numbers from 0 to 5, each once, asc"),
    ({"layers": [-1]}, r"layers is \[-1\]; expected whole numbers from 0 to 5"),
    ({"layers": [2, 1]}, r"layers is \[2, 1\]; expected"),
    ({"layers": [1, 1]}, r"layers is \[1, 1\]; expected"),
    ({"layers": []}, r"layers is \[\]; expected"),
    ({"layers": 2}, "layers is 2; expected"),
    ({"layers": [1.0]}, r"layers is \[1.0\]; expected"),
    ({"layers": "1"}, "layers is '1'; expected"),
    ({"what": "attention", "heads": [(6, 0)]}, r"\(6, 0\)\]; expected pairs \(layer, head\), each"),
    ({"what": "attention", "heads": [(0, 4)]}, "a layer from 0 to 5 and a head from 0 to 3"),
    ({"what": "attention", "heads": [(0, 1), (0, 1)]}, "each once"),
    ({"what": "attention", "heads": (0, 1)}, r"heads is \(0, 1\); expected pairs"),
    ({"what": "attention", "heads": []}, r"heads is \[\]; expected pairs"),
    ({"what": "lens", "top": 0}, "top is 0; expected a whole number from 1 to 4096"),
    ({"what": "lens", "top": 4097}, "top is 4097; expected a whole number from 1 to 4096"),
    ({"text": ""}, "the prompt is empty"),
    ({"text": [4096]}, "4096 is no token id"),
    ({"text": [5] * 1025}, "1,?025 tokens; this engine's context is 1,?024"),
]


@pytest.mark.parametrize(("given", "told"), REFUSED)
def test_what_cannot_be_traced_is_told(nano: grok_app.Engine, given, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        nano.trace(**{"text": "Hello", **given})
