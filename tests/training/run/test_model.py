"""Training's forward pass is serving's; its loss reaches every parameter."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app.model.attention import capped
from tests.training.made import TINY, served_logits
from training.run.attention import attend_causal
from training.run.experts import imbalance
from training.run.model import dropout, logits_of, loss
from training.run.weights import random_parameters
from training.texts.drill import hidden

pytestmark = pytest.mark.usefixtures("factor")
TOKENS = jnp.asarray(np.random.default_rng(0).integers(4, TINY.vocab_size, (3, 33)), jnp.int32)


def test_training_and_serving_compute_the_same() -> None:
    """Up to the rounding of factors to bfloat16; 99 tokens are too few to be short of seats.

    By quantiles: where two experts are close, rounding may choose the other one.
    """
    params = random_parameters(TINY)
    trained, _ = jax.jit(lambda params: logits_of(params, TINY, TOKENS))(params)
    served = served_logits(params, TOKENS)
    apart = np.abs(np.asarray(trained) - served)
    assert np.quantile(apart, 0.5) < 0.01
    assert np.quantile(apart, 0.9) < 0.02
    assert np.std(served) > 0.3


def test_every_parameter_has_a_finite_gradient() -> None:
    gradients, parts = jax.jit(jax.grad(lambda p: loss(p, TINY, TOKENS), has_aux=True))(
        random_parameters(TINY)
    )
    assert float(parts["loss"]) == pytest.approx(np.log(TINY.vocab_size), abs=0.5)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all(), path
        assert np.any(gradient), path


def test_what_is_hidden_is_read_but_not_learnt_and_each_row_counts_the_same() -> None:
    params, batch = random_parameters(TINY), np.asarray(TOKENS).copy()
    batch[0, 0] = hidden(batch[0, 0])
    batch[1, 20:] = hidden(batch[1, 20:])
    batch[2] = hidden(batch[2])  # as may be with a short row of a drill
    logits, _ = jax.jit(lambda params: logits_of(params, TINY, TOKENS[:, :-1]))(params)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), TOKENS[:, 1:, None], axis=-1)
    measure = jax.jit(lambda params, batch: loss(params, TINY, batch))
    total, parts = measure(params, batch)
    of_rows = [
        -row[learnt].mean()
        for row, learnt in zip(np.asarray(picked)[..., 0], batch[:, 1:] >= 0, strict=True)
        if learnt.any()
    ]
    assert float(parts["loss"]) == pytest.approx(np.mean(of_rows), rel=1e-5)
    batch[1, -1:] = hidden(np.array([3], np.int32))  # another one, which is a target only
    assert float(measure(params, batch)[0]) == float(total)


def test_experts_are_asked_to_be_in_use_in_each_row() -> None:
    params = random_parameters(TINY)
    rows = jnp.repeat(jnp.arange(4, 36)[:, None], 33, axis=1)  # of one word each
    measure = jax.jit(lambda batch: loss(params, TINY, batch)[1]["balance"])
    alone = [float(measure(row[None])) for row in rows]
    assert float(measure(rows)) == pytest.approx(np.mean(alone), rel=0.02)
    _, routing = jax.jit(lambda: logits_of(params, TINY, rows[:, :-1]))()
    of_batch = np.mean([imbalance(*layer) for layer in routing])
    assert of_batch < 1 + (np.mean(alone) - 1) / 2


def test_dropout_leaves_out_a_share_other_ones_at_each_call_and_keeps_the_mean() -> None:
    drop = dropout(0.25, jax.random.key(0))
    first, second = drop(jnp.ones(10_000)), drop(jnp.ones(10_000))
    for x in (first, second):
        assert float(jnp.mean(x == 0)) == pytest.approx(0.25, abs=0.02)
        assert float(x.mean()) == pytest.approx(1, abs=0.02)
    assert float(jnp.mean((first == 0) & (second == 0))) == pytest.approx(0.25**2, abs=0.01)


def test_what_is_dropped_is_what_attention_and_experts_give() -> None:
    params, seen = random_parameters(TINY), []

    def drop(x: jax.Array) -> jax.Array:
        seen.append(x.shape)
        return jnp.zeros_like(x)

    dropped, _ = logits_of(params, TINY, TOKENS, drop)
    assert len(seen) == 2 * TINY.num_layers
    for row in range(len(TOKENS)):  # without both a token is all that is known
        for token in set(TOKENS[row].tolist()):
            same = np.asarray(dropped[row])[np.asarray(TOKENS[row]) == token]
            np.testing.assert_array_equal(same, np.broadcast_to(same[0], same.shape))


@pytest.mark.parametrize("length", [5, 128, 300])
def test_attention_in_blocks_is_attention(length: int) -> None:
    rng = np.random.default_rng(length)
    q, k, v = (
        jnp.asarray(rng.standard_normal((2, length, heads, 8)), jnp.bfloat16).astype(jnp.float32)
        for heads in (4, 2, 2)
    )
    scores = capped(jnp.einsum("btgrh,bsgh->bgrts", 0.5 * q.reshape(2, length, 2, 2, 8), k))
    scores = jnp.where(jnp.tril(jnp.ones((length, length), bool)), scores, -jnp.inf)
    plain = jnp.einsum("bgrts,bsgh->btgrh", jax.nn.softmax(scores), v).reshape(2, length, 32)
    np.testing.assert_allclose(attend_causal(q, k, v, 0.5), plain, atol=0.02)
