"""Int8 matrices with grouped scales, multiplied without ever holding them whole as floats.

L layers, E experts, K contracted rows, N columns, G scale groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

# On a CPU a matrix is widened this many elements at a time: the floats stay in the L2 cache.
_TILE_ELEMENTS = 256 * 4096
_TILE_ROWS = 256


class Weight(Protocol):
    """What the modules ask of a stack of matrices, quantized or not."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole stack, [..., K, N]."""
        ...

    def matmul(self, x: Array, *index: Array | int) -> Array:
        """`x` [rows, K] times the matrix at `index` of the leading axes: [rows, N]."""
        ...


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

        Products are accumulated in float32; the result has the type of `x`.
        """
        *_, rows, columns = self.shape
        tile = rows
        if jax.default_backend() == "cpu" and rows * columns > _TILE_ELEMENTS:
            tile = _largest_divisor(rows // self.scales.shape[-2], _TILE_ROWS)
        if tile == rows:
            return _product(x, self._floats(x.dtype, index, 0, rows)).astype(x.dtype)

        def add_tile(i: Array, total: Array) -> Array:
            part = lax.dynamic_slice_in_dim(x, i * tile, tile, axis=1)
            return total + _product(part, self._floats(x.dtype, index, i * tile, tile))

        zeros = jnp.zeros((x.shape[0], columns), jnp.float32)
        return lax.fori_loop(0, rows // tile, add_tile, zeros).astype(x.dtype)

    def _floats(self, dtype: jnp.dtype, index: tuple, start: Array | int, rows: int) -> Array:
        """Rows `start` to `start + rows` of one matrix as floats [rows, N]: the whole matrix, or
        a tile that lies within one scale group."""
        *_, total, columns = self.shape
        groups = self.scales.shape[-2]
        first, count = (0, groups) if rows == total else (start // (total // groups), 1)
        weight = _block(self.weight, index, start, rows).astype(dtype)
        scales = _block(self.scales, index, first, count).astype(dtype)
        return (weight.reshape(count, -1, columns) * scales[:, None]).reshape(rows, columns)


def _block(stack: Array, index: tuple, start: Array | int, rows: int) -> Array:
    """Rows `start` to `start + rows` of the matrix at `index` of a stack: [rows, N]."""
    columns = stack.shape[-1]
    sizes = (1,) * len(index) + (rows, columns)
    return lax.dynamic_slice(stack, (*index, start, 0), sizes).reshape(rows, columns)


def _product(x: Array, y: Array) -> Array:
    return jnp.dot(x, y, preferred_element_type=jnp.float32)


def _largest_divisor(number: int, limit: int) -> int:
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)
