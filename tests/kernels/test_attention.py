"""The native kernel attends as XLA does, whatever kind of processor it is compiled for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from grok_app.kernels.build import ATTENTION
from grok_app.model.attention import attend
from grok_app.model.cache import KVCache

LAYERS, SLOTS, LENGTH = 2, 5, 512
LAYER, FIRST_SLOT, MULTIPLIER = 1, 1, 0.2

Attend = Callable[[Array, KVCache, Array], Array]


@pytest.fixture
def native(registered: Callable[[str], str]) -> Attend:
    """The kernel."""

    def call(q: Array, cache: KVCache, positions: Array) -> Array:
        b, tokens, heads, size = q.shape
        shape = jax.ShapeDtypeStruct((b, tokens, heads * size), jnp.float32)
        where = jnp.int32(LAYER), jnp.int32(FIRST_SLOT), positions
        return jax.ffi.ffi_call(registered(ATTENTION), shape)(
            q, cache.keys, cache.values, cache.visible, *where, multiplier=np.float32(MULTIPLIER)
        )

    return jax.jit(call)


def random_cache(groups: int, size: int, dtype: str = "float32") -> KVCache:
    """Full of random keys and values, of which one in twenty may not be seen."""
    rng = np.random.default_rng(size)
    shape = (LAYERS, SLOTS, groups, LENGTH, size)
    keys, values = (jnp.asarray(rng.standard_normal(shape, np.float32), dtype) for _ in range(2))
    return KVCache(keys, values, jnp.asarray(rng.random((SLOTS, LENGTH)) < 0.95))


def queries(positions: Array, heads: int, size: int) -> Array:
    """Large enough that the cap of the scores is felt."""
    rng = np.random.default_rng(heads)
    return jnp.asarray(5 * rng.standard_normal((*positions.shape, heads, size), np.float32))


POSITIONS = {
    "one of each slot, an idle one too": [[0], [63], [64], [LENGTH]],
    "a chunk": [list(range(100, 140))],
    "a padded chunk": [[*range(7), *[LENGTH] * 25]],
    "chunks of two slots": [list(range(0, 350, 5)), list(range(442, 512))],
}


@pytest.mark.parametrize("positions", POSITIONS.values(), ids=POSITIONS)
@pytest.mark.parametrize(
    ("heads", "groups", "size", "dtype"),
    [(4, 2, 64, "float16"), (6, 1, 128, "float16"), (3, 1, 20, "float16"), (16, 8, 8, "float32")],
)
def test_it_attends_as_xla(
    native: Attend, heads: int, groups: int, size: int, dtype: str, positions: list[list[int]]
) -> None:
    at = jnp.array(positions, jnp.int32)
    q, cache = queries(at, heads, size), random_cache(groups, size, dtype)
    expected = attend(q, cache, LAYER, FIRST_SLOT, at, MULTIPLIER)
    assert np.abs(native(q, cache, at) - expected).max() < 4e-6 * np.abs(expected).max()


def test_every_float16_is_read_as_it_is(native: Attend) -> None:
    """What sees one key gets that key's value: here all there are, 16 in each slot."""
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(-1, 16)
    stored = jnp.zeros((LAYERS, FIRST_SLOT + len(values), 1, 32, 16), jnp.float16)
    stored = stored.at[LAYER, FIRST_SLOT:, 0, 0].set(values)
    cache = KVCache(jnp.zeros_like(stored), stored, jnp.ones(stored.shape[1:4:2], bool))
    at = jnp.zeros((len(values), 1), jnp.int32)
    got = native(queries(at, 1, 16), cache, at)
    assert np.array_equal(got[:, 0], values, equal_nan=True)


def test_a_cache_that_is_read_past_its_end_is_refused(native: Attend) -> None:
    short = jax.tree.map(lambda a: a[..., :40, :] if a.ndim == 5 else a[:, :40], random_cache(1, 8))
    at = jnp.zeros((1, 1), jnp.int32)
    with pytest.raises(jax.errors.JaxRuntimeError, match="multiple of 32"):
        native(queries(at, 1, 8), short, at).block_until_ready()


def test_a_query_that_sees_nothing_gets_zeros(native: Attend) -> None:
    at = jnp.array([[70, LENGTH]], jnp.int32)
    cache = random_cache(2, 16)
    blind = KVCache(cache.keys, cache.values, jnp.zeros_like(cache.visible))
    assert not np.asarray(native(queries(at, 4, 16), blind, at)).any()
    assert not np.asarray(native(queries(at, 4, 16), cache, at))[:, 1].any()


def test_a_querys_bits_do_not_depend_on_the_others(native: Attend) -> None:
    at = jnp.arange(200, 240, dtype=jnp.int32)[None]
    q, cache = queries(at, 4, 64), random_cache(2, 64, "float16")
    together = np.asarray(native(q, cache, at))
    for i in (0, 7, 39):
        alone = native(q[:, i : i + 1], cache, at[:, i : i + 1])
        assert (np.asarray(alone)[:, 0] == together[:, i]).all()
