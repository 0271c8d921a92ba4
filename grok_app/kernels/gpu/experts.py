"""The chosen experts for a few rows: the way up by one kernel, the way down by another.

Every row goes through each expert that some row chose, which costs no more than reading the expert:
a gate of zero then leaves out what was not chosen. R rows, E experts, D model width, F an expert's.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.tiles import (
    COLUMNS,
    Matrices,
    add_products,
    load,
    padded,
    span,
    steps,
    store,
)

MOST_ROWS = 64


def few_rows_experts(
    x: Array,
    gates: Array,
    stacks: tuple[Matrices, Matrices, Matrices],
    layer: Array,
    dtype: Any,
    interpret: bool,
) -> Array:
    """Sum over experts of gate * expert(x); only experts with a gate above zero are read.

    Args:
        x: float32 [R, D], R at most `MOST_ROWS`.
        gates: float32 [R, E], zero where an expert is not chosen.
        dtype: to which the factors of products are rounded.
        stacks: gate [L, E, D, F], value [L, E, D, F] and way down [L, E, F, D], with their scales.

    Returns:
        float32 [R, D].
    """
    _, experts, width, hidden = stacks[0][0].shape
    options: dict[str, Any] = {
        "compiler_params": triton.CompilerParams(num_warps=4, num_stages=4),
        "interpret": interpret,
    }
    up = pl.pallas_call(
        _up,
        grid=(pl.cdiv(hidden, COLUMNS), experts),
        out_shape=jax.ShapeDtypeStruct((experts, len(x), hidden), dtype),
        name="experts_up",
        **options,
    )(layer, x, gates, *stacks[0], *stacks[1])
    return pl.pallas_call(
        _down,
        grid=(pl.cdiv(width, COLUMNS),),
        out_shape=jax.ShapeDtypeStruct((len(x), width), jnp.float32),
        name="experts_down",
        **options,
    )(layer, up, gates, *stacks[2])


def _gates(gates: Any, rows: Any, expert: Array) -> Array:
    """Those of an expert [rows, 1]."""
    return load(gates, (), rows, (expert[None], jnp.ones(1, bool)))


def _up(layer: Any, x: Any, gates: Any, gate: Any, gs: Any, value: Any, vs: Any, out: Any) -> None:
    """One program: some columns of one expert; nothing where nobody chose it."""
    expert, many = pl.program_id(1), x.shape[0]
    rows = span(0, padded(many), many)
    columns = span(pl.program_id(0) * COLUMNS, COLUMNS, out.shape[-1])
    stacks, index = ((gate, gs), (value, vs)), (layer[()], expert)

    def add(step: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        return add_products(totals, step, x, (), rows, stacks, index, columns, out.dtype)

    @pl.when(jnp.max(_gates(gates, rows, expert)) > 0)
    def compute() -> None:
        zeros = jnp.zeros((len(rows[0]), COLUMNS), jnp.float32)
        opened, values = lax.fori_loop(0, steps(gate, gs), add, (zeros, zeros))
        store(out, (expert,), rows, columns, jax.nn.gelu(opened) * values)


def _down(layer: Any, hidden: Any, gates: Any, weight: Any, scales: Any, out: Any) -> None:
    """One program: some columns of all experts that somebody chose."""
    experts, many, _ = hidden.shape
    rows = span(0, padded(many), many)
    columns = span(pl.program_id(0) * COLUMNS, COLUMNS, out.shape[-1])
    zeros = jnp.zeros((len(rows[0]), COLUMNS), jnp.float32)

    def add_expert(expert: Array, total: Array) -> Array:
        own = _gates(gates, rows, expert)
        stack, index = ((weight, scales),), (layer[()], expert)

        def add(step: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
            return add_products(
                totals, step, hidden, (expert,), rows, stack, index, columns, hidden.dtype
            )

        wanted = (jnp.max(own) > 0).astype(jnp.int32) * steps(weight, scales)
        (made,) = lax.fori_loop(0, wanted, add, (zeros,))
        return total + jnp.where(own > 0, own * made, 0.0)

    store(out, (), rows, columns, lax.fori_loop(0, experts, add_expert, zeros))
