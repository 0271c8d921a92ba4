"""The GPU's kernels normalise and route as XLA's form does; in Pallas' interpreter."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app.kernels.gpu import add_norm, add_norm_norm, norm, route
from grok_app.model.strategy import EPSILON, rms_norm

LAYER = 1


@pytest.mark.parametrize(("rows", "width"), [(1, 96), (3, 128)])
def test_norms_and_the_sums_beside_them(rows: int, width: int) -> None:
    rng = np.random.default_rng(rows)
    h, out = (jnp.asarray(rng.standard_normal((rows, width)), jnp.float32) for _ in range(2))
    scale, after = (jnp.asarray(rng.uniform(0.5, 2, (2, width)), jnp.float32) for _ in range(2))
    layer = jnp.int32(LAYER)
    first, wanted = norm(h, scale, layer, EPSILON, jnp.float32, True), rms_norm(h, scale[LAYER])
    np.testing.assert_allclose(first, wanted, rtol=1e-5, atol=1e-6)
    total = h + rms_norm(out, scale[LAYER])
    made = add_norm(h, out, scale, layer, EPSILON, True)
    np.testing.assert_allclose(made, total, rtol=1e-5, atol=1e-6)
    made, then = add_norm_norm(h, out, scale, after, layer, EPSILON, True)
    np.testing.assert_allclose(made, total, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(then, rms_norm(total, after[LAYER]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("experts", "chosen"), [(8, 2), (6, 3), (1, 1)])
def test_the_likeliest_experts_are_chosen(experts: int, chosen: int) -> None:
    rng = np.random.default_rng(experts)
    x = jnp.asarray(rng.standard_normal((5, 600)), jnp.float32)
    w = jnp.asarray(rng.standard_normal((2, 600, experts)), jnp.float32) * 0.1
    live = jnp.array([True, True, False, True, True])
    probabilities, gates, which = route(x, w, jnp.int32(LAYER), live, chosen, True)
    expected = jax.nn.softmax(x @ w[LAYER])
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    best, index = jax.lax.top_k(expected, chosen)
    np.testing.assert_array_equal(which, index)
    wanted = np.zeros((5, experts), np.float32)
    np.put_along_axis(wanted, np.asarray(index), np.asarray(best), axis=1)
    np.testing.assert_allclose(gates, wanted * np.asarray(live)[:, None], rtol=1e-4, atol=1e-6)


def test_of_equal_experts_the_first_is_chosen() -> None:
    x, w = jnp.ones((1, 8)), jnp.ones((2, 8, 4))
    _, gates, which = route(x, w, jnp.int32(LAYER), jnp.ones(1, bool), 2, True)
    np.testing.assert_array_equal(which, [[0, 1]])
    np.testing.assert_allclose(gates, [[0.25, 0.25, 0, 0]])
