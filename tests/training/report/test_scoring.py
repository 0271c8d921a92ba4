"""The scorer says what the engine's logits say, however the rows are batched."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

import grok_app
from grok_app import EngineOptions
from tests.training.made import TINY
from training.report.scoring import Scorer
from training.run.weights import export, random_parameters

ROWS = [
    tuple(np.random.default_rng(length).integers(4, TINY.vocab_size, length).tolist())
    for length in (2, 17, 64, 5, 40)
]


@pytest.fixture(scope="module")
def folder(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    export(random_parameters(TINY), TINY, packed / "tokenizer.model", folder)
    return folder


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return Scorer.load(folder)


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[np.ndarray]:
    """Of each token of ROWS but the first its log-probability, from the engine."""
    engine = grok_app.load(folder, EngineOptions(mesh=(1, 1), dtype="float32", slots=1))
    logprobs = np.asarray(jax.nn.log_softmax(engine.logits(ROWS)))
    engine.close()
    return [
        of_row[np.arange(len(row) - 1), row[1:]] for of_row, row in zip(logprobs, ROWS, strict=True)
    ]


def test_rows_score_as_the_engine_says(scorer: Scorer, expected: list[np.ndarray]) -> None:
    for got, wanted in zip(scorer.score(ROWS, "").logprobs, expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_every_token_chooses_its_experts_and_padding_none(scorer: Scorer) -> None:
    choices = scorer.score(ROWS, "").choices
    assert choices.shape == (TINY.num_layers, TINY.num_experts)
    tokens = sum(map(len, ROWS))
    assert choices.sum(axis=1).tolist() == [tokens * TINY.num_selected_experts] * TINY.num_layers


def test_a_text_is_scored_after_its_context(scorer: Scorer, expected: list[np.ndarray]) -> None:
    pairs = [(row[:1], row[1:]) for row in ROWS] + [(ROWS[2][:50], ROWS[2][50:])]
    likely = scorer.log_likelihoods(pairs, "")
    wanted = [*(row.sum() for row in expected), expected[2][-14:].sum()]
    np.testing.assert_allclose(likely, wanted, rtol=1e-4)


def test_a_context_too_long_loses_its_beginning(scorer: Scorer) -> None:
    context, text = ROWS[2] + ROWS[4], ROWS[1]
    whole, cut = scorer.log_likelihoods([(context, text), (context[-47:], text)], "")
    assert whole == cut
