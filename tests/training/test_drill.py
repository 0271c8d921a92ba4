"""The exercise: what comes in a row has mostly been there before, and after the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.batches import Batches, sufficient
from training.corpus import CorpusError
from training.drill import FIRST_TOKEN, drill


@pytest.mark.parametrize("length", [16, 256, 1024])
def test_a_row_is_random_tokens_of_the_vocabulary(length: int) -> None:
    row = drill(400, length, np.random.default_rng(0))
    assert row.dtype == np.int32
    assert row.shape == (length + 1,)
    assert FIRST_TOKEN <= row.min() < row.max() < 400
    assert len(np.unique(row)) > length / 8


def test_most_tokens_are_foreseen_by_who_looks_back() -> None:
    foreseen = total = 0
    for seed in range(20):
        row = drill(4096, 256, np.random.default_rng(seed)).tolist()
        followers: dict[int, int] = {}
        for token, following in pairwise(row):
            foreseen += followers.get(token) == following
            total += 1
            followers[token] = following
    assert 0.5 < foreseen / total < 0.9


def test_rows_of_a_batch_differ_and_come_again_at_the_same_step(packed: Path) -> None:
    draw = Batches(packed, {"drill": 1.0}, rows=8, length=64, vocabulary=400)
    first = draw(0)
    assert len({row.tobytes() for row in (*first, *draw(1))}) == 16
    np.testing.assert_array_equal(draw(0), first)
    other = Batches(packed, {"drill": 1.0}, rows=8, length=64, vocabulary=400, seed=1)
    assert not np.array_equal(other(0), first)


def test_an_exercise_alone_is_no_text(packed: Path) -> None:
    mixture = {"drill": 0.5, "plain": 0.5}
    assert sufficient(packed, mixture, 64) == mixture
    with pytest.raises(CorpusError, match="too little text"):
        sufficient(packed, mixture, 10_000_000)
