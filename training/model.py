"""The serving modules, made trainable: float weights, causal attention, differentiable experts.

L layers, E experts, k chosen, b rows, T tokens a row, D model width, N query heads, G key/value
heads, H head size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from grok_app.model.attention import capped
from grok_app.model.config import GrokConfig
from grok_app.model.grok import Strategy, forward
from grok_app.model.parameters import parameters
from grok_app.model.sharding import shard_of

QUERIES = 128  # of which attention computes the scores together
CAPACITY = 1.25  # places an expert has, over its even share; what does not fit is passed over
BALANCE = 0.01  # weight of the loss that keeps all experts in use
Z = 1e-4  # weight of the loss that keeps logits from drifting


@jax.custom_vjp
def dot(x: Array, w: Array) -> Array:
    """float32 `x` [rows, K] @ `w` [K, N], multiplied in bfloat16, summed in float32.

    On processors with matrix units (AMX, tensor cores) this is several times as fast as float32.
    The weight's gradient contracts rows with rows, a form for which XLA has no such kernel on a
    CPU: it stays float32.
    """
    return _bfloat16(x, w, ((1,), (0,)))


def _bfloat16(x: Array, y: Array, axes: tuple[tuple[int], tuple[int]]) -> Array:
    x, y = x.astype(jnp.bfloat16), y.astype(jnp.bfloat16)
    return jax.lax.dot_general(x, y, (axes, ((), ())), preferred_element_type=jnp.float32)


dot.defvjp(
    lambda x, w: (dot(x, w), (x, w)),
    lambda saved, dy: (_bfloat16(dy, saved[1], ((1,), (1,))), saved[0].T @ dy),
)


@jax.custom_vjp
def exchange(x: Array, there: Array, back: Array) -> Array:
    """Rows `there` of `x`, an index past the end giving zeros: [len(there), D].

    `back` [len(x), m] says which m rows of the result came from each row of `x`, so that the
    gradient is a gathering too, not a scattering.
    """
    return jnp.take(x, there, axis=0, mode="fill", fill_value=0)


def _exchange_backward(back: Array, dy: Array) -> tuple[Array, None, None]:
    rows, m = back.shape
    taken = jnp.take(dy, back.reshape(-1), axis=0, mode="fill", fill_value=0)
    return taken.reshape(rows, m, -1).sum(axis=1), None, None


exchange.defvjp(lambda x, there, back: (exchange(x, there, back), back), _exchange_backward)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FloatStack:
    """float32 parameters of all layers, an array for each layer (and expert): what serving holds as one
    stacked array is here many, so that a gradient is not scattered into a stack.

    Attributes:
        parts: for each layer an array, or for each layer and expert one.
    """

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stack."""
        part, lead = self.parts, []
        while isinstance(part, tuple):
            lead.append(len(part))
            part = part[0]
        return (*lead, *part.shape)

    def __getitem__(self, index: int | tuple[int, ...]) -> Array:
        part = self.parts
        for i in index if isinstance(index, tuple) else (index,):
            part = part[i]
        return part  # type: ignore[return-value]

    def matmul(self, x: Array, *index: int) -> Array:
        """`x` [rows, K] times the matrix at `index`: [rows, N]."""
        return dot(x, self[index])


def attend_causal(q: Array, k: Array, v: Array, multiplier: float) -> Array:
    """q [b, T, N, H], k, v [b, T, G, H] -> [b, T, N * H].

    A block of queries at a time, each against the keys up to its end: what lies above the
    diagonal is mostly left out, and a block's scores stay in the cache.
    """
    b, length, heads, size = q.shape
    groups = k.shape[2]
    q = (q * multiplier).astype(jnp.bfloat16).reshape(b, length, groups, heads // groups, size)
    k, v = k.astype(jnp.bfloat16), v.astype(jnp.bfloat16)
    outs = []
    for start in range(0, length, QUERIES):
        end = min(start + QUERIES, length)
        block, keys, values = q[:, start:end], k[:, :end], v[:, :end]
        scores = jnp.einsum("btgrh,bsgh->bgrts", block, keys, preferred_element_type=jnp.float32)
        seen = jnp.arange(end) <= jnp.arange(start, end)[:, None]
        weights = jax.nn.softmax(jnp.where(seen, capped(scores), -1e30)).astype(jnp.bfloat16)
        out = jnp.einsum("bgrts,bsgh->btgrh", weights, values, preferred_element_type=jnp.float32)
        outs.append(out.reshape(b, end - start, heads * size))
    return jnp.concatenate(outs, axis=1)


def mix_by_capacity(
    x: Array, gates: Array, chosen: Array, expert: Callable[[Array, int], Array], experts: int
) -> Array:
    """Sum of gate * expert(x) with a fixed number of places an expert (Switch, arXiv 2101.03961).

    x [T, D], gates and chosen [T, k] -> [T, D].
    """
    tokens, k = chosen.shape
    places = -(-int(CAPACITY * tokens * k / experts) // 64) * 64
    empty, nobody = experts * places, tokens * k
    flat = chosen.reshape(-1)
    mine = flat[:, None] == jnp.arange(experts)  # [T * k, E]
    place = jnp.sum(jnp.cumsum(mine, axis=0) * mine, axis=1) - 1
    seat = jnp.where(place < places, flat * places + place, empty)  # of each token's choice
    pair = jnp.full(empty, nobody).at[seat].set(jnp.arange(nobody), mode="drop")  # in each seat
    seated = exchange(x, pair // k, seat.reshape(tokens, k))
    rows = jax.lax.split(seated, [places] * experts)
    out = jnp.concatenate([expert(row, e) for e, row in enumerate(rows)])
    taken = exchange(out, seat, pair[:, None]).reshape(tokens, k, -1)
    return jnp.sum(taken * gates[..., None], axis=1)


def loss(
    params: Any, config: GrokConfig, batch: Array
) -> tuple[Array, dict[str, Array]]:
    """Mean cross-entropy in nats of a batch [b, T + 1], and what keeps the experts in use.

    Returns:
        the loss to minimise, and its parts: "loss", and "balance" (1 when all experts are used
        alike; Switch, arXiv 2101.03961).
    """
    tokens, targets = batch[:, :-1], batch[:, 1:]

    def attend(q: Array, k: Array, v: Array, memory: None, layer: int) -> tuple[Array, None]:
        return attend_causal(q, k, v, config.attn_output_multiplier), memory

    strategy = Strategy(attend, partial(mix_by_capacity, experts=config.num_experts), unrolled=True)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    logits, _, routing = forward(
        params, config, shard_of(config, 1), tokens, positions, None, strategy
    )
    top = jax.nn.logsumexp(logits, axis=-1)
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    entropy = jnp.mean(top - picked)
    balance = jnp.mean(jnp.stack([_balance(*choice) for choice in routing]))
    z = jnp.mean(top**2)
    total = entropy + BALANCE * balance + Z * z
    return total, {"loss": entropy, "balance": balance}


def _balance(probabilities: Array, chosen: Array) -> Array:
    """experts * sum over experts of (share of choices * mean probability)."""
    experts = probabilities.shape[-1]
    share = jnp.mean(chosen[..., None] == jnp.arange(experts), axis=(0, 1))
    return experts * jnp.sum(share * probabilities.mean(axis=0))
