"""Attention over a cache of keys and values, by the native kernel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from grok_app.kernels.build import ATTENTION


def attention(
    q: Array,
    keys: Array,
    values: Array,
    visible: Array,
    layer: Array | int,
    first_slot: Array | int,
    positions: Array,
    multiplier: float,
) -> Array:
    """Softly capped, grouped-query attention; call it only where `build` returned true.

    A query's bits and cost depend on its own position alone: nothing is read for the slots and
    positions that no query asks about.

    Args:
        q: float32 [b, T, N, H].
        keys, values: float32 or float16 [L, B, G, S, H].
        visible: bool [B, S], the positions that may be seen; S is a multiple of 32.
        layer: int32 [].
        first_slot: int32 [], of the b slots.
        positions: int32 [b, T]; a query sees those up to its own. S or more: it sees nothing.
        multiplier: of the scores, before they are capped.

    Returns:
        float32 [b, T, N * H]; zeros where nothing is seen.
    """
    b, length, heads, size = q.shape
    shape = jax.ShapeDtypeStruct((b, length, heads * size), jnp.float32)
    return jax.ffi.ffi_call(ATTENTION, shape)(
        q,
        keys,
        values,
        visible,
        jnp.int32(layer),
        jnp.int32(first_slot),
        positions.astype(jnp.int32),
        multiplier=np.float32(multiplier),
    )
