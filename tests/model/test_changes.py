"""With the GPU's kernels, interpreted by Pallas, changed routing is what float64 says."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app import Intervention
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.engine.changing import changes_of
from grok_app.kernels import Platform
from grok_app.model.cache import empty_cache
from grok_app.model.serving import extend
from grok_app.model.sharding import make_mesh, shard_of
from tests.engine.test_interventions import SETS
from tests.model.float64 import Float64

INTERPRETED = Platform("cpu", "pallas")
CHUNK, TOKENS = 12, 16  # the rest is decoded


@pytest.mark.slow
def test_in_a_chunk_and_in_decoding_for_several_people(mini: Path) -> None:
    """Each with interventions of its own, the first without any."""
    checkpoint, model = open_checkpoint(mini), Float64(mini)
    config, params = checkpoint.config, load_parameters(checkpoint, make_mesh((1, 1)))
    wishes: list[tuple[Intervention, ...]] = [(), *SETS.values()]
    rows = len(wishes)
    texts = np.random.default_rng(1).integers(3, config.vocab_size, (rows, TOKENS))
    size = config.num_layers, rows, config.num_kv_heads, 256, config.key_size
    cache, changes = empty_cache(*size, jnp.float32), changes_of(config, wishes)

    @jax.jit
    def step(tokens, positions, cache, changes):
        given = tokens, positions, cache
        shard = shard_of(config, 1)
        return extend(params, config, shard, *given, platform=INTERPRETED, changes=changes)[:2]

    logits = []
    for start, end in [(0, CHUNK), *((n, n + 1) for n in range(CHUNK, TOKENS))]:
        positions = np.tile(np.arange(start, end), (rows, 1))
        made, cache = step(texts[:, start:end], positions, cache, changes)
        logits.append(np.asarray(made))
    exact = [model(text.tolist(), wish).logits for text, wish in zip(texts, wishes, strict=True)]
    assert np.abs(np.concatenate(logits, axis=1) - np.stack(exact)).max() < 1e-3
