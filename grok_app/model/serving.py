"""The model over the key/value cache, by the kernels of the platform that it is to run on.

b rows, T tokens a row, R rows of a product, K and N the rows and columns of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array

from grok_app.kernels import CPU, XLA, Platform, row_products
from grok_app.kernels.gpu import MOST_ROWS
from grok_app.model.attention import attend, native_attend
from grok_app.model.cache import KVCache
from grok_app.model.changes import Changes
from grok_app.model.config import GrokConfig
from grok_app.model.decoding import Decoding, Prefilling
from grok_app.model.experts import mix, mix_sorted
from grok_app.model.grok import forward
from grok_app.model.heads import head_weights
from grok_app.model.sharding import Shard
from grok_app.model.strategy import Index, StepByStep, Strategy
from grok_app.model.watch import EXPERTS_ONLY, STREAMS, Notes, Watch
from grok_app.model.weights import QuantizedWeight, matmul, whole_matmul


@dataclass(frozen=True)
class Pass:
    """New tokens of b conversations, and what a strategy has to know of them.

    Attributes:
        config: of the model.
        positions: int32 [b, T].
        first_slot: of the b slots.
        live: bool [b, T]; the others are padding.
        wanted: bool [...], which of the rows that logits are made of are live.
        dtype: of the factors of products.
    """

    config: GrokConfig
    positions: Array
    first_slot: Array | int
    live: Array
    wanted: Array
    dtype: Any

    def remember(
        self, look: Callable[..., Array], q: Array, k: Array, v: Array, cache: KVCache, layer: Index
    ) -> tuple[Array, KVCache]:
        """As `Strategy.attend`: writes k and v to the cache, then has `look` attend to it."""
        cache = cache.write(layer, self.first_slot, self.positions, k, v)
        multiplier = self.config.attn_output_multiplier
        return look(q, cache, layer, self.first_slot, self.positions, multiplier), cache


def _xla(work: Pass, platform: Platform) -> Strategy:
    return StepByStep(
        partial(work.remember, attend),
        partial(mix, live=work.live.reshape(-1), experts=work.config.num_experts),
        multiply=matmul if platform.name == "cpu" else whole_matmul,
        dtype=work.dtype,
    )


def _cpp(work: Pass, platform: Platform) -> Strategy:
    """Attention and logits are the kernels' in float32 only."""
    live = work.live.reshape(-1)

    def multiply(weight: QuantizedWeight, x: Array, *index: Index) -> Array:
        last = jnp.max(jnp.where(live, jnp.arange(1, live.size + 1), 0))  # what follows is padding
        return weight.native_matmul(x, *index, rows=last)

    def unembed(h: Array, table: Array) -> Array:
        out = row_products(h.reshape(-1, h.shape[-1]), table, work.wanted.reshape(-1))
        return out.reshape(*h.shape[:-1], -1)

    mix_live = partial(mix_sorted, live=live, experts=work.config.num_experts)
    if work.dtype != jnp.float32:
        look = partial(work.remember, attend)
        return StepByStep(look, mix_live, multiply=multiply, dtype=work.dtype)
    look = partial(work.remember, native_attend)
    return StepByStep(look, mix_live, multiply=multiply, unembed=unembed)


def _pallas(work: Pass, platform: Platform) -> Strategy:
    """On a processor the kernels are interpreted, to be tested."""
    rows, tokens = work.positions.shape
    kind = Decoding if tokens == 1 and rows <= MOST_ROWS else Prefilling
    return kind(
        work.positions,
        work.first_slot,
        work.live.reshape(-1),
        work.config.attn_output_multiplier,
        work.dtype,
        interpret=platform.name == "cpu",
    )


_STRATEGIES: dict[str, Callable[[Pass, Platform], Strategy]] = {
    XLA: _xla,
    "cpp": _cpp,
    "pallas": _pallas,
}


def strategy_of(work: Pass, platform: Platform) -> Strategy:
    """How a platform computes a pass."""
    return _STRATEGIES[platform.kernels](work, platform)


def extend(
    params: Any,
    config: GrokConfig,
    shard: Shard,
    tokens: Array,
    positions: Array,
    cache: KVCache,
    first_slot: Array | int = 0,
    at: Array | None = None,
    dtype: Any = jnp.float32,
    platform: Platform = CPU,
    watch: Watch = EXPERTS_ONLY,
    changes: Changes | None = None,
) -> tuple[Array, KVCache, Notes]:
    """Continues b conversations, those in the slots from `first_slot`, by T tokens each.

    Tokens whose position lies outside the cache are padding: they are neither remembered nor
    routed to an expert, and their logits mean nothing.

    Returns:
        logits as `forward`, the cache, and what was seen of what is watched, n layers: "experts"
        uint8 and "gates" float32 [n, b, T, k], "router_logits" float32 [n, b, T, E], "hidden"
        float32 [n + 1, b, T, D], "attention" float32 [heads, b, T, S] over the S positions of the
        cache, "lens_ids" int32 and "lens_logprobs" float32 [n + 1, b, T, top].
    """
    cache = cache.mark(first_slot, positions, tokens != config.pad_token)
    live = positions < cache.length
    wanted = live if at is None else live[jnp.arange(len(at)), at]
    work = Pass(config, positions, first_slot, live, wanted, dtype)
    strategy = strategy_of(work, platform)
    given = tokens, positions, cache, strategy, at, watch, changes
    logits, cache, notes = forward(params, config, shard, *given)
    seen = {name: note.reshape(len(note), *tokens.shape, -1) for name, note in notes.items()}
    if "hidden" in watch.what:
        seen["hidden"] = watch.shown(seen[STREAMS], config)
    if watch.heads:
        kept = watch.streams(config)
        heads = [(kept.index(layer), layer, head) for layer, head in watch.heads]
        place = cache, positions, first_slot, dtype
        seen["attention"] = head_weights(params, config, shard, seen[STREAMS], heads, *place)
    seen.pop(STREAMS, None)
    return logits, cache, seen
