"""The native kernel multiplies rows by a table right, whatever kind of processor it is for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from grok_app.kernels.build import ROW_PRODUCTS

Multiply = Callable[[Array, Array, Array], Array]


@pytest.fixture
def multiply(registered: Callable[[str], str]) -> Multiply:
    """The kernel."""

    def call(x: Array, table: Array, live: Array) -> Array:
        shape = jax.ShapeDtypeStruct((len(x), len(table)), jnp.float32)
        return jax.ffi.ffi_call(registered(ROW_PRODUCTS), shape)(x, table, live)

    return jax.jit(call)


def matrix(rows: int, columns: int) -> Array:
    rng = np.random.default_rng(rows)
    return jnp.asarray(rng.standard_normal((rows, columns), np.float32))


@pytest.mark.parametrize(("entries", "size"), [(512, 128), (4099, 256), (3, 20), (130, 1000)])
@pytest.mark.parametrize("rows", [1, 4, 9])
def test_rows_times_a_table(multiply: Multiply, rows: int, entries: int, size: int) -> None:
    x, table = matrix(rows, size), matrix(entries, size)
    live = jnp.arange(rows) % 3 != 1
    exact = np.asarray(x, np.float64) @ np.asarray(table, np.float64).T
    out = np.asarray(multiply(x, table, live))
    assert np.abs(out - exact)[live].max() < 4e-6 * np.abs(exact).max()
    assert not out[~live].any()


@pytest.mark.parametrize("size", [1, 3, 20, 33, 64, 70, 128, 201])
def test_a_products_bits_depend_on_its_two_rows_alone(multiply: Multiply, size: int) -> None:
    x, table = matrix(7, size), matrix(37, size)
    table = jnp.concatenate([table, table[5:6], table])  # each once more, in another place
    together = np.asarray(multiply(x, table, jnp.ones(7, bool)))
    for row in range(7):
        alone = multiply(x, table, jnp.arange(7) == row)
        assert (np.asarray(alone)[row] == together[row]).all()
    assert (together[:, 38:] == together[:, :37]).all()
    assert (together[:, 37] == together[:, 5]).all()
