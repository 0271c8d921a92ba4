"""Keys and values of past positions, one slot a conversation, all layers stacked.

L layers, B slots, G key/value heads, S positions, H head size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

BLOCK = 256  # attention reads the cache this many positions at a time


def stored_type(dtype: Any) -> Any:
    """The type in which keys and values are kept when serving, for a model computing in `dtype`.

    For float32 it is float16: attention reads half as many bytes, and numbers from 6e-5 to 65504
    lose a relative 2^-11 at most, an eighth of what they would in bfloat16.
    """
    dtype = jnp.dtype(dtype)
    return jnp.dtype(jnp.float16) if dtype == jnp.float32 else dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class KVCache:
    """The cache; updated functionally, in place when donated to the program that updates it.

    Attributes:
        keys: [L, B, G, S, H], rotated.
        values: [L, B, G, S, H].
        visible: bool [B, S]; false where the token was padding, whose key nobody may see.
    """

    keys: Array
    values: Array
    visible: Array

    @property
    def length(self) -> int:
        """Positions a slot holds, a multiple of `BLOCK`."""
        return self.keys.shape[3]

    def mark(self, first_slot: Array | int, positions: Array, visible: Array) -> KVCache:
        """The cache knowing which of the tokens [b, T] at `positions` [b, T] may be seen.

        Positions outside the cache are ignored.
        """
        slots = first_slot + jnp.arange(positions.shape[0])[:, None]
        return replace(self, visible=self.visible.at[slots, positions].set(visible, mode="drop"))

    def write(
        self, layer: Array | int, first_slot: Array | int, positions: Array, k: Array, v: Array
    ) -> KVCache:
        """The cache with k, v [b, T, G, H] at `positions` [b, T] of b slots from `first_slot`.

        Positions outside the cache are ignored: so padding leaves no trace. What is too large for
        the cache's type becomes its largest number.
        """
        slots = first_slot + jnp.arange(positions.shape[0])[:, None]

        def put(cache: Array, new: Array) -> Array:
            most = jnp.finfo(cache.dtype).max
            if most < jnp.finfo(new.dtype).max:
                new = jnp.clip(new, -most, most)
            return cache.at[layer, slots, :, positions].set(new.astype(cache.dtype), mode="drop")

        return replace(self, keys=put(self.keys, k), values=put(self.values, v))


def empty_cache(layers: int, slots: int, heads: int, length: int, size: int, dtype: Any) -> KVCache:
    """A cache in which nothing is visible; `length` is rounded up to a multiple of `BLOCK`."""
    shape = (layers, slots, heads, -(-length // BLOCK) * BLOCK, size)
    return KVCache(
        jnp.zeros(shape, dtype), jnp.zeros(shape, dtype), jnp.zeros((slots, shape[3]), bool)
    )
