"""The serving modules with float weights, and the loss that training minimises.

b rows, T tokens a row, V vocabulary, E experts, k chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
from jax import Array

from grok_app.model.config import GrokConfig
from grok_app.model.grok import forward
from grok_app.model.sharding import shard_of
from grok_app.model.strategy import Index, Memory, StepByStep
from training.run.attention import attend_causal
from training.run.experts import imbalance, mix_by_capacity
from training.run.floats import transposed_dot

BALANCE = 0.02  # weight of the loss that keeps all experts in use
DRIFT = 1e-4  # weight of the loss that keeps logits from drifting away together

Drop = Callable[[Array], Array]


def dropout(share: float, key: Array) -> Drop:
    """Haiku's dropout of a share of what it is given, of others at every call (JMLR 15, 2014): a
    text read many times is then less learnt by heart.
    """
    calls = count()
    return lambda x: hk.dropout(jax.random.fold_in(key, next(calls)), share, x)


def logits_of(
    params: Any, config: GrokConfig, tokens: Array, drop: Drop | None = None
) -> tuple[Array, list[tuple[Array, Array]]]:
    """float32 logits [b, T, V] of tokens [b, T], and each layer's routing.

    `drop` is applied to what attention and experts give. Routing is (router probabilities
    [b*T, E], chosen experts [b*T, k]).
    """
    drop = drop or (lambda x: x)

    def attend(q: Array, k: Array, v: Array, memory: Memory, layer: Index) -> tuple[Array, Memory]:
        return drop(attend_causal(q, k, v, config.attn_output_multiplier)), memory

    def mix(x: Array, gates: Array, chosen: Array, expert: Callable[..., Array]) -> Array:
        return drop(mix_by_capacity(x, gates, chosen, expert, config.num_experts))

    strategy = StepByStep(attend, mix, unembed=transposed_dot, unrolled=True)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    shard = shard_of(config, devices=1)
    logits, _, layers = forward(params, config, shard, tokens, positions, None, strategy)
    return logits, [(seen["probabilities"], seen["experts"]) for seen in layers]


def loss(
    params: Any,
    config: GrokConfig,
    batch: Array,
    drop: Drop | None = None,
    balanced: float = BALANCE,
) -> tuple[Array, dict[str, Array]]:
    """What training minimises, for a batch [b, T + 1]; see `training.texts.drill.hidden`.

    `balanced` is the weight of "balance".

    Returns:
        the loss, and its parts worth watching: "loss", the mean over the rows of the mean
        cross-entropy in nats of a row's tokens that are not hidden, and "balance", the mean over
        rows and layers of `imbalance`. So each row counts the same, were only a reply of it learnt;
        a row all hidden has no cross-entropy. Balance is asked of each row (DeepSeek-V3, arXiv
        2412.19437), for over a batch an expert seems in use that knows one kind of text alone.
    """
    tokens, foretold = jnp.where(batch < 0, ~batch, batch), batch[:, 1:] >= 0
    logits, routing = logits_of(params, config, tokens[:, :-1], drop)
    top = jax.nn.logsumexp(logits, axis=-1)
    picked = jnp.take_along_axis(logits, tokens[:, 1:, None], axis=-1)[..., 0]
    of_rows = jnp.sum(top - picked, axis=1, where=foretold) / jnp.maximum(foretold.sum(axis=1), 1)
    entropy = jnp.sum(of_rows) / jnp.maximum(foretold.any(axis=1).sum(), 1)
    by_row = [[part.reshape(*batch[:, 1:].shape, -1) for part in layer] for layer in routing]
    balance = jnp.mean(jnp.stack([jax.vmap(imbalance)(*layer) for layer in by_row]))
    total = entropy + balanced * balance + DRIFT * jnp.mean(top**2)
    return total, {"loss": entropy, "balance": balance}
