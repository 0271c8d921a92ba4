"""Causal attention over whole rows, for training.

b rows, T tokens a row, N query heads, G key/value heads, R = N / G, H head size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from grok_app.model.attention import capped
from training.run import floats

QUERIES = 128  # of which the scores are computed together
_NEVER = -1e30


def attend_causal(q: Array, k: Array, v: Array, multiplier: float) -> Array:
    """q [b, T, N, H], k, v [b, T, G, H] -> float32 [b, T, N * H]; factors as `floats.factor` says.

    A block of queries at a time, each against the keys up to its end: what lies above the
    diagonal is mostly left out, and a block's scores stay in the cache.
    """
    b, length, heads, size = q.shape
    groups = k.shape[2]
    q = (q * multiplier).astype(floats.factor()).reshape(b, length, groups, heads // groups, size)
    k, v = k.astype(floats.factor()), v.astype(floats.factor())
    outs = []
    for start in range(0, length, QUERIES):
        end = min(start + QUERIES, length)
        block, keys, values = q[:, start:end], k[:, :end], v[:, :end]
        scores = jnp.einsum("btgrh,bsgh->bgrts", block, keys, preferred_element_type=jnp.float32)
        seen = jnp.arange(end) <= jnp.arange(start, end)[:, None]
        weights = jax.nn.softmax(jnp.where(seen, capped(scores), _NEVER)).astype(floats.factor())
        out = jnp.einsum("bgrts,bsgh->btgrh", weights, values, preferred_element_type=jnp.float32)
        outs.append(out.reshape(b, end - start, heads * size))
    return jnp.concatenate(outs, axis=1)
