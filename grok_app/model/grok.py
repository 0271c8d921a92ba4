"""Grok-1 as Haiku modules, with the released names.

A module computes one device's part and sums over the mesh axis "model" where the whole is
needed; on one device the parts are the whole. The layers are one module with stacked parameters,
called once for each layer index.

b rows, T tokens a row, D model width, V vocabulary, N query heads, G key/value heads, H head size,
L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.model.attention import rotary_angles
from grok_app.model.changes import Changes
from grok_app.model.config import GrokConfig
from grok_app.model.sharding import MODEL, Shard
from grok_app.model.strategy import Index, Memory, Strategy, rms_norm, router_logits
from grok_app.model.watch import EXPERTS_ONLY, STREAMS, Notes, Watch
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
        self,
        x: Array,
        config: GrokConfig,
        layer: Index,
        strategy: Strategy,
        watch: Watch,
        changes: Changes | None,
    ) -> tuple[Array, Notes]:
        """x [T, D] -> gates as `Strategy.experts` takes them, and what is seen: "probabilities"
        [T, E] and "experts" [T, k]; where they are watched "gates" [T, k], which are the
        probabilities of those chosen, and "router_logits" [T, E]."""
        w = hk.get_parameter("w", (config.num_layers, x.shape[-1], config.num_experts))
        probabilities, gates, chosen = strategy.route(x, w, layer, config.num_selected_experts)
        seen = {"probabilities": probabilities, "experts": chosen}
        if "gates" in watch.what or changes is not None:
            seen["gates"] = jnp.take_along_axis(probabilities, chosen, axis=1)
        if "router_logits" in watch.what or changes is not None:
            seen["router_logits"] = router_logits(x, w, layer)
        if changes is None:
            return gates, seen
        return self._changed(gates, seen, layer, strategy, changes)

    def _changed(
        self, gates: Array, seen: Notes, layer: Index, strategy: Strategy, changes: Changes
    ) -> tuple[Array, Notes]:
        """The same for the tokens that `changes` do not concern, to the bit."""
        experts, chosen = seen["router_logits"].shape[1], seen["experts"].shape[1]
        logits, new, instead = changes.route(seen["router_logits"], layer, chosen)
        active = changes.of_tokens(changes.active, len(logits))[:, None]
        changed = {"router_logits": logits, "gates": new, "experts": instead}
        seen = seen | {name: jnp.where(active, new, seen[name]) for name, new in changed.items()}
        return jnp.where(active, strategy.gates_of(new, instead, experts), gates), seen


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
        watch: Watch,
        changes: Changes | None,
    ) -> tuple[Array, Memory, Notes]:
        """h [b, T, D] -> (h, memory, what is seen of the routing, as `Router` says)."""
        config, shard = self.config, self.shard

        def scale() -> Array:  # named rms_norm, rms_norm_1, ... in the order of the calls
            return RMSNorm()(config.num_layers, config.emb_size)

        x = strategy.norm(h, scale(), layer)
        attention = MultiHeadAttention(config, shard)
        out, memory = attention(x, angles, memory, layer, strategy)
        h, x = strategy.add_norm_norm(h, self._whole(out), scale(), scale(), layer)

        x = x.reshape(-1, h.shape[-1])
        gates, seen = Router()(x, config, layer, strategy, watch, changes)
        out = self._whole(Experts(config, shard)(x, gates, seen["experts"], layer, strategy))
        h = strategy.add_norm(h, out.reshape(h.shape), scale(), layer)
        return h, memory, seen

    def _whole(self, part: Array) -> Array:
        """The sum of the devices' parts."""
        return part if self.shard.devices == 1 else lax.psum(part, MODEL)


