"""The mixture of experts, computing only the experts that were chosen.

T tokens, E experts, k chosen for each token, D model width.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import Array, lax

BLOCK_ROWS = 32  # most rows of one expert computed together; its weights are widened once a block
_STEP_ROWS = 8  # a block that is not full is computed as the next multiple of so many rows


def mix(
    x: Array,
    gates: Array,
    chosen: Array,
    expert: Callable[[Array, Array], Array],
    live: Array,
    experts: int,
) -> Array:
    """Sum over each token's chosen experts of gate * expert(x).

    The token-expert pairs are sorted by expert and cut into blocks of one expert each; a loop
    runs over the blocks there are. Few tokens make at most one block an expert, so a decode step
    reads the weights of each chosen expert once, however many tokens share it. An expert's last
    block is not full; only as many rows of it are computed as hold its pairs, rounded up.

    Args:
        x: [T, D].
        gates, chosen: [T, k].
        expert: maps rows [rows, D] and an expert's index to [rows, D].
        live: bool [T]; tokens that are padding go to no expert.
        experts: E.

    Returns:
        float32 [T, D]; zero where not live.
    """
    tokens, k = chosen.shape
    rows = min(tokens, BLOCK_ROWS)
    assigned = jnp.where(live[:, None], chosen, experts).reshape(-1)
    order = jnp.argsort(assigned)  # stable: pairs of one expert stay in token order
    counts = jnp.sum(assigned[:, None] == jnp.arange(experts), axis=0)  # [E]
    pairs_before = jnp.cumsum(counts) - counts
    blocks = -(-counts // rows)
    blocks_until = jnp.cumsum(blocks)
    gates = gates.reshape(-1)
    heights = (*range(_STEP_ROWS, rows, _STEP_ROWS), rows)

    def compute(height: int, x: Array, e: Array) -> Array:
        return jnp.pad(expert(x[:height], e), ((0, rows - height), (0, 0)))

    def add_block(block: Array, total: Array) -> Array:
        e = jnp.sum(blocks_until <= block)  # the expert whose blocks include this one
        start = (block - (blocks_until[e] - blocks[e])) * rows
        offset = start + jnp.arange(rows)
        pair = order[jnp.minimum(pairs_before[e] + offset, tokens * k - 1)]
        gate = jnp.where(offset < counts[e], gates[pair], 0.0)
        step = (counts[e] - start - 1) // _STEP_ROWS  # lax.switch takes the last where it is beyond
        out = lax.switch(step, [partial(compute, h) for h in heights], x[pair // k], e)
        return total.at[pair // k].add(out * gate[:, None])

    zeros = jnp.zeros(x.shape, jnp.float32)
    return lax.fori_loop(0, blocks_until[-1], add_block, zeros)


def mix_sorted(
    x: Array,
    gates: Array,
    chosen: Array,
    expert: Callable[[Array, Array], Array],
    live: Array,
    experts: int,
) -> Array:
    """As `mix`, for an `expert` that takes rows sorted by expert and their counts [E].

    Nothing is computed for a token but its own experts.
    """
    tokens, k = chosen.shape
    assigned = jnp.where(live[:, None], chosen, experts).reshape(-1)
    order = jnp.argsort(assigned)
    counts = jnp.sum(assigned[:, None] == jnp.arange(experts), axis=0)
    out = expert(x[order // k], counts)[jnp.argsort(order)].reshape(tokens, k, -1)
    return jnp.sum(out * gates[..., None], axis=1)
