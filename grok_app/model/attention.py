"""Grouped-query attention with rotary positions over the key/value cache.

b rows, T new tokens a row, N query heads, G key/value heads, R = N / G, S positions, H head size.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from grok_app.kernels import attention
from grok_app.model.cache import BLOCK, KVCache

LOGIT_CAP = 30.0  # scores are capped softly: cap * tanh(score / cap)
ROTARY_BASE = 10000.0
NEVER = -1e30


def rotary_angles(positions: Array, head_size: int) -> tuple[Array, Array]:
    """Cosines and sines [b, T, H/2] of position * base^(-2i/H) (RoFormer, arXiv 2104.09864)."""
    frequencies = ROTARY_BASE ** (-jnp.arange(0, head_size, 2, dtype=jnp.float32) / head_size)
    angles = positions[..., None].astype(jnp.float32) * frequencies
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x: Array, angles: tuple[Array, Array]) -> Array:
    """Rotates the two halves of each head of `x` [b, T, heads, H] against one another."""
    cos, sin = (angle[:, :, None] for angle in angles)
    first, second = jnp.split(x, 2, axis=-1)
    turned = (first * cos - second * sin, second * cos + first * sin)
    return jnp.concatenate(turned, axis=-1)


def capped(scores: Array) -> Array:
    """Scores bent softly into (-30, 30)."""
    return LOGIT_CAP * jnp.tanh(scores / LOGIT_CAP)


def attend(
    q: Array,
    cache: KVCache,
    layer: Array | int,
    first_slot: Array | int,
    positions: Array,
    multiplier: float,
) -> Array:
    """Attention of queries [b, T, N, H] at `positions` [b, T] over b slots from `first_slot`.

    Reads blocks of the cache up to the furthest position in use, with a running softmax
    (Milakov and Gimelshein, arXiv 1805.02867), so the cost follows the longest live
    conversation, not the size of the cache. A block a row cannot see changes no bit of its result.

    Returns:
        float32 [b, T, N * H].
    """
    b, length, heads, size = q.shape
    groups = cache.keys.shape[2]
    q = q.reshape(b, length, groups, heads // groups, size)
    live = jnp.where(positions < cache.length, positions, -1)
    blocks = (jnp.max(live) + BLOCK) // BLOCK

    def block_of(array: Array, start: Array) -> Array:
        block = (1, b, groups, BLOCK, size)
        return lax.dynamic_slice(array, (layer, first_slot, 0, start, 0), block)[0].astype(q.dtype)

    def body(i: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        highest, total, out = carry
        start = i * BLOCK
        keys = block_of(cache.keys, start)
        scores = jnp.einsum("btgrh,bgsh->bgrts", q, keys, preferred_element_type=jnp.float32)
        seen = lax.dynamic_slice(cache.visible, (first_slot, start), (b, BLOCK))[:, None]
        seen &= (start + jnp.arange(BLOCK)) <= live[:, :, None]  # [b, T, BLOCK]
        scores = jnp.where(seen[:, None, None], capped(scores * multiplier), NEVER)
        new_highest = jnp.maximum(highest, scores.max(-1))
        weights = jnp.where(seen[:, None, None], jnp.exp(scores - new_highest[..., None]), 0.0)
        shrink = jnp.exp(highest - new_highest)
        values = block_of(cache.values, start)
        new = jnp.einsum(
            "bgrts,bgsh->bgrth",
            weights.astype(values.dtype),
            values,
            preferred_element_type=jnp.float32,
        )
        return new_highest, total * shrink + weights.sum(-1), out * shrink[..., None] + new

    rows = (b, groups, heads // groups, length)
    start = (jnp.full(rows, NEVER), jnp.zeros(rows), jnp.zeros((*rows, size)))
    _, total, out = lax.fori_loop(0, blocks, body, start)
    out = out / jnp.maximum(total, 1e-30)[..., None]
    return out.transpose(0, 3, 1, 2, 4).reshape(b, length, heads * size)


def native_attend(
    q: Array,
    cache: KVCache,
    layer: Array | int,
    first_slot: Array | int,
    positions: Array,
    multiplier: float,
) -> Array:
    """As `attend`, by the native kernel, which reads for each query what it sees and no more.

    The queries must be of float32, the cache of float32 or float16.
    """
    keys, values, visible = cache.keys, cache.values, cache.visible
    return attention(q, keys, values, visible, layer, first_slot, positions, multiplier)
