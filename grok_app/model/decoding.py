"""The model on a GPU: straight code of a few kernels, for any number of people and any length.

b rows, T new tokens a row, D model width, N query heads, G key/value heads, H head size, E experts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax import Array

from grok_app.kernels.gpu import (
    add_norm,
    add_norm_norm,
    attend_chunk,
    attend_token,
    few_rows,
    few_rows_experts,
    many_rows_experts,
    norm,
    remember,
    route,
)
from grok_app.model.attention import LOGIT_CAP, rotate
from grok_app.model.cache import KVCache
from grok_app.model.strategy import EPSILON, Index, Stacks, transposed_product
from grok_app.model.weights import QuantizedWeight


@dataclass(frozen=True)
class Decoding:
    """A strategy for one new token each of a few rows, see `Strategy`.

    Attributes:
        positions: int32 [b, T], where the tokens stand; outside the cache what is padding.
        first_slot: int32 [], of the b slots.
        live: bool [b * T]; padding goes to no expert.
        multiplier: of attention's scores.
        interpret: run the kernels in Pallas' interpreter, on any device.
    """

    positions: Array
    first_slot: Array | int
    live: Array
    multiplier: float
    dtype: Any
    interpret: bool
    unrolled: bool = False
    unembed: Callable[[Array, Array], Array] = transposed_product

    def multiply(self, weight: QuantizedWeight, x: Array, layer: Index) -> Array:
        """See `Strategy`."""
        (sums,) = few_rows(x, (_arrays(weight),), jnp.int32(layer), self.interpret)
        return sums.sum(axis=0)

    def attention(
        self, x: Array, stacks: Stacks, angles: tuple[Array, Array], memory: KVCache, layer: Index
    ) -> tuple[Array, KVCache]:
        """See `Strategy`."""
        at = jnp.int32(layer), jnp.int32(self.first_slot), self.positions[:, 0]
        rows = x[:, 0].astype(self.dtype)
        sums = few_rows(rows, tuple(map(_arrays, stacks)), at[0], self.interpret)
        cos, sin = (angle[:, 0] for angle in angles)
        kept = memory.keys, memory.values
        q, keys, values = remember(sums, (cos, sin), *kept, *at, self.dtype, self.interpret)
        out = attend_token(
            q, keys, values, memory.visible, *at, self.multiplier, LOGIT_CAP, self.interpret
        )
        memory = replace(memory, keys=keys, values=values)
        return out.reshape(len(x), 1, -1), memory

    def norm(self, x: Array, scale: Array, layer: Index) -> Array:
        """See `Strategy`."""
        out = norm(_rows(x), scale, jnp.int32(layer), EPSILON, self.dtype, self.interpret)
        return out.reshape(x.shape)

    def add_norm(self, h: Array, out: Array, scale: Array, layer: Index) -> Array:
        """See `Strategy`."""
        given = _rows(h), _rows(out), scale, jnp.int32(layer)
        return add_norm(*given, EPSILON, self.interpret).reshape(h.shape)

    def add_norm_norm(
        self, h: Array, out: Array, scale: Array, next_scale: Array, layer: Index
    ) -> tuple[Array, Array]:
        """See `Strategy`."""
        given = _rows(h), _rows(out), scale, next_scale, jnp.int32(layer)
        new_h, x = add_norm_norm(*given, EPSILON, self.interpret)
        return new_h.reshape(h.shape), x.reshape(h.shape)

    def route(self, x: Array, w: Array, layer: Index, chosen: int) -> tuple[Array, Array, Array]:
        """See `Strategy`. Gates are [b, E], zero for what is not chosen."""
        return route(x, w, jnp.int32(layer), self.live, chosen, self.interpret)

    def gates_of(self, gates: Array, chosen: Array, experts: int) -> Array:
        """See `Strategy`."""
        rows = jnp.arange(len(gates))[:, None]
        return jnp.zeros((len(gates), experts), gates.dtype).at[rows, chosen].add(gates)

    def experts(self, x: Array, gates: Array, chosen: Array, stacks: Stacks, layer: Index) -> Array:
        """See `Strategy`."""
        gate, value, down = map(_arrays, stacks)
        arrays = gate, value, down
        return few_rows_experts(x, gates, arrays, jnp.int32(layer), self.dtype, self.interpret)


class Prefilling(Decoding):
    """A strategy for a chunk of tokens a row, see `Strategy`."""

    def attention(
        self, x: Array, stacks: Stacks, angles: tuple[Array, Array], memory: KVCache, layer: Index
    ) -> tuple[Array, KVCache]:
        """See `Strategy`."""
        rows, size = _rows(x).astype(self.dtype), 2 * angles[0].shape[-1]
        sums = few_rows(rows, tuple(map(_arrays, stacks)), jnp.int32(layer), self.interpret)
        q, k, v = (part.sum(axis=0).reshape(*x.shape[:2], -1, size) for part in sums)
        q, k = (rotate(part, angles).astype(self.dtype) for part in (q, k))
        memory = memory.write(layer, self.first_slot, self.positions, k, v)
        at = jnp.int32(layer), jnp.int32(self.first_slot), self.positions
        kept = memory.keys, memory.values, memory.visible
        out = attend_chunk(q, *kept, *at, self.multiplier, LOGIT_CAP, self.interpret)
        return out.reshape(*x.shape[:2], -1), memory

    def route(self, x: Array, w: Array, layer: Index, chosen: int) -> tuple[Array, Array, Array]:
        """See `Strategy`. Gates are those of the chosen [T, k]."""
        probabilities, gates, which = super().route(x, w, layer, chosen)
        return probabilities, jnp.take_along_axis(gates, which, axis=1), which

    def gates_of(self, gates: Array, chosen: Array, experts: int) -> Array:
        """See `Strategy`."""
        return gates

    def experts(self, x: Array, gates: Array, chosen: Array, stacks: Stacks, layer: Index) -> Array:
        """See `Strategy`."""
        gate, value, down = map(_arrays, stacks)
        given = (gate, value, down), jnp.int32(layer), self.dtype, self.interpret
        out = many_rows_experts(x, chosen, self.live, *given)
        return jnp.sum(out * gates[..., None], axis=1)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _arrays(weight: Any) -> tuple[Array, Array]:
    return weight.weight, weight.scales
