"""Attention of one new token a row: keys and values into the cache, then over pieces of it.

B rows, N query heads, G key/value heads, S positions, H head size, P pieces of the cache.
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
from grok_app.kernels.gpu.tiles import Span, load, load_row, padded, span, store_row

PIECES = 32  # in which the cache is read, however long it is


def remember(
    sums: list[Array],
    angles: tuple[Array, Array],
    keys: Array,
    values: Array,
    layer: Array,
    first_slot: Array,
    positions: Array,
    dtype: Any,
    interpret: bool,
) -> tuple[Array, Array, Array]:
    """Turns queries and keys to their positions and writes keys and values where they belong.

    Args:
        sums: the pieces of q [p, B, N * H], k and v [p, B, G * H], float32.
        angles: cosines and sines float32 [B, H / 2] of the positions.
        keys, values: [L, slots, G, S, H]; changed in place.
        first_slot: int32 [], of the B slots.
        positions: int32 [B]; what is to stand outside the cache is not written.

    Returns:
        q `dtype` [B, N, H], keys, values.
    """
    size, rows = keys.shape[-1], len(positions)
    heads, groups = sums[0].shape[-1] // size, keys.shape[2]
    q = jax.ShapeDtypeStruct((rows, heads, size), dtype)
    made = [q, *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (keys, values))]
    call = pl.pallas_call(
        partial(_remember, heads=heads, groups=groups),
        grid=(rows, heads + 2 * groups),
        out_shape=made,
        input_output_aliases={8: 1, 9: 2},
        compiler_params=triton.CompilerParams(num_warps=1),
        interpret=interpret,
        name="remember",
    )
    return tuple(call(layer, first_slot, positions, *angles, *sums, keys, values))


def _remember(
    layer: Any,
    first_slot: Any,
    positions: Any,
    cos: Any,
    sin: Any,
    qs: Any,
    ks: Any,
    vs: Any,
    _keys: Any,
    _values: Any,
    q: Any,
    keys: Any,
    values: Any,
    *,
    heads: int,
    groups: int,
) -> None:
    """One program: one head of one row."""
    row, head, half = pl.program_id(0), pl.program_id(1), q.shape[-1] // 2
    position, slot = positions[row], first_slot[()] + row
    first = span(0, pl.next_power_of_2(half), half)

    def sum_of(pieces: Any, head: Array) -> tuple[Array, Array]:
        parts = span(0, pl.next_power_of_2(pieces.shape[0]), pieces.shape[0])

        def of_half(start: Array) -> Array:
            at = (parts[0][:, None], row, start + first[0][None])
            mask = parts[1][:, None] & first[1][None]
            return jnp.sum(triton.load(pieces.at[at], mask=mask, other=0), axis=0)

        return of_half(head * 2 * half), of_half(head * 2 * half + half)

    def turned(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        c, s = load_row(cos, (row,), first), load_row(sin, (row,), first)
        return pair[0] * c - pair[1] * s, pair[1] * c + pair[0] * s

    def write(array: Any, lead: tuple[Any, ...], pair: tuple[Array, Array], there: Any) -> None:
        for start, part in zip((0, half), pair, strict=True):
            store_row(array, lead, (start + first[0], first[1] & there), _within(part, array))

    @pl.when(head < heads)
    def query() -> None:
        write(q, (row, head), turned(sum_of(qs, head)), True)

    @pl.when((head >= heads) & (head < heads + groups))
    def key() -> None:
        group = head - heads
        pair = tuple(_within(part, q).astype(q.dtype) for part in turned(sum_of(ks, group)))
        there = position < keys.shape[3]
        write(keys, (layer[()], slot, group, position), pair, there)  # type: ignore[arg-type]

    @pl.when(head >= heads + groups)
    def value() -> None:
        group = head - heads - groups
        there = position < keys.shape[3]
        write(values, (layer[()], slot, group, position), sum_of(vs, group), there)


def _within(part: Array, array: Any) -> Array:
    """What is too large for the type of an array becomes its largest number."""
    most = jnp.finfo(array.dtype).max
    return part if most >= jnp.finfo(part.dtype).max else jnp.clip(part, -most, most)


def attend_token(
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
    """Softly capped, grouped-query attention of one token a row, in parallel over the cache.

    Each of `PIECES` programs for a key/value head goes over every so many positions with a running
    softmax, as many as the conversation has; one more kernel joins them (arXiv 2311.01282).

    Args:
        q: [B, N, H].
        keys, values: [L, slots, G, S, H].
        visible: bool [slots, S].
        first_slot: int32 [], of the B slots.
        positions: int32 [B]; a row sees those up to its own, one at S or more nothing.
        cap: scores are bent softly into (-cap, cap).

    Returns:
        [B, N, H] in the type of `q`; zeros where nothing is seen.
    """
    rows, heads, size = q.shape
    groups = keys.shape[2]
    options: dict[str, Any] = {"interpret": interpret}
    pieces = pl.pallas_call(
        partial(_piece, multiplier=multiplier, cap=cap),
        grid=(PIECES, groups, rows),
        out_shape=[
            jax.ShapeDtypeStruct((rows, heads, PIECES), jnp.float32),
            jax.ShapeDtypeStruct((rows, heads, PIECES), jnp.float32),
            jax.ShapeDtypeStruct((rows, heads, PIECES, size), jnp.float32),
        ],
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=3),
        name="attend_piece",
        **options,
    )(layer, first_slot, positions, q, keys, values, visible)
    return pl.pallas_call(
        _join,
        grid=(heads, rows),
        out_shape=jax.ShapeDtypeStruct(q.shape, q.dtype),
        compiler_params=triton.CompilerParams(num_warps=4),
        name="attend_join",
        **options,
    )(*pieces)


def _piece(
    layer: Any,
    first_slot: Any,
    positions: Any,
    q: Any,
    keys: Any,
    values: Any,
    visible: Any,
    highest: Any,
    total: Any,
    out: Any,
    *,
    multiplier: float,
    cap: float,
) -> None:
    """One program: all heads of one group of one row, every `PIECES`th block of positions."""
    piece, group, row = (pl.program_id(axis) for axis in range(3))
    share, length, size = q.shape[1] // keys.shape[2], keys.shape[3], q.shape[2]
    heads = span(group * share, padded(share), (group + 1) * share)
    across = span(0, padded(size), size)
    position, slot = positions[row], first_slot[()] + row
    live = jnp.where(position < length, position + 1, 0)
    query = load(q, (row,), heads, across)

    def add(i: Array, carry: Running) -> Running:
        block = span((piece + i * PIECES) * KEYS, KEYS, live)
        seen = (load_row(visible, (slot,), block) & block[1])[None]
        key, value = (
            load(kept, (layer[()], slot, group), block, across) for kept in (keys, values)
        )
        return add_block(carry, query, key, value, seen, multiplier, cap)

    all_blocks = lax.div(live + KEYS - 1, KEYS)
    blocks = lax.div(jnp.maximum(all_blocks - piece, 0) + PIECES - 1, PIECES)
    start = nothing(len(heads[0]), across)
    top, summed, made = lax.fori_loop(0, blocks, add, start)
    triton.store(highest.at[row, heads[0], piece], top, mask=heads[1])
    triton.store(total.at[row, heads[0], piece], summed, mask=heads[1])
    at = (row, heads[0][:, None], piece, across[0][None])
    triton.store(out.at[at], made, mask=heads[1][:, None] & across[1][None])


def _join(highest: Any, total: Any, pieces: Any, out: Any) -> None:
    """One program: the pieces of one head of one row."""
    head, row, size = pl.program_id(0), pl.program_id(1), out.shape[-1]
    every: Span = span(0, PIECES, PIECES)
    across = span(0, padded(size), size)
    top = load_row(highest, (row, head), every)
    share = jnp.exp(top - jnp.max(top))
    summed = jnp.sum(load_row(total, (row, head), every) * share)
    made = jnp.sum(load(pieces, (row, head), every, across) * share[:, None], axis=0)
    store_row(out, (row, head), across, made / jnp.maximum(summed, 1e-30))
