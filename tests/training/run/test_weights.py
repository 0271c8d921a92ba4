"""What is exported is what was trained, up to the released form's rounding."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions
from grok_app.checkpoint.folder import open_checkpoint
from tests.app_process import ROOT
from tests.training.made import TINY, served_logits
from training.run.weights import export, exported_parameters, quantize, random_parameters

LARGEST_MODEL = 32_000_000  # bytes, all of its folder


def floats_of(weight: np.ndarray, scales: np.ndarray) -> np.ndarray:
    *_, rows, _ = weight.shape
    groups = scales.shape[-2]
    return weight * np.repeat(scales.astype(np.float32), rows // groups, axis=-2)


def test_an_export_loads_and_computes_what_the_floats_do(packed: Path, tmp_path: Path) -> None:
    params = random_parameters(TINY, seed=1)
    export(params, TINY, packed / "tokenizer.model", tmp_path)
    tokens = jnp.asarray(np.random.default_rng(0).integers(4, TINY.vocab_size, (2, 48)), jnp.int32)
    engine = grok_app.load(tmp_path, EngineOptions(mesh=(1, 1), dtype="float32", slots=1))
    try:
        logits = engine.logits(tokens.tolist())
        assert engine.tokenizer is not None
        assert engine.tokenizer.vocab_size == TINY.vocab_size
    finally:
        engine.close()
    apart = np.abs(logits - served_logits(params, tokens))
    assert 0 < np.quantile(apart, 0.5) < 0.01
    assert np.quantile(apart, 0.99) < 0.05


def test_a_model_read_back_is_exported_unchanged(packed: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    tokenizer = packed / "tokenizer.model"
    export(random_parameters(TINY, seed=1), TINY, tokenizer, once)
    export(exported_parameters(open_checkpoint(once)), TINY, tokenizer, twice)
    for path in (once / "ckpt-0").iterdir():
        assert (twice / "ckpt-0" / path.name).read_bytes() == path.read_bytes()


def test_a_model_is_replaced_whole(packed: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        export(random_parameters(TINY, seed), TINY, packed / "tokenizer.model", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("ckpt-0", "config.json", "tokenizer.model")
    ]
    stored = np.asarray(random_parameters(TINY, 2)["language_model/in_out_embed"]["embeddings"])
    assert stored.tobytes() in (tmp_path / "ckpt-0" / "tensor00000_000").read_bytes()


@pytest.mark.parametrize("groups", [1, 8])
def test_rounding_is_at_most_half_a_step(groups: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((3, 64, 16)).astype(np.float32)
    stored = quantize(matrix, groups)
    assert stored.weight.dtype == np.int8
    assert stored.scales.shape == (3, groups, 16)
    steps = np.repeat(stored.scales.astype(np.float32), 64 // groups, axis=1)
    # A scale that bfloat16 rounded down cuts the largest value a little: by 2^-8 of it.
    assert np.all(np.abs(floats_of(stored.weight, stored.scales) - matrix) <= 1.01 * steps)
    assert np.quantile(np.abs(floats_of(stored.weight, stored.scales) - matrix) / steps, 0.9) < 0.5


def test_a_large_row_costs_only_its_own_group_and_column() -> None:
    matrix = np.random.default_rng(0).uniform(-1, 1, (64, 16)).astype(np.float32)
    matrix[3, 5] = 1000.0
    apart = np.abs(floats_of(*vars(quantize(matrix, 8)).values()) - matrix)
    concerned = np.zeros_like(matrix, bool)
    concerned[:8, 5] = True
    assert apart[concerned].max() > 0.5
    assert apart[~concerned].max() < 0.01


def test_a_column_of_zeros_stays_zero() -> None:
    stored = quantize(np.zeros((16, 4), np.float32), 8)
    assert not floats_of(stored.weight, stored.scales).any()


def test_the_default_model_is_small() -> None:
    files = [path for path in (ROOT / "assets" / "nano").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST_MODEL
