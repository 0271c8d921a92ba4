"""Products of rows with the rows of a table, by the native kernel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from grok_app.kernels.build import ROW_PRODUCTS


def row_products(x: Array, table: Array, live: Array) -> Array:
    """`x` times the transposed `table`; call it only where `build` returned true.

    A row's bits do not depend on the other rows. The table is read once from memory.

    Args:
        x: float32 [rows, D].
        table: float32 [V, D].
        live: bool [rows], which rows are wanted.

    Returns:
        float32 [rows, V]; zeros where not live.
    """
    shape = jax.ShapeDtypeStruct((len(x), len(table)), jnp.float32)
    return jax.ffi.ffi_call(ROW_PRODUCTS, shape)(x, table, live)
