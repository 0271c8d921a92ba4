"""The GPU's kernels multiply as float64 does, read where they should and nowhere else.

In Pallas' interpreter, on a processor.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from grok_app.kernels.gpu import few_rows, few_rows_experts

LAYERS, LAYER = 3, 1
CLOSE = {"float32": 1e-5, "bfloat16": 1e-2}  # relative to the largest result
HALF = {"float32": 1e-6, "bfloat16": 2e-3}  # so close is half of them


class Matrices:
    """Random int8 matrices with scales, all but one layer's spoilt: there every scale is no number.

    Attributes:
        arrays: as the kernels take them.
        floats: float64 [..., K, N], of the layer that is used.
    """

    def __init__(self, rng: np.random.Generator, *shape: int, groups: int = 1):
        weight = rng.integers(-127, 128, (LAYERS, *shape), np.int8)
        scales = np.full((LAYERS, *shape[:-2], groups, shape[-1]), np.nan)
        scales[LAYER] = rng.uniform(0.001, 0.01, scales.shape[1:])
        self.arrays = jnp.asarray(weight), jnp.asarray(scales, jnp.bfloat16)
        rounded = np.asarray(self.arrays[1][LAYER], np.float64)
        self.floats = weight[LAYER] * np.repeat(rounded, shape[-2] // groups, axis=-2)


def rows_of(rng: np.random.Generator, rows: int, width: int, dtype: str) -> Array:
    return jnp.asarray(rng.standard_normal((rows, width)), dtype)


def agree(got: Array, expected: np.ndarray, dtype: str) -> None:
    apart = np.abs(np.asarray(got, np.float64) - expected) / np.abs(expected).max()
    assert apart.max() < CLOSE[dtype]
    assert np.median(apart) < HALF[dtype]


@pytest.mark.parametrize(
    ("rows", "groups", "dtype"), [(1, 1, "float32"), (70, 4, "float32"), (3, 2, "bfloat16")]
)
def test_rows_times_several_stacks(rows: int, groups: int, dtype: str) -> None:
    rng = np.random.default_rng(rows)
    stacks = [Matrices(rng, 344, columns, groups=groups) for columns in (100, 16)]
    x = rows_of(rng, rows, 344, dtype)
    given = tuple(stack.arrays for stack in stacks)
    made = jax.jit(few_rows, static_argnums=3)(x, given, jnp.int32(LAYER), True)
    for sums, stack in zip(made, stacks, strict=True):
        agree(sums.sum(axis=0), np.asarray(x, np.float64) @ stack.floats, dtype)


def mixed(gates: np.ndarray, x: Array, stacks: list[Matrices], dtype: str) -> Array:
    arrays: Any = tuple(stack.arrays for stack in stacks)
    program = jax.jit(few_rows_experts, static_argnums=(4, 5))
    return program(x, jnp.asarray(gates, jnp.float32), arrays, jnp.int32(LAYER), dtype, True)


def experts_of(rng: np.random.Generator, experts: int) -> list[Matrices]:
    width, hidden = 96, 176
    gate, value = (Matrices(rng, experts, width, hidden) for _ in range(2))
    return [gate, value, Matrices(rng, experts, hidden, width, groups=8)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chosen_experts_are_summed_by_their_gates(dtype: str) -> None:
    rng = np.random.default_rng(1)
    stacks = experts_of(rng, 4)
    gates = np.array([[0, 0.5, 0.2, 0], [0, 0, 0.3, 0.4], [0, 0, 0, 0]], np.float32)
    x = rows_of(rng, 3, 96, dtype).astype(jnp.float32)
    expected = np.zeros((3, 96))
    for e in range(4):
        opened, value = (np.asarray(x, np.float64) @ stack.floats[e] for stack in stacks[:2])
        hidden = np.asarray(jax.nn.gelu(jnp.asarray(opened, jnp.float32))) * value
        expected += gates[:, e : e + 1].astype(np.float64) * (hidden @ stacks[2].floats[e])
    agree(mixed(gates, x, stacks, dtype), expected, dtype)


def test_an_expert_that_nobody_chose_is_not_read() -> None:
    rng = np.random.default_rng(2)
    stacks = experts_of(rng, 3)
    gates = np.array([[0, 0.5, 0.2]], np.float32)
    x = rows_of(rng, 1, 96, "float32")
    whole = np.asarray(mixed(gates, x, stacks, "float32"))
    for stack in stacks:
        weight, scales = stack.arrays
        stack.arrays = weight, scales.at[LAYER, 0].set(jnp.nan)
    np.testing.assert_array_equal(np.asarray(mixed(gates, x, stacks, "float32")), whole)


def test_a_rows_bits_do_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(3)
    stacks = experts_of(rng, 4)
    gates = np.array([[0, 0.5, 0.2, 0], [0, 0, 0.3, 0.4], [0.9, 0, 0, 0.1]], np.float32)
    x = rows_of(rng, 3, 96, "float32")
    together = np.asarray(mixed(gates, x, stacks, "float32"))
    others = x.at[1:].set(7.0)
    alone = np.asarray(mixed(gates * [[1], [0], [0]], others, stacks, "float32"))
    np.testing.assert_array_equal(alone[0], together[0])
    assert not alone[1:].any()
