"""From a corpus to batches: what is packed, what is held out, what a step is given."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor

from tests.training.made import TINY, write
from training.run.batches import CYCLE, Batches, window_starts
from training.texts.corpus import (
    DIALOGUES,
    MORE_DIALOGUES,
    MORE_HELD_OUT,
    CorpusError,
    clean_prose,
    read_dialogues,
    read_prose,
)
from training.texts.dataset import main, prepare, read_summary
from training.texts.held_out import held_out_talks, held_out_texts, more_held_out_talks
from training.texts.pools import Recipe
from training.texts.tokenizer import END, train_tokenizer
from training.texts.transcripts import transcript

RECIPE = Recipe(vocabulary=TINY.vocab_size, variants=2)
MIXTURE = {"plain": 0.5, "dialogues": 0.25, "prose": 0.25}


def documents(folder: Path, pool: str) -> list[str]:
    tokenizer = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tokens, starts = np.load(folder / f"{pool}.npy"), np.load(folder / f"{pool}.starts.npy")
    assert tokens.dtype == np.uint16
    parts = [part.tolist() for part in np.split(tokens, starts[1:])]
    assert all(part[-1] == END and END not in part[:-1] for part in parts)
    return [tokenizer.decode(part[:-1]) for part in parts]


def test_every_conversation_is_either_trained_on_or_held_out(corpus: Path, packed: Path) -> None:
    everything = sorted(transcript(talk.turns) for talk in read_dialogues(corpus))
    held = [transcript(turns) for turns in held_out_talks(corpus)["chat"]]
    assert sorted(documents(packed, "plain") + held) == everything
    assert len(held) > 0


def test_every_book_is_either_trained_on_or_held_out(corpus: Path, packed: Path) -> None:
    held = held_out_texts(corpus, held_out_talks(corpus))["prose"]
    everything = sorted(clean_prose(book.text) for book in read_prose(corpus))
    assert sorted(documents(packed, "prose") + held) == everything
    assert len(held) > 0


def test_variants_hold_the_same_talks_in_another_dress(packed: Path) -> None:
    first, second = (documents(packed, f"dialogues-{variant}") for variant in range(2))
    assert first != second

    def asked(texts: list[str]) -> set[str]:  # by the first speakers, whom no voice changes
        lines = (text.rpartition("\n\n")[2].splitlines()[::2] for text in texts)
        return {line.partition(": ")[2] for said in lines for line in said}

    plain = asked(documents(packed, "plain"))
    assert plain <= asked(first) & asked(second)


def test_each_variant_has_other_made_talks_and_a_second_file_may_lack(packed: Path) -> None:
    first, second = ({*documents(packed, f"made-{variant}")} for variant in range(2))
    assert first
    assert not first & second
    assert np.load(packed / "more-0.npy").size == 0


def test_a_second_file_is_read_for_training_but_its_held_out_lines(
    corpus: Path, packed: Path, tmp_path: Path
) -> None:
    (tmp_path / "corpus").mkdir()
    for path in corpus.iterdir():
        shutil.copy(path, tmp_path / "corpus")
    told = {"source": "dolly", "turns": ["Where is the old river?", "Nobody swims by the house."]}
    held = {"source": "dolly", "turns": ["Where is the cold house?", "By the river, it is old."]}
    write(tmp_path / "corpus" / MORE_DIALOGUES, [told])
    write(tmp_path / "corpus" / MORE_HELD_OUT, [held])
    folder = prepare(tmp_path / "corpus", RECIPE, tmp_path, packed / "tokenizer.model")
    for variant in range(RECIPE.variants):
        text = "".join(documents(folder, f"more-{variant}"))
        assert "Nobody swims by the house." in text
        assert "By the river, it is old." not in text
    assert more_held_out_talks(tmp_path / "corpus") == {"dolly": [tuple(held["turns"])]}


def test_work_already_done_is_kept(corpus: Path, packed: Path) -> None:
    before = (packed / "plain.npy").stat().st_mtime_ns
    assert prepare(corpus, RECIPE, packed.parent) == packed
    assert (packed / "plain.npy").stat().st_mtime_ns == before
    assert prepare(corpus, RECIPE, packed.parent, packed / "tokenizer.model") == packed
    assert (packed / "plain.npy").stat().st_mtime_ns == before
    assert read_summary(packed)["tokens"]["plain"] == len(np.load(packed / "plain.npy"))


def test_the_same_recipe_gives_the_same_bytes(corpus: Path, packed: Path, tmp_path: Path) -> None:
    again = prepare(corpus, RECIPE, tmp_path)
    for path in packed.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_given_tokenizer_is_used_as_it_is(corpus: Path, packed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.model"
    other.write_bytes(train_tokenizer(documents(packed, "wit-0"), RECIPE.vocabulary))
    with_other = prepare(corpus, RECIPE, tmp_path, other)
    assert (with_other / "tokenizer.model").read_bytes() == other.read_bytes()
    assert documents(with_other, "plain") == documents(packed, "plain")
    own = prepare(corpus, RECIPE, tmp_path)  # packed anew: nobody asks for the other one now
    assert (own / "tokenizer.model").read_bytes() == (packed / "tokenizer.model").read_bytes()


def test_a_tokenizer_of_a_larger_vocabulary_is_refused(
    corpus: Path, packed: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="has 400 pieces, more than the vocabulary of 390"):
        prepare(corpus, Recipe(vocabulary=390), tmp_path, packed / "tokenizer.model")


def test_a_tokenizer_brings_its_vocabulary(
    corpus: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"corpus": corpus, "work": tmp_path, "tokenizer": packed / "tokenizer.model"}
    monkeypatch.setattr(sys, "argv", ["dataset", *(f"--{k}={v}" for k, v in options.items())])
    assert main() == 0
    assert read_summary(tmp_path / "data")["recipe"]["vocabulary"] == RECIPE.vocabulary


@pytest.mark.parametrize(
    ("sentences", "told"),
    [(0, "no conversation of .* is fit"), (5, "too little text for a vocabulary of 4096")],
)
def test_too_little_text_is_told(tmp_path: Path, sentences: int, told: str) -> None:
    talk = {"source": "chat", "turns": ["The old house is here."] * sentences}
    write(tmp_path / DIALOGUES, [talk])
    with pytest.raises(CorpusError, match=told):
        prepare(tmp_path, Recipe(), tmp_path)


def test_a_batch_depends_on_seed_and_step_alone(packed: Path) -> None:
    draw = Batches(packed, MIXTURE, rows=4, length=32, vocabulary=400, seed=3)
    later = [draw(step) for step in (7, 1000)]
    resumed = Batches(packed, MIXTURE, rows=4, length=32, vocabulary=400, seed=3)
    for step, batch in zip((7, 1000), later, strict=True):
        np.testing.assert_array_equal(resumed(step), batch)
        assert batch.shape == (4, 33)
        assert batch.dtype == np.int32
    assert not np.array_equal(
        Batches(packed, MIXTURE, rows=4, length=32, vocabulary=400, seed=4)(7), later[0]
    )


def test_every_window_comes_once_before_any_comes_again(packed: Path) -> None:
    windows = sum(
        len(
            window_starts(
                np.load(packed / f"dialogues-{variant}.starts.npy"),
                len(np.load(packed / f"dialogues-{variant}.npy")),
                32,
            )
        )
        for variant in range(2)
    )
    draw = Batches(packed, {"dialogues": 1.0}, rows=1, length=32, vocabulary=400)
    epochs = [[draw(first + step).tobytes() for step in range(windows)] for first in (0, windows)]
    assert Counter(epochs[0]) == Counter(epochs[1])
    assert epochs[0] != epochs[1]


def test_each_pool_has_its_share(packed: Path) -> None:
    shares = {"plain": 0.5, "prose": 0.3, "drill": 0.2}
    draw = Batches(packed, shares, rows=CYCLE, length=16, vocabulary=400)
    pools = {name: np.load(packed / f"{name}.npy").tobytes() for name in ("plain", "prose")}
    rows = [row.astype(np.uint16).tobytes() for row in draw(0)]
    counts = Counter(next((name for name in pools if row in pools[name]), "drill") for row in rows)
    assert counts == {"plain": 128, "prose": 77, "drill": 51}


@given(st.lists(st.integers(1, 60), min_size=1), st.integers(2, 40))
def test_windows_cover_every_token_and_begin_anew_where_much_was_cut(
    lengths: list[int], length: int
) -> None:
    total = sum(lengths)
    documents = np.cumsum([0, *lengths[:-1]])
    if total <= length:
        with pytest.raises(CorpusError, match=str(total)):
            window_starts(documents, total, length)
        return
    starts = window_starts(documents, total, length)
    targets = {start + offset for start in starts for offset in range(1, length + 1)}
    assert targets == set(range(1, total))
    for start, following in pairwise(starts[:-1]):  # the last one ends where the pool ends
        cut = max(begin for begin in documents if begin <= start + length)
        assert following in (cut, start + length)
        assert following - start >= length // 2


def test_a_pool_that_is_missing_or_too_small_is_named(packed: Path) -> None:
    with pytest.raises(CorpusError, match="no pool 'poems'"):
        Batches(packed, {"poems": 1.0}, rows=1, length=8, vocabulary=400)
    with pytest.raises(CorpusError, match="a row of 1000000 tokens"):
        Batches(packed, {"prose": 1.0}, rows=1, length=1_000_000, vocabulary=400)
