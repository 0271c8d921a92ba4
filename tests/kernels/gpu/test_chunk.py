"""The GPU's kernels for many rows do as XLA's form does; in Pallas' interpreter."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app.kernels.gpu import attend_chunk, many_rows_experts
from grok_app.model.attention import LOGIT_CAP, attend
from tests.kernels.gpu.test_attention import FIRST, LAYER, MULTIPLIER, random_cache
from tests.kernels.gpu.test_products import agree, experts_of, rows_of


@pytest.mark.parametrize(
    ("dtype", "stored", "close"), [("float32", "float16", 1e-5), ("bfloat16", "bfloat16", 2e-2)]
)
def test_attention_of_a_chunk(dtype: str, stored: str, close: float) -> None:
    heads, groups, size, tokens = 4, 2, 24, 70
    cache = random_cache(groups, 512, size, stored)
    positions = np.stack([np.arange(tokens), 300 + np.arange(tokens)])
    positions[:, 66:] = cache.length  # padding
    rng = np.random.default_rng(size)
    q = jnp.asarray(rng.standard_normal((2, tokens, heads, size)), dtype)
    expected = attend(q, cache, LAYER, FIRST, jnp.asarray(positions), MULTIPLIER)
    program = jax.jit(attend_chunk, static_argnums=(7, 8, 9))
    at = jnp.int32(LAYER), jnp.int32(FIRST), jnp.asarray(positions, jnp.int32)
    got = program(q, cache.keys, cache.values, cache.visible, *at, MULTIPLIER, LOGIT_CAP, True)
    got = np.asarray(got, np.float32).reshape(2, tokens, -1)
    apart = np.abs(got - np.asarray(expected)) / np.abs(expected).max()
    assert apart.max() < close
    assert not got[:, 66:].any()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_row_goes_through_its_own_experts(dtype: str) -> None:
    """One expert has more rows than a block, one has none."""
    rng = np.random.default_rng(4)
    tokens, stacks = 150, experts_of(rng, 4)
    chosen = np.stack([np.where(np.arange(tokens) < 140, 1, 3), np.full(tokens, 2)], axis=1)
    live = np.arange(tokens) != 7
    x = rows_of(rng, tokens, 96, dtype).astype(jnp.float32)
    gate, value, down = (stack.arrays for stack in stacks)
    program = jax.jit(many_rows_experts, static_argnums=(5, 6))
    given = jnp.asarray(chosen, jnp.int32), jnp.asarray(live), (gate, value, down)
    got = program(x, *given, jnp.int32(LAYER), dtype, True)
    expected = np.zeros((tokens, 2, 96))
    for e in range(4):
        opened, values = (np.asarray(x, np.float64) @ stack.floats[e] for stack in stacks[:2])
        hidden = np.asarray(jax.nn.gelu(jnp.asarray(opened, jnp.float32))) * values
        mine = (chosen == e) & live[:, None]
        expected += np.where(mine[..., None], (hidden @ stacks[2].floats[e])[:, None], 0.0)
    agree(got, expected, dtype)
