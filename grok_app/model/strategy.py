"""How the mathematics of a layer is done: step by step, or by what kernels there are.

b rows, T tokens a row, D model width, V vocabulary, N query heads, G key/value heads, H head size,
L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.model.attention import rotate
from grok_app.model.weights import Weight, matmul

Index = Array | int
"""A layer's index: a number in an unrolled loop, an array in a compiled one."""

Memory = Any
"""What attention remembers between calls: a `KVCache` when serving, nothing when training."""


def transposed_product(h: Array, table: Array) -> Array:
    """`h` [..., D] times the transposed `table` [V, D] of the same type: float32 [..., V]."""
    return jnp.einsum("...d,vd->...v", h, table, preferred_element_type=jnp.float32)


EPSILON = 1e-5  # of norms


def rms_norm(x: Array, scale: Array) -> Array:
    """x / sqrt(mean(x^2) + 1e-5) * scale, over the last axis (arXiv 1910.07467)."""
    return x * lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + EPSILON) * scale


def router_logits(x: Array, w: Array, layer: Index) -> Array:
    """The router's scores of every expert: x [T, D], a stack w [L, D, E] -> float32 [T, E]."""
    return jnp.dot(x, w[layer], precision=lax.Precision.HIGHEST)


Stacks = tuple[Weight, Weight, Weight]
"""Of queries, keys and values; or of an expert's gates, values and ways down."""


class Strategy(Protocol):
    """What differs between serving and training, and from platform to platform: the mathematics
    is one."""

    @property
    def unrolled(self) -> bool:
        """Whether the layers run as straight code rather than in a compiled loop."""
        ...

    @property
    def dtype(self) -> Any:
        """To which the factors of matrix products are rounded; all else is float32."""
        ...

    @property
    def multiply(self) -> Callable[..., Array]:
        """(stack of matrices, x [rows, K], *index) -> [rows, N]."""
        ...

    @property
    def unembed(self) -> Callable[[Array, Array], Array]:
        """(h [..., D], table [V, D]) -> float32 [..., V]."""
        ...

    def attention(
        self, x: Array, stacks: Stacks, angles: tuple[Array, Array], memory: Memory, layer: Index
    ) -> tuple[Array, Memory]:
        """What the heads see: x [b, T, D] -> [b, T, N * H], and the memory with the new keys."""
        ...

    def norm(self, x: Array, scale: Array, layer: Index) -> Array:
        """x [b, T, D] and a stack of scales [L, D] -> `rms_norm` [b, T, D], for attention."""
        ...

    def add_norm(self, h: Array, out: Array, scale: Array, layer: Index) -> Array:
        """h + `rms_norm` of out, all [b, T, D]."""
        ...

    def add_norm_norm(
        self, h: Array, out: Array, scale: Array, next_scale: Array, layer: Index
    ) -> tuple[Array, Array]:
        """As `add_norm`, and the norm of that by the other scale."""
        ...

    def route(self, x: Array, w: Array, layer: Index, chosen: int) -> tuple[Array, Array, Array]:
        """Scores every expert for every token: x [T, D], a stack w [L, D, E] -> probabilities
        [T, E], gates as `experts` takes them, and which k are chosen [T, k]."""
        ...

    def gates_of(self, gates: Array, chosen: Array, experts: int) -> Array:
        """Gates of so many experts in the form in which `route` gives them: from those of the
        chosen, both [T, k]; one that is chosen twice has both its gates."""
        ...

    def experts(self, x: Array, gates: Array, chosen: Array, stacks: Stacks, layer: Index) -> Array:
        """The sum of the chosen experts, each by its gate: x [T, D], gates of `route`, chosen
        [T, k] -> this device's part of [T, D]."""
        ...


@dataclass(frozen=True)
class StepByStep:
    """A strategy in which each step of the mathematics is a function of its own.

    Attributes:
        attend: (q [b, T, N, H], k, v [b, T, G, H], memory, layer) -> (out [b, T, N * H], memory).
        mix: (x [T, D], gates [T, k], chosen [T, k], expert) -> [T, D], where expert maps rows
            [rows, D] and what they belong to, as `multiply` takes it, to this device's part of
            [rows, D].
        multiply: (stack of matrices, x [rows, K], *index) -> [rows, N].
        multiply, unembed, unrolled, dtype: see `Strategy`.
    """

    attend: Callable[[Array, Array, Array, Memory, Index], tuple[Array, Memory]]
    mix: Callable[[Array, Array, Array, Callable[[Array, Index], Array]], Array]
    multiply: Callable[..., Array] = matmul
    unembed: Callable[[Array, Array], Array] = transposed_product
    unrolled: bool = False
    dtype: Any = jnp.float32

    def attention(
        self,
        x: Array,
        stacks: Stacks,
        angles: tuple[Array, Array],
        memory: Memory,
        layer: Index,
    ) -> tuple[Array, Memory]:
        """See `Strategy`."""
        b, length, width = x.shape
        rows, size = x.reshape(-1, width).astype(self.dtype), 2 * angles[0].shape[-1]
        q, k, v = (self.multiply(w, rows, layer).reshape(b, length, -1, size) for w in stacks)
        q, k = rotate(q, angles), rotate(k, angles)
        return self.attend(q.astype(self.dtype), k.astype(self.dtype), v, memory, layer)

    def norm(self, x: Array, scale: Array, layer: Index) -> Array:
        """See `Strategy`."""
        return rms_norm(x, scale[layer])

    def add_norm(self, h: Array, out: Array, scale: Array, layer: Index) -> Array:
        """See `Strategy`."""
        return h + rms_norm(out, scale[layer])

    def add_norm_norm(
        self, h: Array, out: Array, scale: Array, next_scale: Array, layer: Index
    ) -> tuple[Array, Array]:
        """See `Strategy`."""
        h = self.add_norm(h, out, scale, layer)
        return h, rms_norm(h, next_scale[layer])

    def route(self, x: Array, w: Array, layer: Index, chosen: int) -> tuple[Array, Array, Array]:
        """See `Strategy`. Gates are the probabilities of the chosen [T, k]."""
        probabilities = jax.nn.softmax(router_logits(x, w, layer))
        return probabilities, *lax.top_k(probabilities, chosen)

    def gates_of(self, gates: Array, chosen: Array, experts: int) -> Array:
        """See `Strategy`."""
        return gates

    def experts(
        self,
        x: Array,
        gates: Array,
        chosen: Array,
        stacks: Stacks,
        layer: Index,
    ) -> Array:
        """See `Strategy`."""
        gate, value, down = stacks

        def expert(rows: Array, index: Index) -> Array:
            opened = jax.nn.gelu(self.multiply(gate, rows, layer, index))
            hidden = opened * self.multiply(value, rows, layer, index)
            return self.multiply(down, hidden.astype(self.dtype), layer, index)

        return self.mix(x.astype(self.dtype), gates, chosen, expert)
