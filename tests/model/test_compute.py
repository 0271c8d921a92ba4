"""Only the chosen experts are computed, and only their weights are read.

XLA's `cost_analysis` counts the body of a loop once, however often it runs. So the FLOPs of one
product come from there, and how often each runs is counted while the real program runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.engine.load import cache_folder
from grok_app.engine.platform import platform_of
from grok_app.errors import SettingsError
from grok_app.model.cache import empty_cache
from grok_app.model.config import GrokConfig
from grok_app.model.serving import extend
from grok_app.model.sharding import make_mesh, shard_of
from grok_app.model.weights import QuantizedWeight
from grok_app.options import CHUNKS

CALLS: list[tuple[int, ...]] = []  # (layer, expert, rows) of each product that ran


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Counted:
    """An expert's weights, which note each product with them."""

    weight: QuantizedWeight
    name: str = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape

    def matmul(self, x: Array, *index: Array | int) -> Array:
        jax.debug.callback(lambda *at: CALLS.append((*map(int, at), x.shape[0])), *index)
        return self.weight.matmul(x, *index)

    def native_matmul(self, x: Array, layer: Array, counts: Array, rows: Array) -> Array:
        jax.debug.callback(_note, layer, counts)
        return self.weight.native_matmul(x, layer, counts, rows=rows)


def _note(layer: Array, counts: Array) -> None:
    CALLS.extend((int(layer), e, int(rows)) for e, rows in enumerate(counts) if rows)


@dataclass
class Counting:
    """The miniature model with its first expert matrices counted."""

    config: GrokConfig
    params: Any
    step: Any

    def feed(self, tokens: np.ndarray, start: int, cache: Any) -> tuple[Any, np.ndarray]:
        """Feeds a chunk; the cache and the chosen experts [L, T, k]."""
        positions = start + np.arange(len(tokens))
        _, cache, seen = self.step(self.params, tokens[None], positions[None], cache)
        jax.effects_barrier()
        return cache, np.asarray(seen["experts"][:, 0])


@pytest.fixture(scope="module", params=["native", "xla"])
def counting(mini: Path, request: pytest.FixtureRequest) -> Counting:
    try:
        platform = platform_of(
            jax.devices()[0], request.param, cache_folder() / "kernels", "float32"
        )
    except SettingsError:
        pytest.skip("no C++ compiler here")
    checkpoint = open_checkpoint(mini)
    config = checkpoint.config
    params = load_parameters(checkpoint, make_mesh((1, 1)))
    for module, arrays in params.items():
        if module.endswith("moe/linear"):
            arrays["w"] = Counted(arrays["w"], module)
    shard = shard_of(config, 1)
    step = jax.jit(
        lambda params, tokens, positions, cache: extend(
            params, config, shard, tokens, positions, cache, platform=platform
        )
    )
    return Counting(config, params, step)


@pytest.fixture
def calls() -> Iterator[list[tuple[int, ...]]]:
    CALLS.clear()
    yield CALLS
    CALLS.clear()


def flops_of_a_row(config: GrokConfig) -> float:
    """FLOPs of one row times one expert's first matrix, by XLA's own count."""
    weight = jnp.zeros((config.emb_size, config.ffn_size))
    rows = jnp.zeros((64, config.emb_size))
    cost = jax.jit(jnp.dot).lower(rows, weight).compile().cost_analysis()
    assert cost is not None
    return cost["flops"] / 64


def test_prefill_computes_the_two_chosen_experts(counting: Counting, calls) -> None:
    config = counting.config
    tokens = np.random.default_rng(0).integers(4, config.vocab_size, 512).astype(np.int32)
    heads, size = config.num_kv_heads, config.key_size
    cache = empty_cache(config.num_layers, 1, heads, 512, size, jnp.float32)
    for start in range(0, 512, CHUNKS[-1]):
        cache, _ = counting.feed(tokens[start : start + CHUNKS[-1]], start, cache)
    flops = flops_of_a_row(config)
    assert flops == pytest.approx(2 * config.emb_size * config.ffn_size, rel=0.01)
    done = flops * sum(rows for *_, rows in calls)
    needed = flops * 512 * config.num_selected_experts * config.num_layers
    assert done <= 1.2 * needed


def test_decoding_for_one_reads_only_the_two_chosen_experts(counting: Counting, calls) -> None:
    config = counting.config
    cache = empty_cache(config.num_layers, 1, config.num_kv_heads, 256, config.key_size, "float32")
    for position in range(8):
        calls.clear()
        token = np.array([100 + position], np.int32)
        cache, chosen = counting.feed(token, position, cache)
        read = sorted((layer, expert) for layer, expert, _ in calls)
        assert read == sorted(
            (layer, int(expert))
            for layer in range(config.num_layers)
            for expert in chosen[layer, 0]
        )
        assert len(read) == 2 * config.num_layers
