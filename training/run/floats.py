"""Float weights in the place of the served int8 ones.

L layers, E experts, K contracted rows, N columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.experimental.layout import Layout, with_layout_constraint


@cache
def factor() -> Any:
    """The type of a product's factors; sums are float32.

    bfloat16 on processors with matrix units (AMX, AVX-512 BF16, tensor cores), where it is up to
    several times as fast. Others widen it again first: there float32 takes two thirds of the time.
    """
    if jax.default_backend() != "cpu":
        return jnp.bfloat16
    known = Path("/proc/cpuinfo")
    flags = known.read_text() if known.exists() else ""
    return jnp.bfloat16 if re.search(r"\b(amx_bf16|avx512_bf16|bf16)\b", flags) else jnp.float32


@jax.custom_vjp
def dot(x: Array, w: Array) -> Array:
    """float32 `x` [rows, K] @ `w` [K, N], its factors rounded to `factor`; and those of the
    products that give the gradients.
    """
    return _rows_by_columns(x, w)


@jax.custom_vjp
def transposed_dot(h: Array, table: Array) -> Array:
    """float32 `h` [..., D] times the transposed `table` [V, D], multiplied as `dot` does."""
    return _rows_by_rows(h, table)


def _product(x: Array, y: Array, axis: int) -> Array:
    x, y = x.astype(factor()), y.astype(factor())
    axes = ((x.ndim - 1,), (axis,))
    return jax.lax.dot_general(x, y, (axes, ((), ())), preferred_element_type=jnp.float32)


def _rows_by_columns(x: Array, y: Array) -> Array:
    return _product(x, y, 0)


def _rows_by_rows(x: Array, y: Array) -> Array:
    return _product(x, y, 1)


def _columns_by_columns(x: Array, y: Array) -> Array:
    """x [..., M], y [..., N] -> [M, N].

    Left to itself XLA contracts the rows where they lie, for which it has no fast kernel on a
    CPU; transposed in memory first, it takes half the time.
    """
    x, y = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    transposed = x.astype(factor()).T
    if jax.default_backend() == "cpu":
        transposed = with_layout_constraint(transposed, Layout((0, 1)))
    return _rows_by_columns(transposed, y)


dot.defvjp(
    lambda x, w: (dot(x, w), (x, w)),
    lambda saved, dy: (_rows_by_rows(dy, saved[1]), _columns_by_columns(saved[0], dy)),
)
transposed_dot.defvjp(
    lambda h, table: (transposed_dot(h, table), (h, table)),
    lambda saved, dy: (_rows_by_columns(dy, saved[1]), _columns_by_columns(dy, saved[0])),
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FloatStack:
    """A parameter of all layers, an array for each layer or for each expert of each layer.

    Serving holds one stacked array; here its gradient would be scattered into a stack.

    Attributes:
        parts: float32 arrays, or tuples of them.
    """

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stack: what Haiku compares with the shape a module expects."""
        part, lead = self.parts, []
        while isinstance(part, tuple):
            lead.append(len(part))
            part = part[0]
        return (*lead, *part.shape)

    def __getitem__(self, index: int | tuple[int, ...]) -> Any:
        part: Any = self.parts
        for i in index if isinstance(index, tuple) else (index,):
            part = part[i]
        return part

    def matmul(self, x: Array, *index: int) -> Array:
        """`x` [rows, K] times the matrix at `index`: float32 [rows, N]."""
        return dot(x, self[index])

    def stacked(self) -> Array:
        """The parts as one array."""
        return jnp.stack([jnp.stack(p) if isinstance(p, tuple) else p for p in self.parts])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FloatWeight:
    """A stack of float32 matrices [..., K, N] that the serving program takes for int8 ones."""

    stack: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stack."""
        return tuple(self.stack.shape)

    def matmul(self, x: Array, *index: Array | int) -> Array:
        """`x` [rows, K] times the matrix at `index`: float32 [rows, N]."""
        return x @ self.stack[index]
