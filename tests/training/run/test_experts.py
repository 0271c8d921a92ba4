"""The mixture with seats: the plain sum where there are enough, and gradients that agree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from training.run.experts import exchange, imbalance, mix_by_capacity

WIDTH, EXPERTS = 8, 4


def drawn(seed: int, *shape: int) -> Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


MATRICES = drawn(0, EXPERTS, WIDTH, WIDTH)


def plain_sum(x: Array, gates: Array, chosen: Array, matrices: Array) -> Array:
    out = jnp.einsum("td,edf->tef", x, matrices)
    taken = jnp.take_along_axis(out, chosen[..., None], axis=1)
    return jnp.sum(taken * gates[..., None], axis=1)


def seated_sum(x: Array, gates: Array, chosen: Array, matrices: Array) -> Array:
    return mix_by_capacity(x, gates, chosen, lambda rows, e: rows @ matrices[e], EXPERTS)


def routing(tokens: int) -> tuple[Array, Array, Array]:
    gates, chosen = jax.lax.top_k(jax.nn.softmax(drawn(1, tokens, EXPERTS)), 2)
    return drawn(2, tokens, WIDTH), gates, chosen


def test_with_seats_enough_it_is_the_plain_sum() -> None:
    x, gates, chosen = routing(100)
    np.testing.assert_allclose(
        seated_sum(x, gates, chosen, MATRICES), plain_sum(x, gates, chosen, MATRICES), atol=1e-4
    )


@pytest.mark.parametrize("of", [0, 1, 3], ids=["x", "gates", "matrices"])
def test_its_gradient_is_that_of_the_plain_sum(of: int) -> None:
    x, gates, chosen = routing(100)
    weights = drawn(3, 100, WIDTH)

    def gradient(total: object) -> Array:
        return jax.grad(lambda *a: jnp.sum(total(*a) * weights), of)(x, gates, chosen, MATRICES)  # type: ignore[operator]

    np.testing.assert_allclose(gradient(seated_sum), gradient(plain_sum), atol=1e-3)


def test_who_finds_no_seat_gets_nothing() -> None:
    x, chosen = drawn(4, 300, WIDTH), jnp.zeros((300, 1), jnp.int32)
    gates = jnp.ones((300, 1))
    out = np.asarray(seated_sum(x, gates, chosen, MATRICES))
    seats = 128  # 1.25 * 300 / 4, rounded up to a multiple of 64
    np.testing.assert_allclose(out[:seats], x[:seats] @ MATRICES[0], atol=1e-4)
    assert not out[seats:].any()


def test_exchange_has_the_gradient_of_a_plain_take() -> None:
    """Rows 0 and 2 go to two places each, row 1 to none; a place past the end stays zero."""
    x, weights = drawn(5, 3, WIDTH), drawn(6, 5, WIDTH)
    there = jnp.array([2, 0, 0, 3, 2])
    back = jnp.array([[1, 2], [5, 5], [0, 4]])

    def taken(x: Array) -> Array:
        return jnp.take(x, there, axis=0, mode="fill", fill_value=0)

    assert not np.asarray(exchange(x, there, back))[3].any()
    np.testing.assert_array_equal(exchange(x, there, back), taken(x))
    np.testing.assert_allclose(
        jax.grad(lambda x: jnp.sum(exchange(x, there, back) * weights))(x),
        jax.grad(lambda x: jnp.sum(taken(x) * weights))(x),
        rtol=1e-6,
    )


def test_imbalance_is_one_when_even_and_more_when_not() -> None:
    even, chosen = jnp.full((8, EXPERTS), 1 / EXPERTS), jnp.arange(16).reshape(8, 2) % EXPERTS
    assert float(imbalance(even, chosen)) == pytest.approx(1.0)
    one = jax.nn.one_hot(jnp.zeros(8, jnp.int32), EXPERTS)
    assert float(imbalance(one, jnp.zeros((8, 1), jnp.int32))) == pytest.approx(EXPERTS)
