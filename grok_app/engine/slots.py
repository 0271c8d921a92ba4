"""The conversations on the device, and the two programs that move them on.

Written for one shard of the mesh axis "data": within `shard_map`, B is the slots of the shard.
B slots, V vocabulary, C tokens of a chunk, L layers, k experts chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from grok_app.engine.sampler import Sampled, Sampling, sample
from grok_app.model.cache import KVCache
from grok_app.model.config import GrokConfig
from grok_app.model.grok import extend
from grok_app.model.sharding import Shard


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Slots:
    """What the device remembers of B conversations.

    Attributes:
        cache: keys and values of all positions before `position`.
        token: int32 [B], the newest token, not yet in the cache.
        position: int32 [B], where that token stands; the cache's length for an idle slot, whose
            every effect falls outside.
        seen: bool [B, V], the tokens of the conversation so far.
        sampling: how to choose.
    """

    cache: KVCache
    token: Array
    position: Array
    seen: Array
    sampling: Sampling


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Feed:
    """One chunk of a prompt for each data shard (leading axis 1 within a shard).

    Attributes:
        tokens: int32 [1, C], padded.
        slot: int32 [1], within the shard.
        start: int32 [1], the position of the first token.
        count: int32 [1], tokens that are no padding; 0 where the shard has nothing to feed.
        final: bool [1], whether the reply follows.
        sampling: of the request, each [1].
    """

    tokens: Array
    slot: Array
    start: Array
    count: Array
    final: Array
    sampling: Sampling


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Made:
    """The tokens a program made, a row each.

    Attributes:
        sampled: rows [1] of `feed`, [B] of `decode`.
        experts: uint8 [L, rows, k], of the pass that made the token.
    """

    sampled: Sampled
    experts: Array


@dataclass(frozen=True)
class Programs:
    """The two programs of a model, as functions to be compiled."""

    config: GrokConfig
    shard: Shard
    dtype: Any
    native: bool

    def feed(self, params: Any, slots: Slots, feed: Feed) -> tuple[Slots, Made]:
        """Adds a chunk of a prompt to a slot; after the final one, the reply's first token."""
        length = slots.cache.length
        offsets = jnp.arange(feed.tokens.shape[1])
        real = offsets < feed.count[:, None]
        positions = jnp.where(real, feed.start[:, None] + offsets, length)
        last = jnp.maximum(feed.count - 1, 0)
        logits, cache, experts = extend(
            params,
            self.config,
            self.shard,
            feed.tokens,
            positions,
            slots.cache,
            first_slot=feed.slot[0],
            at=last,
            dtype=self.dtype,
            native=self.native,
        )
        slot = jnp.where(feed.count > 0, feed.slot, len(slots.token))  # else outside: no effect
        fresh = feed.start == 0
        seen = slots.seen.at[slot].get(mode="fill", fill_value=False) & ~fresh[:, None]
        seen = seen.at[0, jnp.where(real[0], feed.tokens[0], seen.shape[1])].set(True, mode="drop")
        end = feed.start + feed.count
        sampled = sample(logits, seen, end, feed.sampling)
        seen = seen.at[0, sampled.token].max(feed.final)

        def put(array: Array, value: Array) -> Array:
            return array.at[slot].set(value, mode="drop")

        slots = Slots(
            cache,
            put(slots.token, sampled.token),
            put(slots.position, jnp.where(feed.final, end, length)),
            put(slots.seen, seen),
            jax.tree.map(put, slots.sampling, feed.sampling),
        )
        return slots, Made(sampled, experts[:, 0, last])

    def decode(self, params: Any, slots: Slots, keep: Array) -> tuple[Slots, Made]:
        """The next token of every slot that `keep` bool [B] names; the others fall idle."""
        length = slots.cache.length
        position = jnp.where(keep, slots.position, length)
        logits, cache, experts = extend(
            params,
            self.config,
            self.shard,
            slots.token[:, None],
            position[:, None],
            slots.cache,
            at=jnp.zeros_like(position),
            dtype=self.dtype,
            native=self.native,
        )
        live = position < length
        sampled = sample(logits, slots.seen, position + 1, slots.sampling)
        rows = jnp.arange(len(position))
        slots = replace(
            slots,
            cache=cache,
            token=sampled.token,
            position=jnp.where(live, position + 1, length),
            seen=slots.seen.at[rows, sampled.token].max(live),
        )
        return slots, Made(sampled, experts[:, :, 0])
