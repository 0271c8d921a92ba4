"""Grok-1 as Haiku modules, with the released names.

A module computes one device's part and sums over the mesh axis "model" where the whole is
needed; on one device the parts are the whole. The layers are one module with stacked parameters,
called once for each layer index.

b rows, T tokens a row, D model width, V vocabulary, N query heads, G key/value heads, H head size,
L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.kernels import row_products
from grok_app.model.attention import attend, native_attend, rotary_angles, rotate
from grok_app.model.cache import KVCache
from grok_app.model.config import GrokConfig
from grok_app.model.experts import mix, mix_sorted
from grok_app.model.sharding import MODEL, Shard
from grok_app.model.weights import QuantizedWeight, Weight, matmul

Index = Array | int
"""A layer's index: a number in an unrolled loop, an array in a compiled one."""

Memory = Any
"""What attention remembers between calls: a `KVCache` when serving, nothing when training."""


def transposed_product(h: Array, table: Array) -> Array:
    """`h` [..., D] times the transposed `table` [V, D], rounded as `h` is: float32 [..., V]."""
    table = table.astype(h.dtype)
    return jnp.einsum("...d,vd->...v", h, table, preferred_element_type=jnp.float32)


@dataclass(frozen=True)
class Strategy:
    """What differs between serving and training: the mathematics is one.

    Attributes:
        attend: (q [b, T, N, H], k, v [b, T, G, H], memory, layer) -> (out [b, T, N * H], memory).
        mix: (x [T, D], gates [T, k], chosen [T, k], expert) -> [T, D], where expert maps rows
            [rows, D] and what they belong to, as `multiply` takes it, to this device's part of
            [rows, D].
        multiply: (stack of matrices, x [rows, K], *index) -> [rows, N].
        unembed: (h [..., D], table [V, D]) -> float32 [..., V].
        unrolled: run the layers as straight code rather than in a compiled loop.
        dtype: to which the factors of matrix products are rounded; all else is float32.
    """

    attend: Callable[[Array, Array, Array, Memory, Index], tuple[Array, Memory]]
    mix: Callable[[Array, Array, Array, Callable[[Array, Index], Array]], Array]
    multiply: Callable[..., Array] = matmul
    unembed: Callable[[Array, Array], Array] = transposed_product
    unrolled: bool = False
    dtype: Any = jnp.float32


class RMSNorm(hk.Module):
    """x / sqrt(mean(x^2) + 1e-5) * scale (arXiv 1910.07467)."""

    def __call__(self, x: Array, stack: tuple[int, ...] = (), *index: Index) -> Array:
        """Normalises the last axis of float32 `x` with scale `index` of a stack [*stack, D]."""
        scale = hk.get_parameter("scale", (*stack, x.shape[-1]))
        x *= lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-5)
        return x * (scale[index] if index else scale)


class Matrix(hk.Module):
    """A stack of matrices of its own name."""

    def __call__(self, *shape: int) -> Weight:
        """The stack, of the given shape."""
        return hk.get_parameter("w", shape)  # type: ignore[return-value]


class MultiHeadAttention(hk.Module):
    """Grouped-query attention; rotary positions, softly capped scores."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="multi_head_attention")
        self.config, self.shard = config, shard

    def __call__(
        self,
        x: Array,
        angles: tuple[Array, Array],
        memory: Memory,
        layer: Index,
        strategy: Strategy,
    ) -> tuple[Array, Memory]:
        """x [b, T, D] -> this device's part of [b, T, D], and the memory with the new keys."""
        b, length, width = x.shape
        layers, size, dtype = self.config.num_layers, self.config.key_size, strategy.dtype
        rows = x.reshape(-1, width).astype(dtype)

        def project(name: str, heads: int) -> Array:
            w = Matrix(name)(layers, width, heads * size)
            return strategy.multiply(w, rows, layer).reshape(b, length, heads, size)

        q = rotate(project("query", self.shard.query_heads), angles)
        k = rotate(project("key", self.shard.kv_heads), angles)
        v = project("value", self.shard.kv_heads)
        out, memory = strategy.attend(q.astype(dtype), k.astype(dtype), v, memory, layer)
        out = out.reshape(b * length, -1).astype(dtype)
        out = strategy.multiply(Matrix("linear")(layers, out.shape[-1], width), out, layer)
        return out.reshape(b, length, width), memory


