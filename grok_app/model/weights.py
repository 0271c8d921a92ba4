"""Int8 matrices with grouped scales; on a CPU large ones are never held whole as floats.

L layers, E experts, K contracted rows, N columns, G scale groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.kernels import grouped_matmul

# On a CPU a matrix is widened this many elements at a time: the floats stay in the L2 cache.
_TILE_ELEMENTS = 256 * 4096
TILE_ROWS = 128
# Longer sums XLA cuts in a way that depends on how many rows of `x` there are; then a row's bits
# would depend on the rows beside it.
_LONGEST_SUM = 256


class Weight(Protocol):
    """What the modules ask of a stack of matrices, quantized or not."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole stack, [..., K, N]."""
        ...

    def matmul(self, x: Array, *index: Array | int) -> Array:
        """`x` [rows, K] times the matrix at `index` of the leading axes: float32 [rows, N]."""
        ...


def matmul(weight: Weight, x: Array, *index: Array | int) -> Array:
    """`x` [rows, K] times a matrix of any kind of stack: float32 [rows, N]."""
    return weight.matmul(x, *index)


def whole_matmul(weight: QuantizedWeight, x: Array, *index: Array | int) -> Array:
    """As `matmul`, for accelerators."""
    return weight.whole_matmul(x, *index)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class QuantizedWeight:
    """A stack of int8 matrices; row k of a matrix is scaled by group k // (K / G).

    Attributes:
        weight: int8 [..., K, N].
        scales: bfloat16 [..., G, N].
    """

    weight: Array
    scales: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the int8 stack: what Haiku compares with the shape a module expects."""
        return tuple(self.weight.shape)

    def matmul(self, x: Array, *index: Array | int) -> Array:
        """`x` [rows, K] times the matrix at `index` of the leading axes: [rows, N].

        Factors are rounded to the type of `x`; sums and the result are float32. A large matrix is
        widened by tiles of some rows, as is best for processors.
        """
        rows, columns = self.shape[-2:]
        if rows * columns <= _TILE_ELEMENTS and rows <= _LONGEST_SUM:
            return self.whole_matmul(x, *index)
        group = rows // self.scales.shape[-2]
        return self._sum_of_tiles(x, _largest_divisor(group, TILE_ROWS), *index)

    def whole_matmul(self, x: Array, *index: Array | int) -> Array:
        """As `matmul`, for accelerators: one product of whole matrices."""
        rows, groups = self.shape[-2], self.scales.shape[-2]
        if groups == 1:
            return self._sum_of_tiles(x, rows, *index)
        return _product(x, self._floats(x.dtype, *index))

    def _sum_of_tiles(self, x: Array, tile: int, *index: Array | int) -> Array:
        """`x` times the matrix, `tile` rows at a time, which must divide those of a group."""
        rows, columns = self.shape[-2:]
        group = rows // self.scales.shape[-2]

        def add_tile(i: Array, total: Array) -> Array:
            part = lax.dynamic_slice_in_dim(x, i * tile, tile, axis=1)
            weight = _block(self.weight, index, i * tile, tile).astype(x.dtype)
            scales = _block(self.scales, index, i * tile // group, 1)
            return total + _product(part, weight) * scales.astype(jnp.float32)

        zeros = jnp.zeros((x.shape[0], columns), jnp.float32)
        return lax.fori_loop(0, rows // tile, add_tile, zeros)

    def native_matmul(self, x: Array, *index: Array | int, rows: Array) -> Array:
        """As `matmul`, by the native kernel, for the first `rows` [] of `x`; zeros for the others.

        The last of `index` may be int32 [E]: how many rows, sorted so, go with each matrix.
        """
        *lead, last = index
        counts = jnp.asarray(last)
        one = counts.ndim == 0
        first = jnp.int32(0)
        for size, i in zip(self.shape[:-2], (*lead, last if one else 0), strict=True):
            first = first * size + i
        counts = rows.reshape(1) if one else counts
        return grouped_matmul(x, self.weight, self.scales, first, counts)

    def _floats(self, dtype: jnp.dtype, *index: Array | int) -> Array:
        """One matrix, its scales applied: [K, N]."""
        rows, columns = self.shape[-2:]
        groups = self.scales.shape[-2]
        weight = _block(self.weight, index, 0, rows).astype(dtype)
        scales = _block(self.scales, index, 0, groups).astype(dtype)
        return (weight.reshape(groups, -1, columns) * scales[:, None]).reshape(rows, columns)


def _block(stack: Array, index: tuple[Array | int, ...], start: Array | int, rows: int) -> Array:
    """Rows `start` to `start + rows` of the matrix at `index` of a stack: [rows, N]."""
    columns = stack.shape[-1]
    sizes = (1,) * len(index) + (rows, columns)
    return lax.dynamic_slice(stack, (*index, start, 0), sizes).reshape(rows, columns)


def _product(x: Array, y: Array) -> Array:
    return jnp.dot(x, y, preferred_element_type=jnp.float32)


def _largest_divisor(number: int, limit: int) -> int:
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)
