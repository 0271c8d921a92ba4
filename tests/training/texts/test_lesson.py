"""The lesson: of its talks the replies are learnt, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from grok_app.chat import load_personas
from training.run.batches import Batches
from training.texts.drill import Tokens, hidden
from training.texts.lesson import PROMPTS, LastReplies, Lesson
from training.texts.tokenizer import END

ROOT = Path(__file__).parents[3]
NANO = ROOT / "assets" / "nano" / "tokenizer.model"


def spans(talk: Tokens) -> list[list[int]]:
    """The runs of tokens that are learnt."""
    shown = np.flatnonzero(np.diff(np.concatenate([[0], talk >= 0, [0]])))
    return [talk[a:b].tolist() for a, b in shown.reshape(-1, 2)]


@pytest.fixture
def encoder() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(str(NANO))


def test_what_is_learnt_is_every_reply_but_the_examples(encoder) -> None:
    """To the end of its line, where a talk's next line or its end follows."""
    lesson, counts = Lesson(NANO, 1024, 0), set[int]()
    shipped = {persona.preamble: 2 * len(persona.examples) for persona in load_personas(PROMPTS)}
    as_shipped = 0
    for row in map(lesson.row, range(20)):
        assert row.shape == (1025,)
        assert row.dtype == np.int32
        assert row[-1] == END
        for start, end in pairwise(np.flatnonzero(row == END)):
            talk = row[start + 1 : end]
            lines = encoder.decode(np.where(talk < 0, hidden(talk), talk).tolist()).splitlines()
            learnt = [encoder.decode(tokens) for tokens in spans(talk)]
            assert all(text.endswith("\n") for text in learnt)
            said = [line.partition(": ")[2] for line in lines[-2 * len(learnt) :][1::2]]
            assert [text.strip() for text in learnt] == said
            counts.add(len(learnt))
            if lines[0] in shipped:
                assert len(lines) == 2 + shipped[lines[0]] + 2 * len(learnt)
                as_shipped += 1
    assert counts == {2, 3, 4, 5}
    assert as_shipped > 20


def test_of_a_talk_that_is_cut_nothing_is_learnt() -> None:
    for row in map(Lesson(NANO, 256, 0).row, range(50)):
        first, *others = np.flatnonzero(np.where(row < 0, hidden(row), row) == END)
        assert (row[: first + 1] < 0).all() or not others


def test_it_is_read_as_the_app_and_as_the_other_text_put_it(encoder) -> None:
    lesson = Lesson(NANO, 1024, 0)
    read = "".join(
        encoder.decode(np.where(row < 0, hidden(row), row).tolist())
        for row in map(lesson.row, range(20))
    )
    assert "Cynic has a low opinion of mankind and an excellent vocabulary. User names" in read
    assert "A conversation between a curious user and Grok" in read
    assert "Human: " in read  # a label that none of the app's personas has
    assert "What is a meeting?\nCynic: A gathering" in read  # its examples


def test_a_row_is_made_from_its_number(encoder) -> None:
    first, again = Lesson(NANO, 256, 0), Lesson(NANO, 256, 0)
    rows = [first.row(number).tolist() for number in range(5)]
    assert [again.row(number).tolist() for number in (4, 3, 2, 1, 0)] == rows[::-1]
    assert len({tuple(row) for row in rows}) == 5


@pytest.mark.parametrize("length", [16, 64])
def test_a_short_row_keeps_the_reply(packed: Path, length: int) -> None:
    batches = Batches(packed, {"lesson": 1}, rows=4, length=length, vocabulary=400, disguised=1)
    batch = batches(0)
    assert batch.shape == (4, length + 1)
    assert (batch >= 0).any(axis=1).all()


def test_of_a_long_text_what_is_said_last_is_learnt(encoder) -> None:
    texts = [
        "They talk.\n\nAnn: Who is right?\n\nTom: I am.\nBert: No.\nBot: Neither: you both are.\n",
        "A: Once there was a king.\nHe was old: a hundred years.\nZuzana: What is it about?\n",
    ]
    tokens = [token for text in texts for token in (*encoder.encode(text), END)]
    row = np.array([*tokens, *encoder.encode("A: One more\nB: ")], np.int32)
    learnt = LastReplies(NANO)(row)
    assert np.where(learnt < 0, hidden(learnt), learnt).tolist() == row.tolist()
    assert [encoder.decode(run).strip() for run in spans(learnt)] == [
        "Neither: you both are.",
        "What is it about?",
    ]
    assert (learnt[row == END] == END).all()
    cut = LastReplies(NANO)(np.concatenate([[END], row]).astype(np.int32))
    assert cut.tolist() == [~END, *learnt]  # nothing stands before that end


def test_so_are_the_rows_of_long_texts(packed: Path) -> None:
    batches = Batches(packed, {"long": 1}, rows=8, length=64, vocabulary=400, disguised=1)
    batch = np.concatenate([batches(step) for step in range(20)])
    learnt = (batch >= 0).mean()
    assert 0 < learnt < 0.4
    whole = np.where(batch < 0, hidden(batch), batch)
    text = np.load(packed / "long-0.npy").tobytes()
    assert all(row.astype(np.uint16).tobytes() in text for row in whole[:8])  # none is disguised
