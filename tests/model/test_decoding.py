"""The whole model with the GPU's kernels, interpreted by Pallas, computes what the release does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.kernels import Platform
from grok_app.model.cache import KVCache, empty_cache
from grok_app.model.serving import extend
from grok_app.model.sharding import MODEL, make_mesh, parameter_specs, shard_of

INTERPRETED = Platform("cpu", "pallas")
TOKENS = 24  # of each text
HEADS: Any = P(None, None, MODEL)
WHOLE: Any = P()
CACHE: Any = KVCache(HEADS, HEADS, WHOLE)


class Decoder:
    """The miniature model on a mesh."""

    def __init__(self, mini: Path, mesh_shape: tuple[int, int]):
        mesh, checkpoint = make_mesh(mesh_shape), open_checkpoint(mini)
        self.config, devices = checkpoint.config, mesh_shape[1]
        self.params = load_parameters(checkpoint, mesh)
        step = partial(self._step, shard_of(self.config, devices))
        specs = (parameter_specs(self.config), P(), P(), CACHE)
        self.step = jax.jit(
            jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=(P(), CACHE), check_vma=False)
        )

    def _step(self, shard: Any, params: Any, tokens: Any, positions: Any, cache: Any) -> Any:
        given = params, self.config, shard, tokens, positions, cache
        return extend(*given, platform=INTERPRETED)[:2]

    def logits(self, texts: np.ndarray, idle: tuple[int, ...] = (), chunk: int = 1) -> np.ndarray:
        """float32 [rows, TOKENS, V] of texts [rows, TOKENS], in chunks; `idle` rows are padding."""
        config = self.config
        size = len(texts), config.num_kv_heads, 256, config.key_size
        cache, made = empty_cache(config.num_layers, *size, jnp.float32), []
        for start in range(0, TOKENS, chunk):
            places = np.arange(start, start + chunk, dtype=np.int32)
            positions = np.tile(places, (len(texts), 1))
            positions[list(idle)] = cache.length
            logits, cache = self.step(self.params, texts[:, places], positions, cache)
            made.append(np.asarray(logits))
        return np.concatenate(made, axis=1)


@pytest.fixture(scope="module", params=[(1, 1), (1, 8)], ids=str)
def decoder(mini: Path, request: pytest.FixtureRequest) -> Decoder:
    return Decoder(mini, request.param)


@pytest.fixture(scope="module")
def expected(mini: Path) -> dict[str, np.ndarray]:
    with np.load(mini / "expected.npz") as file:
        return dict(file)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [1, TOKENS // 2], ids=["decode", "prefill"])
def test_every_logit_is_the_releases(decoder: Decoder, expected, chunk: int) -> None:
    logits = decoder.logits(expected["tokens"][:, :TOKENS], chunk=chunk)
    assert np.abs(logits - expected["logits_float32"][:, :TOKENS]).max() < 1e-3


@pytest.mark.slow
def test_a_rows_bits_do_not_depend_on_the_others(decoder: Decoder, expected) -> None:
    texts = expected["tokens"][:, :TOKENS]
    together, others = decoder.logits(texts), texts.copy()
    others[1:] = 5
    alone = decoder.logits(others, idle=tuple(range(1, len(texts))))
    np.testing.assert_array_equal(alone[0], together[0])
