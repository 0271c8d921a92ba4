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
from training.run.batches import Batches
from training.run.model import logits_of, loss
from training.run.routers import main, train_routers
from training.run.state import State
from training.run.weights import Params, exported_parameters, random_parameters


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


def least_share(params: Params, batch: np.ndarray) -> float:
    """Of the choices of the first layer, the share of the expert that is chosen least."""
    _, routing = jax.jit(lambda p: logits_of(p, TINY, jnp.asarray(batch[:, :-1])))(params)
    _, chosen = routing[0]
    return float(np.bincount(np.ravel(chosen), minlength=TINY.num_experts).min() / chosen.size)


def test_rows_use_the_experts_more_evenly_and_nothing_else_is_changed(packed: Path) -> None:
    before = lopsided()
    batches = Batches(packed, {"plain": 1.0}, rows=16, length=16, vocabulary=TINY.vocab_size)
    after = train_routers(before, TINY, batches, steps=60)
    unseen = batches(1000)
    assert least_share(before, unseen) == 0
    assert least_share(after, unseen) > 0.05
    assert imbalance_of(after, unseen) - 1 < 0.7 * (imbalance_of(before, unseen) - 1)
    for module, weights in before.items():
        for old, new in zip(jax.tree.leaves(weights), jax.tree.leaves(after[module]), strict=True):
            assert (old is new) == (not module.endswith("/router")), module


@pytest.fixture
def work(packed: Path, tmp_path: Path) -> Path:
    """A folder with tokens and a run."""
    shutil.copytree(packed, tmp_path / "data")
    (tmp_path / "config.json").write_text(json.dumps(asdict(TINY)))
    (tmp_path / "run").mkdir()
    shutil.copy(packed / "tokenizer.model", tmp_path / "run")
    State.of(random_parameters(TINY)).save(tmp_path / "run" / "state.npz")
    return tmp_path


def called(work: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    options = [f"--work={work}", f"--model={work}", f"--out={work / 'out'}", "--steps=2", *more]
    monkeypatch.setattr(sys, "argv", ["routers", *options])
    return main()


def test_a_run_is_exported_with_other_routers(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(work, monkeypatch) == 0
    before = State.load(work / "run" / "state.npz", TINY).params
    routed = State.load(work / "run" / "routed.npz", TINY).params
    exported = exported_parameters(open_checkpoint(work / "out"))
    for module in ("transformer/decoder_layer/router", "language_model/in_out_embed"):
        old, new, out = (jax.tree.leaves(params[module]) for params in (before, routed, exported))
        for ours, theirs in zip(new, out, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        same = all(np.array_equal(ours, theirs) for ours, theirs in zip(old, new, strict=True))
        assert same == (not module.endswith("router"))


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("run/state.npz", "state.npz not found: train a run, or name its --work folder"),
        ("run/tokenizer.model", "lacks the tokenizer.model that the run was trained with"),
        ("data/data.json", "no packed tokens in"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_done(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: str,
    words: str,
) -> None:
    (work / missing).unlink()
    assert called(work, monkeypatch) == 2
    assert words in capsys.readouterr().err
    assert not (work / "out").exists()


@pytest.mark.parametrize(
    ("state", "words"), [(b"", "no saved run, or is damaged"), (b"PK", "no saved run, or is")]
)
def test_a_damaged_run_is_said(
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: bytes,
    words: str,
) -> None:
    (work / "run" / "other.npz").write_bytes(state)
    assert called(work, monkeypatch, f"--state={work / 'run' / 'other.npz'}") == 2
    assert words in capsys.readouterr().err


def test_less_than_a_step_is_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        called(work, monkeypatch, "--steps=0")
