"""A running softmax over blocks of keys and values (Milakov and Gimelshein, arXiv 1805.02867).

Q queries, H head size.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from grok_app.kernels.gpu.tiles import Span, product

KEYS = 64  # positions of a block
_NEVER = -1e30

Running = tuple[Array, Array, Array]
"""Of the blocks so far: the highest score [Q], the sum of weights [Q], weighted values [Q, H]."""


def nothing(queries: int, across: Span) -> Running:
    """Before the first block."""
    out = jnp.zeros((queries, len(across[0])), jnp.float32)
    return jnp.full(queries, _NEVER, jnp.float32), jnp.zeros(queries, jnp.float32), out


def add_block(
    before: Running,
    query: Array,
    keys: Array,
    values: Array,
    seen: Array,
    multiplier: float,
    cap: float,
) -> Running:
    """Goes over one block more.

    Args:
        query: [Q, H]; products are made in its type.
        keys, values: [KEYS, H].
        seen: bool [Q or 1, KEYS], what a query sees.
        multiplier: of the scores, which are then bent softly into (-cap, cap).
    """
    highest, total, out = before
    scores = product(query, keys.T) * multiplier
    scores = jnp.where(seen, cap * jnp.tanh(scores / cap), _NEVER)
    new_highest = jnp.maximum(highest, jnp.max(scores, axis=1))
    weights = jnp.where(seen, jnp.exp(scores - new_highest[:, None]), 0.0)
    shrink = jnp.exp(highest - new_highest)
    new = product(weights.astype(query.dtype), values)
    return new_highest, total * shrink + jnp.sum(weights, axis=1), out * shrink[:, None] + new
