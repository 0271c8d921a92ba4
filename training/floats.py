"""Float weights in the place of the served int8 ones.

L layers, E experts, K contracted rows, N columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_vjp
def dot(x: Array, w: Array) -> Array:
    """float32 `x` [rows, K] @ `w` [K, N], multiplied in bfloat16, summed in float32.

    On processors with matrix units (AMX, tensor cores) this is several times as fast as float32.
    The weight's gradient contracts rows with rows, a form for which XLA has no such kernel on a
    CPU: it stays float32.
    """
    return _bfloat16(x, w, ((1,), (0,)))


def _bfloat16(x: Array, y: Array, axes: tuple[tuple[int], tuple[int]]) -> Array:
    x, y = x.astype(jnp.bfloat16), y.astype(jnp.bfloat16)
    return jax.lax.dot_general(x, y, (axes, ((), ())), preferred_element_type=jnp.float32)


dot.defvjp(
    lambda x, w: (dot(x, w), (x, w)),
    lambda saved, dy: (_bfloat16(dy, saved[1], ((1,), (1,))), saved[0].T @ dy),
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
