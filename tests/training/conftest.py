"""What the tests of training share: a small corpus, and its tokens."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import pytest

from tests.training.made import TINY, write_corpus
from training.run import floats
from training.texts.dataset import prepare
from training.texts.pools import Recipe


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text that means nothing."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def packed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus as tokens for the tiny model."""
    recipe = Recipe(vocabulary=TINY.vocab_size, variants=2)
    return prepare(corpus, recipe, tmp_path_factory.mktemp("work"))


@pytest.fixture(params=[jnp.bfloat16, jnp.float32], ids=["bfloat16", "float32"])
def factor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products have factors of either type, whichever this machine would choose."""
    monkeypatch.setattr(floats, "factor", lambda: request.param)
