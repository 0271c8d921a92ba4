"""Rows times int8 matrices, by the native kernel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from grok_app.kernels.build import GROUPED_MATMUL


def grouped_matmul(x: Array, weight: Array, scales: Array, first: Array, counts: Array) -> Array:
    """Rows times the int8 matrices they belong to; call it only where `build` returned true.

    A row's bits do not depend on the other rows. Weights are read once from memory, and only those
    of matrices that have a row.

    Args:
        x: float32 [rows, K], sorted by matrix.
        weight: int8 [..., K, N], a stack of matrices.
        scales: bfloat16 [..., G, N], group g for rows g * K / G to (g + 1) * K / G - 1.
        first: int32 [], the place in the flattened stack of the first rows' matrix.
        counts: int32 [matrices]; so many rows belong to the first matrix, the one after it, ...

    Returns:
        float32 [rows, N]; zeros for rows beyond the sum of `counts`.
    """
    shape = jax.ShapeDtypeStruct((x.shape[0], weight.shape[-1]), jnp.float32)
    return jax.ffi.ffi_call(GROUPED_MATMUL, shape)(
        x.astype(jnp.float32), weight, scales, first.astype(jnp.int32), counts.astype(jnp.int32)
    )