class Transformer(hk.Module):
    """The decoder layers, one after the other."""

    def __init__(self, config: GrokConfig, shard: Shard):
        super().__init__(name="transformer")
        self.config, self.shard = config, shard

    def __call__(
        self,
        h: Array,
        angles: tuple[Array, Array],
        memory: Memory,
        strategy: Strategy,
        watch: Watch,
        changes: Changes | None,
    ) -> tuple[Array, Memory, Any]:
        """h [b, T, D] -> (h, memory, notes of what is watched, as `Watch.begin` says).

        Of unrolled layers the notes are a list of what `Router` lets see of each.
        """
        config, layer = self.config, DecoderLayer(self.config, self.shard)
        if strategy.unrolled:
            routing = []
            for index in range(config.num_layers):
                h, memory, seen = layer(h, angles, memory, index, strategy, watch, changes)
                routing.append(seen)
            return h, memory, routing

        def body(index: Array, carry: tuple[Array, Memory, Notes]) -> tuple[Array, Memory, Notes]:
            before, memory, notes = carry
            h, memory, seen = layer(before, angles, memory, index, strategy, watch, changes)
            return h, memory, watch.note(notes, config, index, {STREAMS: before, **seen})

        notes = watch.begin(config, *h.shape[:2])
        h, memory, notes = lax.fori_loop(0, config.num_layers, body, (h, memory, notes))
        return h, memory, watch.end(notes, config, h)


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
        watch: Watch,
        changes: Changes | None,
    ) -> tuple[Array, Memory, Any]:
        """See `forward`."""
        config = self.config
        embeddings = InOutEmbed(config, self.shard)
        h = embeddings.embed(tokens) * config.embedding_multiplier_scale
        angles = rotary_angles(positions, config.key_size)
        h, memory, seen = transformer(h, angles, memory, strategy, watch, changes)
        scale = RMSNorm()(config.emb_size)

        def logits_of(h: Array) -> Array:
            h = rms_norm(h, scale).astype(strategy.dtype)
            return embeddings.unembed(h, strategy) * config.output_multiplier_scale

        if "lens" in watch.what:
            seen |= logit_lens(watch.shown(seen[STREAMS], config), logits_of, watch.top)
        if at is not None:
            h = jnp.take_along_axis(h, at[:, None, None], axis=1)[:, 0]
        return logits_of(h), memory, seen


def logit_lens(streams: Array, logits_of: Callable[[Array], Array], top: int) -> Notes:
    """The likeliest next tokens if a stream were the last: of streams [n, b, T, D] "lens_ids" int32
    and "lens_logprobs" float32 [n, b, T, top], the likeliest first. One stream after the other, for
    the logits of all would be large."""

    def likeliest(h: Array) -> tuple[Array, Array]:
        logprobs, ids = lax.top_k(jax.nn.log_softmax(logits_of(h)), top)
        return ids, logprobs

    ids, logprobs = lax.map(likeliest, streams)
    return {"lens_ids": ids, "lens_logprobs": logprobs}


def forward(
    params: Any,
    config: GrokConfig,
    shard: Shard,
    tokens: Array,
    positions: Array,
    memory: Memory,
    strategy: Strategy,
    at: Array | None = None,
    watch: Watch = EXPERTS_ONLY,
    changes: Changes | None = None,
) -> tuple[Array, Memory, Any]:
    """One pass of the model over new tokens; on more than one device, within `shard_map`.

    Args:
        params: {module: {name: array or stack of weights}}, as `parameters` lists them.
        tokens: int32 [b, T].
        positions: int32 [b, T], where each token stands.
        memory, strategy: see `Strategy`.
        at: int [b], the one token of each row whose logits are wanted; None: all.
        watch: what of the pass is to be seen.
        changes: of the routing; None: it is as the routers say.

    Returns:
        float32 logits [b, V] or [b, T, V] (every device has the whole), memory, and what was seen:
        the notes of `Transformer` and what `logit_lens` makes of them.
    """

    def run() -> tuple[Array, Memory, Any]:
        model = LanguageModel(config, shard)
        transformer = Transformer(config, shard)
        return model(transformer, tokens, positions, memory, strategy, at, watch, changes)

    program: Any = hk.without_apply_rng(hk.transform(run))
    return program.apply(params)
