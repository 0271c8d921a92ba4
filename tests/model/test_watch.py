"""What a pass notes with the GPU's kernels, interpreted by Pallas, is what float64 says."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.kernels import Platform
from grok_app.model.cache import empty_cache
from grok_app.model.serving import extend
from grok_app.model.sharding import make_mesh, shard_of
from grok_app.model.watch import WHAT, Watch
from tests.model.float64 import Float64

INTERPRETED = Platform("cpu", "pallas")
HEADS = ((2, 15), (0, 0), (1, 8))
TOKENS = 40


@pytest.mark.slow
def test_the_gpus_kernels_note_the_same(mini: Path) -> None:
    checkpoint = open_checkpoint(mini)
    config, params = checkpoint.config, load_parameters(checkpoint, make_mesh((1, 1)))
    ids = np.random.default_rng(0).integers(3, config.vocab_size, TOKENS)
    size = config.num_layers, 1, config.num_kv_heads, 256, config.key_size
    given = ids[None], np.arange(TOKENS)[None], empty_cache(*size, jnp.float32)
    watch = Watch(frozenset(WHAT), heads=HEADS, top=5)

    @jax.jit
    def step(tokens, positions, cache):
        given = tokens, positions, cache
        shard = shard_of(config, 1)
        return extend(params, config, shard, *given, platform=INTERPRETED, watch=watch)[2]

    seen = {name: np.asarray(array)[:, 0] for name, array in step(*given).items()}
    exact = Float64(mini)(ids.tolist())
    np.testing.assert_array_equal(seen["experts"], exact.experts)
    for name in ("gates", "router_logits", "hidden"):
        assert np.abs(seen[name] - getattr(exact, name)).max() < 1e-3
    assert np.abs(seen["lens_logprobs"] - -np.sort(-exact.lens)[..., :5]).max() < 1e-3
    attention = np.stack([exact.attention[at] for at in HEADS])
    assert np.abs(seen["attention"][..., :TOKENS] - attention).max() < 1e-3
