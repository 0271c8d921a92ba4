"""The exercise: what comes in a row has mostly been there before, and after the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.run.batches import Batches, sufficient
from training.run.phases import PHASES
from training.texts.corpus import CorpusError
from training.texts.drill import FIRST_TOKEN, Tokens, disguise, drill, hidden


def told(row: Tokens) -> Tokens:
    """The row with nothing hidden."""
    return np.where(row < 0, hidden(row), row)


@pytest.mark.parametrize("length", [16, 256, 1024])
def test_a_row_is_random_tokens_of_the_vocabulary(length: int) -> None:
    row = drill(400, length, np.random.default_rng(0))
    assert row.dtype == np.int32
    assert row.shape == (length + 1,)
    row = told(row)
    assert FIRST_TOKEN <= row.min() < row.max() < 400
    assert len(np.unique(row)) > length / 8


def test_most_tokens_are_foreseen_by_who_looks_back() -> None:
    foreseen = total = 0
    for seed in range(20):
        row = told(drill(4096, 256, np.random.default_rng(seed))).tolist()
        followers: dict[int, int] = {}
        for token, following in pairwise(row):
            foreseen += followers.get(token) == following
            total += 1
            followers[token] = following
    assert 0.5 < foreseen / total < 0.9


def test_hidden_is_what_nothing_foretells() -> None:
    row = drill(100_000, 256, np.random.default_rng(0))
    earlier = set[int]()
    for token in row.tolist():
        assert (token in earlier) == (token >= 0)
        earlier.add(token if token >= 0 else ~token)


ROW = np.array([3, 50, 60, 3, 70, 60, 3, 80, 70, 60, 3, 90] * 3, np.int32)
RARE = np.arange(100) >= 50


def test_a_word_in_disguise_has_the_same_name_all_over_the_text() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        row = disguise(ROW, RARE, generator)
        assert row.dtype == np.int32
        assert row.shape == ROW.shape
        assert (row == 3).any()  # what is common stays
        row = told(row)
        assert not np.array_equal(row, ROW)
        period = next(n for n in range(12, 37) if (row[:-n] == row[n:]).all())
        assert period < 37  # ROW repeats itself, and so does what was made of it


def test_a_word_in_disguise_is_hidden_where_it_comes_first() -> None:
    row = np.array([50, 3, 50, 3, 50, 3], np.int32)
    row = disguise(row, RARE, np.random.default_rng(0))
    name = told(row[: row.tolist().index(3)])
    expected = [*hidden(name), 3, *name, 3, *name, 3]
    np.testing.assert_array_equal(row, expected[: len(row)])


def test_what_stands_once_or_is_common_keeps_its_name() -> None:
    row = np.array([3, 3, 3, 50, 60, 70, 80], np.int32)
    np.testing.assert_array_equal(disguise(row, RARE, np.random.default_rng(0)), row)


def test_a_share_of_the_rows_is_disguised(packed: Path) -> None:
    sizes = {"rows": 256, "length": 64, "vocabulary": 400}
    plain = Batches(packed, {"plain": 0.5, "drill": 0.5}, **sizes)(0)
    some = Batches(packed, {"plain": 0.5, "drill": 0.5}, disguised=0.5, **sizes)(0)
    changed = (plain != some).any(axis=1).sum()
    assert 30 < changed < 100  # of 128 rows of text; a drill has no words


def test_a_run_learns_to_look_back_first_and_is_reminded_of_it() -> None:
    first, *others = (phase.mixture["drill"] for phase in PHASES)
    assert first > 0.5
    assert all(0 < share < first / 10 for share in others)


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
