"""The weights with which chosen heads attend: the kernels that serve never hold them whole.

P heads, b rows, T new tokens a row, D model width, S positions of the cache, H head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from grok_app.model.attention import NEVER, capped, rotary_angles, rotate
from grok_app.model.cache import KVCache
from grok_app.model.config import GrokConfig
from grok_app.model.parameters import LAYER
from grok_app.model.sharding import MODEL, Shard
from grok_app.model.strategy import rms_norm
from grok_app.model.weights import QuantizedWeight


def head_weights(
    params: Any,
    config: GrokConfig,
    shard: Shard,
    streams: Array,
    heads: Sequence[tuple[int, int, int]],
    cache: KVCache,
    positions: Array,
    first_slot: Array | int,
    dtype: Any,
) -> Array:
    """How much each of P heads takes from each position: float32 [P, b, T, S].

    The queries are made anew, from the residual streams; the keys are those of the cache, the new
    ones too. One head is computed after the other. The weights of a token sum to one, but for one
    that sees nothing, whose weights are zeros.

    Args:
        params, config, shard: as in `forward`.
        streams: float32 [streams, b, T, D].
        heads: (which of the streams is the one before its layer, layer, head of all devices').
        cache: with the new tokens.
        positions: int32 [b, T] of the new tokens, whose conversations are those from `first_slot`.
        dtype: of the factors of products.
    """
    scales = params[f"{LAYER}/rms_norm"]["scale"]
    queries = params[f"{LAYER}/multi_head_attention/query"]["w"]
    angles = rotary_angles(positions, config.key_size)
    first_head = lax.axis_index(MODEL) * shard.query_heads if shard.devices > 1 else 0

    def weights_of(which: tuple[Array, Array, Array]) -> Array:
        stream, layer, head = which
        held = (head >= first_head) & (head < first_head + shard.query_heads)
        head = jnp.clip(head - first_head, 0, shard.query_heads - 1)
        x = rms_norm(streams[stream], scales[layer]).astype(dtype)
        q = rotate(_query(queries, x, layer, head, config.key_size), angles)[:, :, 0]
        group = head // (shard.query_heads // shard.kv_heads)
        weights = _weights(q.astype(dtype), cache, layer, group, positions, first_slot, config)
        return jnp.where(held, weights, 0.0)

    weights = lax.map(weights_of, tuple(jnp.array(heads, jnp.int32).T))
    return lax.psum(weights, MODEL) if shard.devices > 1 else weights


def _query(queries: QuantizedWeight, x: Array, layer: Array, head: Array, size: int) -> Array:
    """x [b, T, D] -> the queries of one head, float32 [b, T, 1, H]."""

    def columns(stack: Array) -> Array:
        return lax.dynamic_slice(stack, (layer, 0, head * size), (1, stack.shape[1], size))

    own = QuantizedWeight(columns(queries.weight), columns(queries.scales))
    return own.whole_matmul(x.reshape(-1, x.shape[-1]), 0).reshape(*x.shape[:2], 1, size)


def _weights(
    q: Array,
    cache: KVCache,
    layer: Array,
    group: Array,
    positions: Array,
    first_slot: Array | int,
    config: GrokConfig,
) -> Array:
    """The softmax of the capped scores of queries [b, T, H] with a group's keys: [b, T, S]."""
    rows, length = len(q), cache.length
    at, block = (layer, first_slot, group, 0, 0), (1, rows, 1, length, q.shape[-1])
    keys = lax.dynamic_slice(cache.keys, at, block)[0, :, 0].astype(q.dtype)
    scores = jnp.einsum("bth,bsh->bts", q, keys, preferred_element_type=jnp.float32)
    seen = lax.dynamic_slice(cache.visible, (first_slot, 0), (rows, length))[:, None]
    seen &= jnp.arange(length) <= positions[:, :, None]
    scores = jnp.where(seen, capped(scores * config.attn_output_multiplier), NEVER)
    weights = jnp.where(seen, jnp.exp(scores - scores.max(-1, keepdims=True)), 0.0)
    return weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
