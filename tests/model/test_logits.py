"""The model computes what the release computes, however it is divided and however it is fed."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grok_app
from grok_app import EngineOptions
from grok_app.checkpoint.folder import open_checkpoint
from grok_app.checkpoint.load import load_parameters
from grok_app.model.cache import empty_cache
from grok_app.model.serving import extend
from grok_app.model.sharding import make_mesh, shard_of

MESHES = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 4)]


@pytest.fixture(scope="module")
def expected(mini: Path) -> dict[str, np.ndarray]:
    with np.load(mini / "expected.npz") as file:
        return dict(file)


@pytest.mark.parametrize("kernels", ["native", "xla"])
@pytest.mark.parametrize("mesh", MESHES, ids=str)
def test_every_logit_is_the_releases(mesh, kernels: str, mini, expected) -> None:
    engine = grok_app.load(
        mini, EngineOptions(mesh=mesh, dtype="float32", slots=mesh[0], kernels=kernels)
    )
    try:
        logits = engine.logits(expected["tokens"])
    finally:
        engine.close()
    assert logits.shape == expected["logits_float32"].shape
    assert np.abs(logits - expected["logits_float32"]).max() < 1e-3


class Fed:
    """The miniature model on one device, fed in pieces."""

    def __init__(self, mini: Path):
        checkpoint = open_checkpoint(mini)
        self.config = checkpoint.config
        self.params = load_parameters(checkpoint, make_mesh((1, 1)))
        shard = shard_of(self.config, 1)
        self.extend = jax.jit(
            lambda params, tokens, positions, cache, slot: extend(
                params, self.config, shard, tokens, positions, cache, slot
            )
        )
        self.empty = partial(empty_cache, self.config.num_layers)

    def logits(self, tokens: np.ndarray, pieces: list[int], pad: int, slot: int) -> np.ndarray:
        """Logits [T, V] of one row of tokens fed to a slot, in pieces each padded to `pad`."""
        config = self.config
        cache = self.empty(3, config.num_kv_heads, 256, config.key_size, jnp.float32)
        out, start = [], 0
        for count in pieces:
            offsets = np.arange(max(pad, count))
            positions = np.where(offsets < count, start + offsets, cache.length)
            piece = np.ones((1, len(offsets)), np.int32)
            piece[0, :count] = tokens[start : start + count]
            logits, cache, _ = self.extend(self.params, piece, positions[None], cache, slot)
            out.append(logits[0, :count])
            start += count
        return np.concatenate(out)


@pytest.fixture(scope="module")
def fed(mini: Path) -> Fed:
    return Fed(mini)


@given(cuts=st.lists(st.integers(1, 47), max_size=5, unique=True), slot=st.integers(0, 2))
@settings(max_examples=8)
def test_chunks_of_any_size_give_the_full_pass(fed, expected, cuts, slot) -> None:
    tokens, wanted = expected["tokens"][0], expected["logits_float32"][0]
    pieces = np.diff([0, *sorted(cuts), 48]).tolist()
    assert np.abs(fed.logits(tokens, pieces, 48, slot) - wanted).max() < 1e-3


def test_one_token_at_a_time_gives_the_full_pass(fed, expected) -> None:
    tokens, wanted = expected["tokens"][1], expected["logits_float32"][1]
    assert np.abs(fed.logits(tokens, [1] * 48, 1, 0) - wanted).max() < 1e-3


def test_a_padding_token_is_seen_by_nobody(fed, expected) -> None:
    tokens = expected["tokens"][0].copy()
    tokens[:4] = 0  # padding on the left: positions count on, keys are masked
    one, other = tokens.copy(), tokens.copy()
    other[2] = 7  # no padding: is seen
    ones = fed.logits(one, [48], 48, 0)[4:]
    assert np.abs(ones - fed.logits(other, [48], 48, 0)[4:]).max() > 1e-3
    # Attention is invisible to what it masks: only the rotary distance matters, and it is kept.
    late = fed.logits(one, [4, 44], 44, 0)[4:]
    assert np.abs(ones - late).max() < 1e-4


def test_bfloat16_stays_close(mini, expected, caplog: pytest.LogCaptureFixture) -> None:
    """By quantiles: with random weights a rounded gate can choose another expert, and then all
    later positions differ. A first position depends on no other."""
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="bfloat16"))
    assert "bfloat16 on a CPU is many times slower than float32" in caplog.text
    try:
        logits = engine.logits(expected["tokens"])
    finally:
        engine.close()
    apart = np.abs(logits - expected["logits_float32"])
    assert np.quantile(apart, 0.5) < 0.05
    assert np.quantile(apart[:, 0], 0.99) < 0.02
