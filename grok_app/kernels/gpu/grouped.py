"""The chosen experts for many rows, on tensor cores: rows sorted by expert, a block at a time.

A program finds the expert of its block from the counts on the device, as megablox does (arXiv
2211.15841), so the grid is fixed. T rows, k experts chosen for each, E experts, D model width, F an
expert's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.tiles import COLUMNS, Matrices, Span, add_products, span, steps, store

BLOCK = 128  # rows of one expert that one program multiplies
_FLOAT32_BLOCK = 32  # such products are no work for tensor cores, and long programs


def many_rows_experts(
    x: Array,
    chosen: Array,
    live: Array,
    stacks: tuple[Matrices, Matrices, Matrices],
    layer: Array,
    dtype: Any,
    interpret: bool,
) -> Array:
    """expert(x) of each row and each expert that it chose.

    For every `BLOCK` rows of an expert, fewer in float32, its weights are read once.

    Args:
        x: float32 [T, D].
        chosen: int32 [T, k].
        live: bool [T]; the other rows go to no expert.
        stacks: gate [L, E, D, F], value [L, E, D, F] and way down [L, E, F, D], with their scales.
        dtype: to which the factors of products are rounded.

    Returns:
        float32 [T, k, D]; zeros where not live.
    """
    _, experts, width, hidden = stacks[0][0].shape
    tokens, k = chosen.shape
    assigned = jnp.where(live[:, None], chosen, experts).reshape(-1)
    order = jnp.argsort(assigned).astype(jnp.int32)
    counts = jnp.sum(assigned[:, None] == jnp.arange(experts), axis=0, dtype=jnp.int32)
    block = BLOCK if jnp.dtype(dtype).itemsize < 4 else _FLOAT32_BLOCK
    blocks = experts + pl.cdiv(tokens * k, block)
    options: dict[str, Any] = {
        "compiler_params": triton.CompilerParams(num_warps=8, num_stages=3),
        "interpret": interpret,
    }
    up = pl.pallas_call(
        partial(_up, k=k, size=block),
        grid=(blocks, pl.cdiv(hidden, COLUMNS)),
        out_shape=jax.ShapeDtypeStruct((tokens * k, hidden), dtype),
        name="experts_up_grouped",
        **options,
    )(layer, counts, order, x, *stacks[0], *stacks[1])
    out = pl.pallas_call(
        partial(_down, size=block),
        grid=(blocks, pl.cdiv(width, COLUMNS)),
        out_shape=jax.ShapeDtypeStruct((tokens * k, width), jnp.float32),
        name="experts_down_grouped",
        **options,
    )(layer, counts, order, up, *stacks[2])
    return jnp.where(live[:, None, None], out.reshape(tokens, k, width), 0.0)


def _block(counts: Any, block: Array, size: int) -> tuple[Array, Span]:
    """The expert of a block of `size` rows, and its places among the sorted pairs; none where it
    lies beyond them."""

    def look(e: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
        expert, start, end, first_block, first_pair = found
        blocks = lax.div(counts[e] + size - 1, size)
        here = (block >= first_block) & (block < first_block + blocks)
        return (
            jnp.where(here, e, expert),
            jnp.where(here, first_pair + (block - first_block) * size, start),
            jnp.where(here, first_pair + counts[e], end),
            first_block + blocks,
            first_pair + counts[e],
        )

    zero = jnp.int32(0)
    expert, start, end, _, _ = lax.fori_loop(0, counts.shape[0], look, (zero,) * 5)
    return expert, span(start, size, end)


def _pairs(order: Any, places: Span) -> Array:
    """Which pairs stand at some places; none that there is where nothing does, for the interpreter
    writes back what a mask leaves out."""
    return triton.load(order.at[places[0]], mask=places[1], other=order.shape[0])


def _up(
    layer: Any,
    counts: Any,
    order: Any,
    x: Any,
    gate: Any,
    gs: Any,
    value: Any,
    vs: Any,
    out: Any,
    *,
    k: int,
    size: int,
) -> None:
    """One program: some rows of one expert, some columns."""
    expert, places = _block(counts, pl.program_id(0), size)
    columns = span(pl.program_id(1) * COLUMNS, COLUMNS, out.shape[-1])
    pairs = _pairs(order, places)
    rows, stacks, index = (lax.div(pairs, k), places[1]), ((gate, gs), (value, vs)), layer[()]

    def add(step: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        given = rows, stacks, (index, expert), columns
        return add_products(totals, step, x, (), *given, out.dtype)

    zeros = jnp.zeros((size, COLUMNS), jnp.float32)
    many = jnp.max(places[1].astype(jnp.int32)) * steps(gate, gs)
    opened, values = lax.fori_loop(0, many, add, (zeros, zeros))
    store(out, (), places, columns, jax.nn.gelu(opened) * values)


def _down(
    layer: Any,
    counts: Any,
    order: Any,
    hidden: Any,
    weight: Any,
    scales: Any,
    out: Any,
    *,
    size: int,
) -> None:
    """One program: some rows of one expert, some columns; put where the row's pair belongs."""
    expert, places = _block(counts, pl.program_id(0), size)
    columns = span(pl.program_id(1) * COLUMNS, COLUMNS, out.shape[-1])
    pairs = _pairs(order, places)
    index = layer[()], expert

    def add(step: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        given = places, ((weight, scales),), index, columns
        return add_products(totals, step, hidden, (), *given, hidden.dtype)

    zeros = jnp.zeros((size, COLUMNS), jnp.float32)
    many = jnp.max(places[1].astype(jnp.int32)) * steps(weight, scales)
    (total,) = lax.fori_loop(0, many, add, (zeros,))
    store(out, (), (pairs, places[1]), columns, total)
