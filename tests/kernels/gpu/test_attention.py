"""The GPU's kernels remember and attend as XLA's form does; in Pallas' interpreter."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from grok_app.kernels.gpu import KEYS, attend_token, remember
from grok_app.kernels.gpu.attention import PIECES
from grok_app.model.attention import LOGIT_CAP, attend, rotary_angles, rotate
from grok_app.model.cache import KVCache, empty_cache

LAYERS, LAYER, SLOTS, FIRST = 2, 1, 5, 1
MULTIPLIER = 0.2


def random_cache(heads: int, length: int, size: int, dtype: str) -> KVCache:
    rng = np.random.default_rng(length)
    cache = empty_cache(LAYERS, SLOTS, heads, length, size, dtype)
    keys, values = (jnp.asarray(rng.standard_normal(cache.keys.shape), dtype) for _ in range(2))
    return KVCache(keys, values, jnp.asarray(rng.random(cache.visible.shape) > 0.2))


def attended(q: Array, cache: KVCache, positions: Array) -> np.ndarray:
    program = jax.jit(attend_token, static_argnums=(7, 8, 9))
    at = jnp.int32(LAYER), jnp.int32(FIRST), positions
    out = program(q, cache.keys, cache.values, cache.visible, *at, MULTIPLIER, LOGIT_CAP, True)
    return np.asarray(out, np.float32)


@pytest.mark.parametrize(
    ("heads", "groups", "size", "dtype", "stored", "close"),
    [
        (12, 2, 16, "float32", "float32", 1e-5),
        (3, 1, 24, "float32", "float16", 1e-5),
        (6, 1, 16, "bfloat16", "bfloat16", 2e-2),
    ],
)
def test_attention_of_a_token(
    heads: int, groups: int, size: int, dtype: str, stored: str, close: float
) -> None:
    length = KEYS * PIECES + 256  # so that the first pieces have two blocks
    cache = random_cache(groups, length, size, stored)
    positions = jnp.array([0, length - 1, 700, length], jnp.int32)  # the last is padding
    rng = np.random.default_rng(heads)
    q = jnp.asarray(rng.standard_normal((4, heads, size)), dtype)
    expected = attend(q[:, None], cache, LAYER, FIRST, positions[:, None], MULTIPLIER)[:, 0]
    got = attended(q, cache, positions)
    apart = np.abs(got.reshape(4, -1) - np.asarray(expected)) / np.abs(expected).max()
    assert apart.max() < close
    assert not got[3].any()


def test_a_row_reads_no_further_than_it_sees() -> None:
    cache = random_cache(1, 512, 16, "float32")
    q = jnp.ones((2, 2, 16))
    positions = jnp.array([100, 300], jnp.int32)
    whole = attended(q, cache, positions)
    far = replace(cache, values=cache.values.at[:, FIRST, :, 128:].set(jnp.nan))
    np.testing.assert_array_equal(attended(q, far, positions)[0], whole[0])


@pytest.mark.parametrize(("size", "stored"), [(8, "float32"), (24, "float16")])
def test_keys_are_turned_and_written_where_they_belong(size: int, stored: str) -> None:
    heads, groups, length = 4, 2, 256
    cache = random_cache(groups, length, size, stored)
    positions = jnp.array([0, length, 200], jnp.int32)  # of the second nothing is written
    rng = np.random.default_rng(size)
    sums = [
        jnp.asarray(rng.standard_normal((3, 3, many * size)), jnp.float32)
        for many in (heads, groups, groups)
    ]
    sums[2] = sums[2].at[:, 0, 0].set(60000.0)  # more than float16 holds
    angles = rotary_angles(positions[:, None], size)
    q, k, v = (a.sum(axis=0).reshape(3, 1, -1, size) for a in sums)
    q, k = rotate(q, angles), rotate(k, angles)
    wanted = cache.write(LAYER, FIRST, positions[:, None], k, v)
    cos, sin = (angle[:, 0] for angle in angles)
    at = jnp.int32(LAYER), jnp.int32(FIRST), positions
    program = jax.jit(remember, static_argnums=(7, 8))
    made = program(sums, (cos, sin), cache.keys, cache.values, *at, jnp.float32, True)
    for got, expected in zip(made, (q[:, 0], wanted.keys, wanted.values), strict=True):
        np.testing.assert_allclose(
            np.asarray(got, np.float32), np.asarray(expected, np.float32), rtol=1e-3, atol=1e-5
        )