class Experts(hk.Module):
    """Gated feed-forward experts, of which each token uses the few that its router chose."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="moe")
        self.config, self.shard = config, shard

    def __call__(
        self, x: Array, gates: Array, chosen: Array, layer: Index, strategy: Strategy
    ) -> Array:
        """x [T, D], gates and chosen [T, k] -> this device's part of [T, D]."""
        stack, width = (self.config.num_layers, self.config.num_experts), x.shape[-1]
        gate = Matrix("linear")(*stack, width, self.shard.ffn)
        value = Matrix("linear_v")(*stack, width, self.shard.ffn)
        down = Matrix("linear_1")(*stack, self.shard.ffn, width)

        def expert(rows: Array, index: Index) -> Array:
            gates = jax.nn.gelu(strategy.multiply(gate, rows, layer, index))
            hidden = gates * strategy.multiply(value, rows, layer, index)
            return strategy.multiply(down, hidden.astype(strategy.dtype), layer, index)

        return strategy.mix(x.astype(strategy.dtype), gates, chosen, expert)


class Router(hk.Module):
    """Scores every expert for every token."""

    def __call__(self, x: Array, stack: tuple[int, int], layer: Index) -> Array:
        """x [T, D] -> probabilities [T, E] of a stack (L, E) of routers."""
        layers, experts = stack
        w = hk.get_parameter("w", (layers, x.shape[-1], experts))
        return jax.nn.softmax(x @ w[layer])


class DecoderLayer(hk.Module):
    """Attention, then experts, each between two norms and added to the residual stream."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="decoder_layer")
        self.config, self.shard = config, shard

    def __call__(
        self,
        h: Array,
        angles: tuple[Array, Array],
        memory: Memory,
        layer: Index,
        strategy: Strategy,
    ) -> tuple[Array, Memory, tuple[Array, Array]]:
        """h [b, T, D] -> (h, memory, (router probabilities [b*T, E], chosen experts [b*T, k]))."""
        config, shard = self.config, self.shard

        def norm(x: Array) -> Array:  # named rms_norm, rms_norm_1, ... in the order of the calls
            return RMSNorm()(x, (config.num_layers,), layer)

        attention = MultiHeadAttention(config, shard)
        out, memory = attention(norm(h), angles, memory, layer, strategy)
        h = h + norm(self._whole(out))

        x = norm(h).reshape(-1, h.shape[-1])
        probabilities = Router()(x, (config.num_layers, config.num_experts), layer)
        gates, chosen = lax.top_k(probabilities, config.num_selected_experts)
        out = self._whole(Experts(config, shard)(x, gates, chosen, layer, strategy))
        h = h + norm(out.reshape(h.shape))
        return h, memory, (probabilities, chosen)

    def _whole(self, part: Array) -> Array:
        """The sum of the devices' parts."""
        return part if self.shard.devices == 1 else lax.psum(part, MODEL)


class Transformer(hk.Module):
    """The decoder layers, one after the other."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="transformer")
        self.config, self.shard = config, shard

    def __call__(
        self, h: Array, angles: tuple[Array, Array], memory: Memory, strategy: Strategy
    ) -> tuple[Array, Memory, Any]:
        """h [b, T, D] -> (h, memory, routing).

        Routing is the chosen experts uint8 [L, b*T, k]; of unrolled layers, a list of each
        layer's (probabilities [b*T, E], chosen [b*T, k]).
        """
        layers, layer = self.config.num_layers, DecoderLayer(self.config, self.shard)
        if strategy.unrolled:
            routing = []
            for index in range(layers):
                h, memory, choice = layer(h, angles, memory, index, strategy)
                routing.append(choice)
            return h, memory, routing

        def body(index: Array, carry: tuple[Array, Memory, Array]) -> tuple[Array, Memory, Array]:
            h, memory, chosen = carry
            h, memory, (_, now) = layer(h, angles, memory, index, strategy)
            return h, memory, chosen.at[index].set(now.astype(jnp.uint8))

        tokens = h.shape[0] * h.shape[1]
        chosen = jnp.zeros((layers, tokens, self.config.num_selected_experts), jnp.uint8)
        return lax.fori_loop(0, layers, body, (h, memory, chosen))


class InOutEmbed(hk.Module):
    """The tied embeddings; each device holds a run of the vocabulary."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="in_out_embed")
        self.shard = shard
        self.table = hk.get_parameter("embeddings", (shard.vocabulary, config.emb_size))

    def embed(self, tokens: Array) -> Array:
        """tokens [b, T] -> float32 [b, T, D]."""
        if self.shard.devices == 1:
            return self.table[tokens]
        row = tokens - lax.axis_index(MODEL) * self.shard.vocabulary
        held = (row >= 0) & (row < self.shard.vocabulary)
        rows = self.table[jnp.clip(row, 0, self.shard.vocabulary - 1)]
        return lax.psum(jnp.where(held[..., None], rows, 0.0), MODEL)

    def unembed(self, h: Array, strategy: Strategy) -> Array:
        """h [..., D] -> float32 logits [..., V]."""
        part = strategy.unembed(h, self.table)
        if self.shard.devices == 1:
            return part
        return lax.all_gather(part, MODEL, axis=part.ndim - 1, tiled=True)


