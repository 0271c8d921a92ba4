"""Routing that is changed: which experts a token goes to, against its router's choice.

b conversations, T tokens of them together, L layers, E experts, k experts chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from grok_app.model.strategy import Index


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Changes:
    """What is changed for each conversation; see `interventions.Intervention`.

    Attributes:
        active: bool [b]; the others are routed as ever, to the bit.
        bias: float32 [b, L, E], added to router logits; -inf: never chosen.
        forced: bool [b, L, E], always chosen.
        instead: int32 [b, L, E], which expert works where this one is chosen.
        factor: float32 [b, L, E], of the gate of the expert that works.
    """

    active: Array
    bias: Array
    forced: Array
    instead: Array
    factor: Array

    def route(self, logits: Array, layer: Index, chosen: int) -> tuple[Array, Array, Array]:
        """Router logits [T, E] -> the changed ones, and gates and experts [T, k] made of them; the
        gates are probabilities of a softmax over all experts."""
        bias, forced, instead, factor = (
            self.of_tokens(array[:, layer], len(logits))
            for array in (self.bias, self.forced, self.instead, self.factor)
        )
        logits = logits + bias
        logits = jnp.where(forced, jnp.max(logits, axis=1, keepdims=True), logits)
        _, experts = lax.top_k(jnp.where(forced, jnp.inf, logits), chosen)
        gates = jnp.take_along_axis(jax.nn.softmax(logits), experts, axis=1)
        experts = jnp.take_along_axis(instead, experts, axis=1)
        return logits, gates * jnp.take_along_axis(factor, experts, axis=1), experts

    def of_tokens(self, array: Array, tokens: int) -> Array:
        """An array [b, ...] of conversations as one [T, ...] of their tokens."""
        return jnp.repeat(array, tokens // len(array), axis=0)
