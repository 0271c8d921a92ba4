"""The conversations on the device, and the programs that move them on.

Written for one shard of the mesh axis "data": within `shard_map`, B is the slots of the shard.
B slots, V vocabulary, C tokens of a chunk, S positions of the cache, L layers, k experts chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.engine.sampler import Sampled, Sampling, sample, sample_live
from grok_app.kernels import Platform
from grok_app.model.cache import KVCache
from grok_app.model.changes import Changes
from grok_app.model.config import GrokConfig
from grok_app.model.serving import extend
from grok_app.model.sharding import Shard

MOST_STEPS = 8  # of `decode` in one dispatch


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Slots:
    """What the device remembers of B conversations.

    Attributes:
        cache: keys and values of all positions before `position`, in its first B rows; more rows
            save what may be of use again.
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
class Prefill:
    """One chunk of a prompt for each data shard (leading axis 1 within a shard).

    Attributes:
        tokens: int32 [1, C], padded.
        before: int32 [1, S], the prompt up to the chunk; what follows is no token.
        slot: int32 [1], within the shard.
        start: int32 [1], the position of the first token.
        count: int32 [1], tokens that are no padding; 0 where the shard has nothing to prefill.
        final: bool [1], whether the reply follows.
        sampling: of the request, each [1].
    """

    tokens: Array
    before: Array
    slot: Array
    start: Array
    count: Array
    final: Array
    sampling: Sampling


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Made:
    """The tokens a program made: steps [1] of `prefill`, [MOST_STEPS] of `decode`; a row each.

    Attributes:
        sampled: [steps, rows], rows [1] of `prefill`, [B] of `decode`.
        experts: uint8 [steps, L, rows, k], of the pass that made the token.
    """

    sampled: Sampled
    experts: Array


@dataclass(frozen=True)
class Programs:
    """The programs of a model, as functions to be compiled."""

    config: GrokConfig
    shard: Shard
    dtype: Any
    platform: Platform

    def copy(
        self, params: Any, slots: Slots, source: Array, target: Array
    ) -> tuple[Slots, tuple[()]]:
        """Puts what row `source` int32 [1] of the cache holds into row `target` too; outside the
        cache: nothing. `params` are not used, but every program is given them."""

        def put(rows: Array, axis: int) -> Array:
            row = jnp.take(rows, source, axis)
            at = (slice(None),) * axis + (target,)
            return rows.at[at].set(row, mode="drop")

        cache = slots.cache
        keys, values = put(cache.keys, 1), put(cache.values, 1)
        return replace(slots, cache=KVCache(keys, values, put(cache.visible, 0))), ()

    def prefill(
        self, params: Any, slots: Slots, chunk: Prefill, changes: Changes | None = None
    ) -> tuple[Slots, Made]:
        """Adds a chunk of a prompt to a slot; after the final one, the reply's first token.
        `changes` [1] are those of its routing."""
        length = slots.cache.length
        offsets = jnp.arange(chunk.tokens.shape[1])
        real = offsets < chunk.count[:, None]
        positions = jnp.where(real, chunk.start[:, None] + offsets, length)
        last = jnp.maximum(chunk.count - 1, 0)
        logits, cache, experts = self._extend(
            params, chunk.tokens, positions, slots.cache, chunk.slot[0], last, changes
        )
        slot = jnp.where(chunk.count > 0, chunk.slot, len(slots.token))  # else outside: no effect
        vocabulary = logits.shape[-1]
        is_before = jnp.arange(chunk.before.shape[1]) < chunk.start
        before = jnp.where(is_before, chunk.before[0], vocabulary)
        tokens = jnp.where(real[0], chunk.tokens[0], vocabulary)
        seen = jnp.zeros(logits.shape, bool)
        seen = seen.at[0, before].set(True, mode="drop").at[0, tokens].set(True, mode="drop")
        end = chunk.start + chunk.count
        sampled = sample(logits, seen, end, chunk.sampling)
        seen = seen.at[0, sampled.token].max(chunk.final)

        def put(array: Array, value: Array) -> Array:
            return array.at[slot].set(value, mode="drop")

        slots = Slots(
            cache,
            put(slots.token, sampled.token),
            put(slots.position, jnp.where(chunk.final, end, length)),
            put(slots.seen, seen),
            jax.tree.map(put, slots.sampling, chunk.sampling),
        )
        made = Made(sampled, experts[:, 0, last])
        return slots, jax.tree.map(lambda array: array[None], made)

    def decode(
        self,
        params: Any,
        slots: Slots,
        keep: Array,
        steps: Array,
        changes: Changes | None = None,
    ) -> tuple[Slots, Made]:
        """The next `steps` [] tokens of every slot that `keep` bool [B] names; others fall idle.
        `changes` [B] are those of their routing.

        So does a slot whose text ends: what is made for it afterwards means nothing.
        """
        length = slots.cache.length
        slots = replace(slots, position=jnp.where(keep, slots.position, length))

        def unfinished(carry: tuple[Array, Slots, Made]) -> Array:
            step, slots, _ = carry
            return (step < steps) & jnp.any(slots.position < length)

        def body(carry: tuple[Array, Slots, Made]) -> tuple[Array, Slots, Made]:
            step, slots, made = carry
            slots, new = self._step(params, slots, changes)
            made = jax.tree.map(lambda all_, one: all_.at[step].set(one), made, new)
            return step + 1, slots, made

        one = jax.eval_shape(lambda: self._step(params, slots, changes)[1])
        made = jax.tree.map(lambda a: jnp.zeros((MOST_STEPS, *a.shape), a.dtype), one)
        _, slots, made = lax.while_loop(unfinished, body, (jnp.int32(0), slots, made))
        return slots, made

    def _step(self, params: Any, slots: Slots, changes: Changes | None) -> tuple[Slots, Made]:
        """The next token of every slot that is not idle."""
        length, position = slots.cache.length, slots.position
        logits, cache, experts = self._extend(
            params,
            slots.token[:, None],
            position[:, None],
            slots.cache,
            0,
            jnp.zeros_like(position),
            changes,
        )
        live = position < length
        on_processor = self.platform.name == "cpu"
        sampled = sample_live(
            logits, slots.seen, position + 1, slots.sampling, live, in_groups=on_processor
        )
        goes_on = live & (sampled.token != self.config.eos_token)
        rows = jnp.arange(len(position))
        slots = replace(
            slots,
            cache=cache,
            token=sampled.token,
            position=jnp.where(goes_on, position + 1, length),
            seen=slots.seen.at[rows, sampled.token].max(live),
        )
        return slots, Made(sampled, experts[:, :, 0])

    def _extend(
        self,
        params: Any,
        tokens: Array,
        positions: Array,
        cache: KVCache,
        first_slot: Array | int,
        at: Array,
        changes: Changes | None,
    ) -> tuple[Array, KVCache, Array]:
        """The logits [b, V] of the tokens `at`, the cache, and the experts uint8 [L, b, T, k]."""
        logits, cache, seen = extend(
            params,
            self.config,
            self.shard,
            tokens,
            positions,
            cache,
            first_slot,
            at,
            dtype=self.dtype,
            platform=self.platform,
            changes=changes,
        )
        return logits, cache, seen["experts"]
