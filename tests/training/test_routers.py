"""Routers alone are trained, until rows use all experts."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grok_app.checkpoint.folder import open_checkpoint
from tests.training.made import TINY
from training.batches import Batches
from training.model import loss
from training.routers import main, train_routers
from training.state import State
from training.weights import Params, random_parameters


def lopsided() -> Params:
    """A model in whose first layer no token chooses the first expert: all embeddings have a
    direction in common, and its router dislikes it."""
    params = random_parameters(TINY)
    embedding, router = "language_model/in_out_embed", "transformer/decoder_layer/router"
    common = jax.tree.map(lambda e: e + 0.3, params[embedding])
    stack = params[router]["w"]
    parts = (stack.parts[0].at[:, 0].add(-0.1), *stack.parts[1:])
    return params | {embedding: common, router: {"w": type(stack)(parts)}}


def imbalance_of(params: Params, batch: np.ndarray) -> float:
    return float(jax.jit(lambda p: loss(p, TINY, jnp.asarray(batch))[1]["balance"])(params))


def test_rows_use_the_experts_more_evenly_and_nothing_else_is_changed(packed: Path) -> None:
    before = lopsided()
    batches = Batches(packed, {"plain": 1.0}, rows=16, length=16, vocabulary=TINY.vocab_size)
    after = train_routers(before, TINY, batches, steps=60)
    unseen = batches(1000)
    assert imbalance_of(after, unseen) - 1 < 0.7 * (imbalance_of(before, unseen) - 1)
    for module, weights in before.items():
        for old, new in zip(jax.tree.leaves(weights), jax.tree.leaves(after[module]), strict=True):
            assert (old is new) == (not module.endswith("/router")), module


def called(work: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    options = [f"--work={work}", f"--model={work}", f"--out={work / 'out'}", "--steps=2"]
    monkeypatch.setattr(sys, "argv", ["routers", *options])
    return main()


def test_a_run_is_exported_with_other_routers(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(packed, tmp_path / "data")
    (tmp_path / "config.json").write_text(json.dumps(asdict(TINY)))
    (tmp_path / "run").mkdir()
    shutil.copy(packed / "tokenizer.model", tmp_path / "run")
    state = State.of(random_parameters(TINY))
    state.tokens = 7
    state.save(tmp_path / "run" / "state.npz")
    assert called(tmp_path, monkeypatch) == 0
    assert open_checkpoint(tmp_path / "out").config == TINY
    assert State.load(tmp_path / "run" / "routed.npz", TINY).tokens == 7


def test_a_run_that_is_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(asdict(TINY)))
    assert called(tmp_path, monkeypatch) == 2
    assert "state.npz" in capsys.readouterr().err