class LanguageModel(hk.Module):
    """Tokens to logits."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="language_model")
        self.config, self.shard = config, shard

    def __call__(
        self,
        transformer: Transformer,
        tokens: Array,
        positions: Array,
        memory: Memory,
        strategy: Strategy,
        at: Array | None,
    ) -> tuple[Array, Memory, Any]:
        """See `forward`."""
        config = self.config
        embeddings = InOutEmbed(config, self.shard)
        h = embeddings.embed(tokens) * config.embedding_multiplier_scale
        angles = rotary_angles(positions, config.key_size)
        h, memory, routing = transformer(h, angles, memory, strategy)
        if at is not None:
            h = jnp.take_along_axis(h, at[:, None, None], axis=1)[:, 0]
        logits = embeddings.unembed(RMSNorm()(h).astype(strategy.dtype), strategy)
        return logits * config.output_multiplier_scale, memory, routing


def forward(
    params: Any,
    config: GrokConfig,
    shard: Shard,
    tokens: Array,
    positions: Array,
    memory: Memory,
    strategy: Strategy,
    at: Array | None = None,
) -> tuple[Array, Memory, Any]:
    """One pass of the model over new tokens; on more than one device, within `shard_map`.

    Args:
        params: {module: {name: array or stack of weights}}, as `parameters` lists them.
        tokens: int32 [b, T].
        positions: int32 [b, T], where each token stands.
        memory, strategy: see `Strategy`.
        at: int [b], the one token of each row whose logits are wanted; None: all.

    Returns:
        float32 logits [b, V] or [b, T, V] (every device has the whole), memory, and the routing
        as `Transformer` gives it.
    """

    def run() -> tuple[Array, Memory, Any]:
        model = LanguageModel(config, shard)
        transformer = Transformer(config, shard)
        return model(transformer, tokens, positions, memory, strategy, at)

    program: Any = hk.without_apply_rng(hk.transform(run))
    return program.apply(params)


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
    native: bool = False,
) -> tuple[Array, KVCache, Array]:
    """Continues b conversations, those in the slots from `first_slot`, by T tokens each.

    Tokens whose position lies outside the cache are padding: they are neither remembered nor
    routed to an expert, and their logits mean nothing. `native` uses the native kernels.

    Returns:
        logits as `forward`, the cache, and the chosen experts uint8 [L, b, T, k].
    """
    cache = cache.mark(first_slot, positions, tokens != config.pad_token)
    live = (positions < cache.length).reshape(-1)
    native_floats = native and dtype == jnp.float32

    def remember(
        q: Array, k: Array, v: Array, cache: KVCache, layer: Index
    ) -> tuple[Array, KVCache]:
        cache = cache.write(layer, first_slot, positions, k, v)
        look = native_attend if native_floats else attend
        multiplier = config.attn_output_multiplier
        return look(q, cache, layer, first_slot, positions, multiplier), cache

    def native_matmul(weight: QuantizedWeight, x: Array, *index: Index) -> Array:
        last = jnp.max(jnp.where(live, jnp.arange(1, live.size + 1), 0))  # what follows is padding
        return weight.native_matmul(x, *index, rows=last)

    def native_unembed(h: Array, table: Array) -> Array:
        wanted = live if at is None else live.reshape(tokens.shape)[jnp.arange(len(at)), at]
        out = row_products(h.reshape(-1, h.shape[-1]), table, wanted)
        return out.reshape(*h.shape[:-1], -1)

    mix_live = partial(mix_sorted if native else mix, live=live, experts=config.num_experts)
    strategy = Strategy(
        remember,
        mix_live,
        multiply=native_matmul if native else matmul,
        unembed=native_unembed if native_floats else transposed_product,
        dtype=dtype,
    )
    logits, cache, chosen = forward(params, config, shard, tokens, positions, cache, strategy, at)
    return logits, cache, chosen.reshape(config.num_layers, *tokens.shape, -1)
