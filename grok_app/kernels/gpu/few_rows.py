"""A few rows times int8 matrices of several stacks, which all are multiplied by one kernel.

R rows, K and N the rows and columns of a matrix, P pieces of a sum.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.tiles import (
    COLUMNS,
    Matrices,
    Span,
    add_products,
    padded,
    span,
    steps,
    store,
)

ROWS = 64  # rows whose sums one program keeps
_PROGRAMS = 128  # at least so many are to run at once, about one to each core of a GPU


def few_rows(x: Array, stacks: tuple[Matrices, ...], layer: Array, interpret: bool) -> list[Array]:
    """`x` [R, K] times the matrix at `layer` of each stack: the pieces of the sums [P, R, N].

    A matrix is read once for every `ROWS` rows. Where columns and rows are too few to occupy a GPU
    the sums are cut into pieces, which are to be added up.

    Args:
        stacks: (int8 [L, K, N], bfloat16 scales [L, G, N]) each, alike but for N.
    """
    tiles = [pl.cdiv(weight.shape[-1], COLUMNS) for weight, _ in stacks]
    blocks = pl.cdiv(len(x), ROWS)
    pieces = max(1, min(steps(*stacks[0]), _PROGRAMS // (sum(tiles) * blocks)))
    call = pl.pallas_call(
        partial(_kernel, tiles=tiles, pieces=pieces),
        grid=(sum(tiles), pieces, blocks),
        out_shape=[
            jax.ShapeDtypeStruct((pieces, len(x), weight.shape[-1]), jnp.float32)
            for weight, _ in stacks
        ],
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=4),
        interpret=interpret,
        name="few_rows",
    )
    return list(call(layer, x, *(array for stack in stacks for array in stack)))


def _kernel(layer: Any, x: Any, *arrays: Any, tiles: list[int], pieces: int) -> None:
    """One program: some columns of one matrix, one piece of the sum, some rows."""
    tile, piece, block = (pl.program_id(axis) for axis in range(3))
    rows = span(block * ROWS, min(ROWS, padded(x.shape[0])), x.shape[0])
    for number, many in enumerate(tiles):
        stack, out = arrays[2 * number : 2 * number + 2], arrays[2 * len(tiles) + number]
        here = partial(_piece, layer[()], x, rows, stack, out, tile, piece, pieces)
        pl.when((tile >= 0) & (tile < many))(here)
        tile -= many


def _piece(
    layer: Array,
    x: Any,
    rows: Span,
    stack: Matrices,
    out: Any,
    tile: Array,
    piece: Array,
    pieces: int,
) -> None:
    columns, many = span(tile * COLUMNS, COLUMNS, out.shape[-1]), steps(*stack)

    def add(step: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        return add_products(totals, step, x, (), rows, (stack,), (layer,), columns, x.dtype)

    first, last = (lax.div(many * place, pieces) for place in (piece, piece + 1))
    zeros = jnp.zeros((len(rows[0]), COLUMNS), jnp.float32)
    (total,) = lax.fori_loop(first, last, add, (zeros,))
    store(out, (piece,), rows, columns, total)
