"""Products, and those of their gradients, are float32's to bfloat16's precision, in either type."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from training.run.floats import dot, transposed_dot

pytestmark = pytest.mark.usefixtures("factor")


def test_a_product_and_its_gradients() -> None:
    rng = np.random.default_rng(0)
    x, w, dy = (
        jnp.asarray(rng.standard_normal(shape, np.float32))
        for shape in ((48, 32), (32, 80), (48, 80))
    )
    out, gradients = jax.vjp(dot, x, w)
    assert close(out, x @ w)
    for ours, exact in zip(gradients(dy), (dy @ w.T, x.T @ dy), strict=True):
        assert close(ours, exact)


@pytest.mark.parametrize("lead", [(48,), (2, 24)], ids=str)
def test_a_product_with_a_transposed_table(lead: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    h, table, dy = (
        jnp.asarray(rng.standard_normal(shape, np.float32))
        for shape in ((*lead, 32), (80, 32), (*lead, 80))
    )
    out, gradients = jax.vjp(transposed_dot, h, table)
    assert close(out, h @ table.T)
    exact = dy @ table, dy.reshape(-1, 80).T @ h.reshape(-1, 32)
    for ours, right in zip(gradients(dy), exact, strict=True):
        assert close(ours, right)


def close(ours: jax.Array, exact: jax.Array) -> bool:
    """Each factor is off by at most 2^-9 of itself; sums of many are off by less."""
    return ours.shape == exact.shape and bool(
        jnp.max(jnp.abs(ours - exact)) < 2**-7 * jnp.max(jnp.abs(exact))
    )
