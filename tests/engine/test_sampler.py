"""Sampling: the release's filter, brute force, and independence of neighbours."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grok_app.engine.sampler import (
    Sampling,
    first_past,
    in_nucleus,
    keep_top_k,
    sample,
    sample_live,
)


def settings_of(rows: int, **changes) -> Sampling:
    values = {
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": 0,
        "logprobs": 0,
    } | changes
    kinds = {"top_k": jnp.int32, "seed": jnp.uint32, "logprobs": jnp.int32}
    return Sampling(
        **{
            n: jnp.broadcast_to(v, rows).astype(kinds.get(n, jnp.float32))
            for n, v in values.items()
        }
    )


choose = jax.jit(sample)


def draw(logits, seen=None, position=0, **changes):
    rows = len(logits)
    seen = np.zeros(logits.shape, bool) if seen is None else seen
    position = np.broadcast_to(position, rows).astype(np.int32)
    return choose(jnp.asarray(logits), seen, position, settings_of(rows, **changes))


def test_top_p_keeps_exactly_what_the_release_keeps(data: Path) -> None:
    with np.load(data / "sampler.npz") as file:
        logits, temperature, top_p, kept = (
            file[name] for name in ("logits", "temperature", "top_p", "kept")
        )
    scores = jnp.asarray(logits / temperature[:, None])
    weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    ours = jax.vmap(lambda weight: in_nucleus(weights, weight, top_p), 1, 1)(weights)
    assert (np.asarray(ours) == kept).all()


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(0, 40))
@settings(max_examples=30)
def test_top_k_is_brute_force(seed: int, k: int) -> None:
    scores = np.random.default_rng(seed).normal(0, 20, (3, 32)).astype(np.float32)
    kept = np.asarray(keep_top_k(jnp.asarray(scores), jnp.full(3, k)))
    smallest = np.sort(scores)[:, -min(k, 32) if k else 0]
    assert (kept == (scores >= smallest[:, None])).all()


@pytest.mark.parametrize("top_p", [0.0, 1e-9])
def test_a_top_p_of_nothing_takes_the_likeliest(top_p: float) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (64, 4096)).astype(np.float32)
    drawn = draw(logits, seed=np.arange(64), top_p=top_p)
    assert (np.asarray(drawn.token) == logits.argmax(-1)).all()


def test_zero_temperature_takes_the_likeliest() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 100)).astype(np.float32)
    made = draw(logits, temperature=0.0, top_p=0.5)
    assert (np.asarray(made.token) == logits.argmax(-1)).all()


def test_draws_follow_the_distribution() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    rows = 4000
    made = draw(np.tile(logits, (rows, 1)), seed=np.arange(rows))
    shares = np.bincount(np.asarray(made.token), minlength=4) / rows
    assert np.abs(shares - np.exp(logits)).max() < 0.03


def test_draws_that_top_p_rejects_leave_the_distribution_of_the_others() -> None:
    probabilities = np.full(100, 1 / 130, np.float32)
    probabilities[[3, 50, 98]] = 0.15, 0.1, 0.05
    probabilities /= probabilities.sum()
    rows = 8000
    logits = np.tile(np.log(probabilities), (rows, 1))
    made = draw(logits, seed=np.arange(rows), top_p=0.2)
    shares = np.bincount(np.asarray(made.token), minlength=100) / rows
    kept = np.isin(np.arange(100), [3, 50])
    assert (
        np.abs(shares - np.where(kept, probabilities, 0) / probabilities[kept].sum()).max() < 0.02
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0, 1e-38])
def test_what_is_no_number_still_ends_in_a_token(temperature: float) -> None:
    made = draw(np.full((2, 64), np.nan, np.float32), temperature=temperature, top_p=0.5)
    assert ((np.asarray(made.token) >= 0) & (np.asarray(made.token) < 64)).all()


@pytest.mark.parametrize("vocabulary", [1, 2, 7, 100, 4096, 50_001])
def test_a_draw_is_where_the_running_sum_passes_the_share(vocabulary: int) -> None:
    rng = np.random.default_rng(vocabulary)
    weights = np.exp(rng.normal(0, 4, vocabulary)).astype(np.float32)
    weights[rng.random(vocabulary) < 0.3] = 0
    weights[vocabulary // 2] = 1
    shares = np.linspace(0, 1, 400, endpoint=False).astype(np.float32)
    found = jax.jit(first_past)(np.tile(weights, (len(shares), 1)), shares)
    ends = np.cumsum(weights, dtype=np.float64) / weights.sum(dtype=np.float64)
    assert (ends[found] > shares - 1e-5).all()
    assert (np.concatenate([[0], ends])[found] <= shares + 1e-5).all()


@pytest.mark.parametrize(
    ("setting", "possible"),
    [
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.6}, {0, 1}),
        ({"min_p": 0.29}, {0, 1, 2}),
        ({"top_k": 1}, {0}),
        ({"temperature": 1e-4}, {0}),
        ({"top_k": 3, "top_p": 0.5}, {0}),  # top-p of what top-k left: 0.5 / 0.95
        ({}, {0, 1, 2, 3}),
    ],
    ids=str,
)
def test_filters_leave_what_they_should(setting, possible) -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    made = draw(np.tile(logits, (1000, 1)), seed=np.arange(1000), **setting)
    assert set(np.asarray(made.token).tolist()) == possible


def test_repetition_penalty_divides_what_was_seen() -> None:
    logits = np.array([[2.0, 1.5, -1.0], [-1.0, -1.5, -3.0]], np.float32)
    seen = np.array([[True, False, False], [True, False, False]])
    made = draw(logits, seen, temperature=0.0, repetition_penalty=2.0)
    assert np.asarray(made.token).tolist() == [1, 1]  # 2 / 2 < 1.5 and -1 * 2 < -1.5


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(8, 512)).astype(np.float32)
    alone = [
        int(draw(np.tile(logits[i], (8, 1)), seed=i, top_p=0.9, position=i).token[0])
        for i in range(8)
    ]
    together = draw(logits, seed=np.arange(8), top_p=0.9, position=np.arange(8))
    assert np.asarray(together.token).tolist() == alone


@pytest.mark.parametrize("live", [[], [6], [0, 3, 4, 5, 10], range(11)], ids=str)
def test_live_rows_get_the_same_bits_however_many_there_are(live) -> None:
    logits = np.random.default_rng(1).normal(0, 3, (11, 500)).astype(np.float32)
    seen, position = np.zeros(logits.shape, bool), np.arange(11, dtype=np.int32)
    how = settings_of(11, top_p=0.9, seed=jnp.arange(11), logprobs=3)
    alive = np.isin(np.arange(11), live)
    choose = jax.jit(partial(sample_live, in_groups=True))
    some = choose(logits, seen, position, how, alive)
    every = choose(logits, seen, position, how, np.ones(11, bool))
    for one, all_ in zip(jax.tree.leaves(some), jax.tree.leaves(every), strict=True):
        assert (one[alive] == all_[alive]).all()


def test_logprobs_are_of_the_models_own_distribution() -> None:
    logits = np.random.default_rng(2).normal(size=(2, 64)).astype(np.float32)
    made = draw(logits, temperature=0.0, logprobs=5, top_k=1, repetition_penalty=1.3)
    wanted = np.asarray(jax.nn.log_softmax(logits))
    order = np.argsort(-wanted)[:, :5]
    assert (np.asarray(made.top)[:, :5] == order).all()
    top = np.take_along_axis(wanted, order, 1)
    assert np.allclose(np.asarray(made.top_logprob)[:, :5], top, atol=1e-5)
    assert np.allclose(np.asarray(made.logprob), top[:, 0], atol=1e-5)


def test_nobody_asking_for_logprobs_costs_no_sorting() -> None:
    made = draw(np.zeros((2, 64), np.float32), logprobs=0)
    assert not np.asarray(made.top).any()


def test_the_same_seed_and_position_give_the_same_token() -> None:
    logits = np.zeros((1, 512), np.float32)
    at = partial(draw, logits, seed=3)
    assert int(at(position=5).token[0]) == int(at(position=5).token[0])
    assert len({int(at(position=p).token[0]) for p in range(20)}) > 10
