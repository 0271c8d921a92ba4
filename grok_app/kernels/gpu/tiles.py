"""What the kernels for GPUs share: the pieces in which they read arrays, and how they multiply.

Arrays within a kernel have sizes that are powers of two; what lies beyond an array's end is masked.
R rows, K rows and N columns of a matrix, G its scale groups.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

DEPTH = 128  # rows of a matrix that are read at a time
COLUMNS = 64  # columns of a matrix with which one program multiplies

Span = tuple[Array, Array]
"""Places along an axis, and which of them there are."""

Matrices = tuple[Any, Any]
"""Of a stack of matrices: int8 [..., K, N], and its scales bfloat16 [..., G, N]."""


def padded(number: int) -> int:
    """The least power of two no less than a number, and than 16, which tensor cores ask for."""
    return max(16, pl.next_power_of_2(number))


def span(start: Array | int, size: int, end: Array | int) -> Span:
    """So many places from `start` on, of which those before `end` are there."""
    places = start + jnp.arange(size)
    return places, places < end


def _zero(array: Any) -> Array:
    return jnp.zeros((), array.dtype)


def load(array: Any, lead: tuple[Any, ...], rows: Span, columns: Span) -> Array:
    """A part of the matrix at `lead` of a stack, with zeros where there is nothing."""
    at = (*lead, rows[0][:, None], columns[0][None])
    return triton.load(array.at[at], mask=rows[1][:, None] & columns[1][None], other=_zero(array))


def store(array: Any, lead: tuple[Any, ...], rows: Span, columns: Span, part: Array) -> None:
    """Writes a part of the matrix at `lead`."""
    at = (*lead, rows[0][:, None], columns[0][None])
    triton.store(array.at[at], part.astype(array.dtype), mask=rows[1][:, None] & columns[1][None])


def load_row(array: Any, lead: tuple[Any, ...], columns: Span) -> Array:
    """A part of the vector at `lead`, with zeros where there is nothing."""
    return triton.load(array.at[(*lead, columns[0])], mask=columns[1], other=_zero(array))


def store_row(array: Any, lead: tuple[Any, ...], columns: Span, row: Array) -> None:
    """Writes a part of the vector at `lead`."""
    triton.store(array.at[(*lead, columns[0])], row.astype(array.dtype), mask=columns[1])


def steps(weight: Any, scales: Any) -> int:
    """In how many steps the rows of a matrix are read; each lies within one scale group."""
    group = weight.shape[-2] // scales.shape[-2]
    return scales.shape[-2] * pl.cdiv(group, min(DEPTH, padded(group)))


def add_products(
    totals: tuple[Array, ...],
    step: Array,
    x: Any,
    lead: tuple[Any, ...],
    rows: Span,
    matrices: tuple[Matrices, ...],
    index: tuple[Any, ...],
    columns: Span,
    dtype: Any,
) -> tuple[Array, ...]:
    """Adds, to each total [rows, columns], some rows of `x` [*lead, R, K], rounded to `dtype`,
    times what the step reads of the matrix at `index` of a stack; the matrices have one shape."""
    weight, scales = matrices[0]
    group = weight.shape[-2] // scales.shape[-2]
    depth = min(DEPTH, padded(group))
    in_group = pl.cdiv(group, depth)
    g = lax.div(step, in_group)
    part = span(g * group + lax.rem(step, in_group) * depth, depth, (g + 1) * group)
    factor = load(x, lead, rows, part).astype(dtype)
    return tuple(
        total
        + product(factor, load(weight, index, part, columns))
        * load_row(scales, (*index, g), columns).astype(jnp.float32)
        for total, (weight, scales) in zip(totals, matrices, strict=True)
    )


def product(x: Array, y: Array) -> Array:
    """The product in the type of `x`, to which every int8 belongs; the sum is float32."""
    exact = lax.Precision.HIGHEST if x.dtype == jnp.float32 else None
    return jnp.dot(x, y.astype(x.dtype), precision=exact, preferred_element_type=jnp.float32)
