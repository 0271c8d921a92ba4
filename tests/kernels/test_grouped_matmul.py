"""The native kernel multiplies right, whatever kind of processor it is compiled for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax import Array

from grok_app.kernels.build import GROUPED_MATMUL

Multiply = Callable[[Array, Array, Array, Array, Array], Array]


@pytest.fixture
def multiply(registered: Callable[[str], str]) -> Multiply:
    """The kernel."""

    def call(x: Array, weight: Array, scales: Array, first: Array, counts: Array) -> Array:
        shape = jax.ShapeDtypeStruct((x.shape[0], weight.shape[-1]), jnp.float32)
        return jax.ffi.ffi_call(registered(GROUPED_MATMUL), shape)(x, weight, scales, first, counts)

    return jax.jit(call)


def stack(matrices: int, rows: int, columns: int, groups: int) -> tuple[Array, Array]:
    """int8 [matrices, K, N] and bfloat16 [matrices, G, N], the extremes of int8 among them."""
    rng = np.random.default_rng(rows * columns)
    weight = rng.integers(-128, 128, (matrices, rows, columns), np.int8)
    scales = rng.uniform(0.5, 2, (matrices, groups, columns)).astype(ml_dtypes.bfloat16)
    return jnp.asarray(weight), jnp.asarray(scales)


def floats(weight: Array, scales: Array) -> np.ndarray:
    """The matrices that `stack` stands for, in float64."""
    matrices, rows, columns = weight.shape
    grouped = np.asarray(weight, np.float64).reshape(matrices, scales.shape[1], -1, columns)
    return (grouped * np.asarray(scales, np.float64)[:, :, None]).reshape(matrices, rows, columns)


def rows_of(count: int, width: int) -> Array:
    return jnp.asarray(np.random.default_rng(count).standard_normal((count, width), np.float32))


@pytest.mark.parametrize(
    ("depth", "columns", "groups"),
    [(256, 672, 1), (672, 256, 8), (8, 3, 1), (72, 65, 8), (1000, 4200, 8), (96, 64, 1)],
)
@pytest.mark.parametrize("counts", [[1], [3], [0, 5, 1], [70, 0, 2]], ids=str)
def test_rows_times_their_matrices(
    multiply: Multiply, depth: int, columns: int, groups: int, counts: list[int]
) -> None:
    weight, scales = stack(4, depth, columns, groups)
    x = rows_of(sum(counts) + 2, depth)  # two rows belong to no matrix
    out = multiply(x, weight, scales, jnp.int32(1), jnp.array(counts, jnp.int32))
    which = np.repeat(1 + np.arange(len(counts)), counts)
    exact = np.einsum("rk,rkn->rn", np.asarray(x, np.float64)[:-2], floats(weight, scales)[which])
    assert np.abs(out[:-2] - exact).max() < 4e-6 * np.abs(exact).max()
    assert not np.asarray(out[-2:]).any()


@pytest.mark.parametrize(
    ("depth", "columns", "groups"), [(1000, 200, 8), (35, 43, 5), (672, 72, 8)]
)
def test_a_rows_bits_do_not_depend_on_the_others(
    multiply: Multiply, depth: int, columns: int, groups: int
) -> None:
    weight, scales = stack(2, depth, columns, groups)
    x = rows_of(40, depth)
    together = np.asarray(multiply(x, weight, scales, jnp.int32(1), jnp.array([40])))
    for count in (1, 2, 3, 4, 5, 33):
        alone = multiply(x[7 : 7 + count], weight, scales, jnp.int32(1), jnp.array([count]))
        assert (np.asarray(alone) == together[7 : 7 + count]).all()


@pytest.mark.parametrize("groups", [0, 4, 11])
def test_scale_groups_that_do_not_divide_the_rows_are_refused(
    multiply: Multiply, groups: int
) -> None:
    weight, scales = jnp.zeros((1, 10, 16), jnp.int8), jnp.zeros((1, groups, 16), jnp.bfloat16)
    with pytest.raises(jax.errors.JaxRuntimeError, match="scale groups must divide"):
        multiply(rows_of(2, 10), weight, scales, jnp.int32(0), jnp.array([2]))
