"""A run's weights mixed with those it began with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from grok_app.checkpoint.folder import open_checkpoint
from tests.training.made import TINY
from training.run.blend import main
from training.run.state import State
from training.run.weights import Params, export, exported_parameters, random_parameters


@pytest.fixture
def run(packed: Path, tmp_path: Path) -> Path:
    """A folder with a model, and a run that went elsewhere from it."""
    tokenizer = packed / "tokenizer.model"
    export(random_parameters(TINY, 1), TINY, tokenizer, tmp_path / "start")
    (tmp_path / "run").mkdir()
    shutil.copy(tokenizer, tmp_path / "run")
    State.of(random_parameters(TINY, 2)).save(tmp_path / "run" / "state.npz")
    return tmp_path


def blended(run: Path, share: float, monkeypatch: pytest.MonkeyPatch) -> Params:
    options = [f"--start={run / 'start'}", f"--work={run}", f"--out={run / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["blend", *options, f"--share={share}"])
    assert main() == 0
    assert open_checkpoint(run / "out").config == TINY
    return State.load(run / "run" / "blended.npz", TINY).params


def test_a_share_of_each(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = exported_parameters(open_checkpoint(run / "start"))
    end = State.load(run / "run" / "state.npz", TINY).params
    for share in (0.0, 0.25, 1.0):
        mixed = blended(run, share, monkeypatch)
        for old, new, ours in zip(*map(jax.tree.leaves, (start, end, mixed)), strict=True):
            np.testing.assert_allclose(ours, share * old + (1 - share) * new, atol=1e-6)


def test_a_start_that_is_none_is_named(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [f"--start={run / 'nowhere'}", "--share=0.1", f"--work={run}", f"--out={run / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["blend", *options])
    assert main() == 2
    assert "nowhere" in capsys.readouterr().err
