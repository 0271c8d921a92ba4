"""Grok-1 as Haiku modules, with the released names.

A module computes one device's part and sums over the mesh axis "model" where the whole is
needed; on one device the parts are the whole. The layers are one module with stacked parameters,
called once for each layer index.

b rows, T tokens a row, D model width, V vocabulary, N query heads, G key/value heads, H head size,
L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax.numpy as jnp
from jax import Array, lax

from grok_app.model.attention import rotary_angles
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import MODEL, Shard
from grok_app.model.strategy import Index, Memory, Strategy, rms_norm
from grok_app.model.weights import Weight


class RMSNorm(hk.Module):
    """The scale of a norm, or a stack of them."""

    def __call__(self, *shape: int) -> Array:
        """float32 of the given shape."""
        return hk.get_parameter("scale", shape)


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
        layers, size, shard = self.config.num_layers, self.config.key_size, self.shard
        heads = {"query": shard.query_heads, "key": shard.kv_heads, "value": shard.kv_heads}
        q, k, v = (Matrix(name)(layers, width, many * size) for name, many in heads.items())
        out, memory = strategy.attention(x, (q, k, v), angles, memory, layer)
        out = out.reshape(b * length, -1).astype(strategy.dtype)
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
        return strategy.experts(x, gates, chosen, (gate, value, down), layer)


class Router(hk.Module):
    """Chooses the experts of every token."""

    def __call__(
        self, x: Array, config: GrokConfig, layer: Index, strategy: Strategy
    ) -> tuple[Array, Array, Array]:
        """x [T, D] -> probabilities [T, E], and of the chosen ones probability and index [T, k]."""
        w = hk.get_parameter("w", (config.num_layers, x.shape[-1], config.num_experts))
        return strategy.route(x, w, layer, config.num_selected_experts)


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

        def scale() -> Array:  # named rms_norm, rms_norm_1, ... in the order of the calls
            return RMSNorm()(config.num_layers, config.emb_size)

        x = strategy.norm(h, scale(), layer)
        attention = MultiHeadAttention(config, shard)
        out, memory = attention(x, angles, memory, layer, strategy)
        h, x = strategy.add_norm_norm(h, self._whole(out), scale(), scale(), layer)

        x = x.reshape(-1, h.shape[-1])
        probabilities, gates, chosen = Router()(x, config, layer, strategy)
        out = self._whole(Experts(config, shard)(x, gates, chosen, layer, strategy))
        h = strategy.add_norm(h, out.reshape(h.shape), scale(), layer)
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
            return self.table[tokens].astype(jnp.float32)
        row = tokens - lax.axis_index(MODEL) * self.shard.vocabulary
        held = (row >= 0) & (row < self.shard.vocabulary)
        rows = self.table[jnp.clip(row, 0, self.shard.vocabulary - 1)].astype(jnp.float32)
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
        h = rms_norm(h, RMSNorm()(config.emb_size))
        logits = embeddings.unembed(h.astype(strategy.dtype), strategy)
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
