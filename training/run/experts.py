"""The mixture of experts in a form that has gradients and shapes known beforehand.

T tokens, E experts, k chosen for each token, D model width. Every expert has a fixed number of
seats; a token's choice takes the next free seat of its expert, or none when all are taken (Switch
Transformer, arXiv 2101.03961).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

CAPACITY = 1.25
"""Seats of an expert, over its even share of the choices."""

_SEATS_STEP = 64  # their number is rounded up to a multiple of what the processor likes


def mix_by_capacity(
    x: Array, gates: Array, chosen: Array, expert: Callable[[Array, int], Array], experts: int
) -> Array:
    """Sum over each token's seated choices of gate * expert(x).

    Args:
        x: [T, D].
        gates, chosen: [T, k].
        expert: maps rows [rows, D] and an expert's index to [rows, D].
        experts: E.

    Returns:
        float32 [T, D].
    """
    tokens, k = chosen.shape
    choices = tokens * k
    seats = -(-int(CAPACITY * choices / experts) // _SEATS_STEP) * _SEATS_STEP
    nowhere, nobody = experts * seats, choices

    flat = chosen.reshape(-1)
    mine = flat[:, None] == jnp.arange(experts)  # [T * k, E]
    before = jnp.sum(jnp.cumsum(mine, axis=0) * mine, axis=1) - 1  # earlier choices of the expert
    seat = jnp.where(before < seats, flat * seats + before, nowhere)  # of each choice
    sitting = jnp.full(nowhere, nobody).at[seat].set(jnp.arange(choices), mode="drop")

    seated = exchange(x, sitting // k, seat.reshape(tokens, k))
    rows = jax.lax.split(seated, [seats] * experts)
    out = jnp.concatenate([expert(row, e) for e, row in enumerate(rows)])
    taken = exchange(out, seat, sitting[:, None]).reshape(tokens, k, -1)
    return jnp.sum(taken * gates[..., None], axis=1)


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


def imbalance(probabilities: Array, chosen: Array) -> Array:
    """E * sum over experts of (share of the choices * mean probability); 1 when all are even.

    Minimised, it keeps every expert in use: the probabilities [T, E] have a gradient, and an
    expert chosen often weighs more.
    """
    experts = probabilities.shape[-1]
    share = jnp.mean(chosen[..., None] == jnp.arange(experts), axis=(0, 1))
    return experts * jnp.sum(share * probabilities.mean(axis=0))
