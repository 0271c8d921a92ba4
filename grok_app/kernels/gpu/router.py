"""Which experts a row goes to, by one kernel: scores, probabilities, the largest of them.

R rows, D model width, E experts, k chosen.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from grok_app.kernels.gpu.tiles import load, load_row, span, store_row

_DEPTH = 512  # rows of the router's matrix that are read at a time


def route(
    x: Array, w: Array, layer: Array, live: Array, chosen: int, interpret: bool
) -> tuple[Array, Array, Array]:
    """The probabilities float32 [R, E] of the experts; the same of the k largest and zero of the
    others, or of all where a row is not live; and which are the largest int32 [R, k], of equal ones
    the first.

    Args:
        x: float32 [R, D].
        w: float32 [L, D, E].
        live: bool [R].
        chosen: k.
    """
    rows, experts = len(x), w.shape[-1]
    call = pl.pallas_call(
        partial(_kernel, chosen=chosen),
        grid=(rows,),
        out_shape=[
            jax.ShapeDtypeStruct((rows, experts), jnp.float32),
            jax.ShapeDtypeStruct((rows, experts), jnp.float32),
            jax.ShapeDtypeStruct((rows, chosen), jnp.int32),
        ],
        compiler_params=triton.CompilerParams(num_warps=8, num_stages=3),
        interpret=interpret,
        name="route",
    )
    return tuple(call(layer, live, x, w))


def _kernel(
    layer: Any, live: Any, x: Any, w: Any, all_: Any, gates: Any, which: Any, *, chosen: int
) -> None:
    """One program: one row."""
    row, experts, width = pl.program_id(0), w.shape[-1], w.shape[-2]
    every = span(0, pl.next_power_of_2(experts), experts)

    def add(i: Array, scores: Array) -> Array:
        depth = span(i * _DEPTH, _DEPTH, width)
        part = load_row(x, (row,), depth)[:, None] * load(w, (layer[()],), depth, every)
        return scores + jnp.sum(part, axis=0)

    scores = lax.fori_loop(0, pl.cdiv(width, _DEPTH), add, jnp.zeros(len(every[0])))
    scores = jnp.where(every[1], scores, -jnp.inf)
    weights = jnp.exp(scores - jnp.max(scores))
    probabilities = left = weights / jnp.sum(weights)
    store_row(all_, (row,), every, probabilities)
    for place in range(chosen):
        first = jnp.min(jnp.where(left == jnp.max(left), every[0], experts - 1))
        which[row, place] = first
        left = jnp.where(every[0] == first, -1.0, left)
    taken = (left < 0) & live[row]
    store_row(gates, (row,), every, jnp.where(taken, probabilities, 0.0))
