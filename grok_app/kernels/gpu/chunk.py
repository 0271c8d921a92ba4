"""Attention of a chunk of new tokens a row over the cache, by one kernel.

b rows, T tokens a row, N query heads, G key/value heads, S positions, H head size.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.softmax import KEYS, Running, add_block, nothing
from grok_app.kernels.gpu.tiles import load, load_row, padded, span

QUERIES = 64  # of one head that one program follows


def attend_chunk(
    q: Array,
    keys: Array,
    values: Array,
    visible: Array,
    layer: Array,
    first_slot: Array,
    positions: Array,
    multiplier: float,
    cap: float,
    interpret: bool,
) -> Array:
    """Softly capped, grouped-query attention: each query sees the positions up to its own.

    The keys of a block of queries are read once, as far as its last one sees (FlashAttention, arXiv
    2205.14135).

    Args:
        q: [b, T, N, H].
        positions: int32 [b, T]; at S or more a query sees nothing.
        keys, values, visible, layer, first_slot, cap: see `attend_token`.

    Returns:
        [b, T, N, H] in the type of `q`; zeros where nothing is seen.
    """
    rows, tokens, heads, _ = q.shape
    return pl.pallas_call(
        partial(_kernel, multiplier=multiplier, cap=cap),
        grid=(pl.cdiv(tokens, QUERIES), heads, rows),
        out_shape=jax.ShapeDtypeStruct(q.shape, q.dtype),
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
        name="attend_chunk",
    )(layer, first_slot, positions, q, keys, values, visible)


def _kernel(
    layer: Any,
    first_slot: Any,
    positions: Any,
    q: Any,
    keys: Any,
    values: Any,
    visible: Any,
    out: Any,
    *,
    multiplier: float,
    cap: float,
) -> None:
    """One program: some queries of one head of one row."""
    part, head, row = (pl.program_id(axis) for axis in range(3))
    _, tokens, heads, size = q.shape
    length, slot = keys.shape[3], first_slot[()] + row
    group = lax.div(head, heads // keys.shape[2])
    queries = span(part * QUERIES, QUERIES, tokens)
    across = span(0, padded(size), size)
    place = triton.load(positions.at[row, queries[0]], mask=queries[1], other=length)
    live = jnp.where(place < length, place + 1, 0)
    at = (row, queries[0][:, None], head, across[0][None])
    mask = queries[1][:, None] & across[1][None]
    query = triton.load(q.at[at], mask=mask, other=jnp.zeros((), q.dtype))
    end = jnp.max(live)

    def add(i: Array, carry: Running) -> Running:
        block = span(i * KEYS, KEYS, end)
        seen = load_row(visible, (slot,), block)[None] & (block[0][None] < live[:, None])
        key, value = (
            load(kept, (layer[()], slot, group), block, across) for kept in (keys, values)
        )
        return add_block(carry, query, key, value, seen, multiplier, cap)

    _, total, made = lax.fori_loop(0, lax.div(end + KEYS - 1, KEYS), add, nothing(QUERIES, across))
    made = made / jnp.maximum(total, 1e-30)[:, None]
    triton.store(out.at[at], made.astype(out.dtype), mask=mask)
