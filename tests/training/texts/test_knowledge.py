"""Common knowledge: whichever words are drawn, question and answer are whole."""

from __future__ import annotations

from itertools import product
from random import Random

from training.texts.corpus import is_rude
from training.texts.knowledge import KINDS, TABLES, ask_row, quizzes
from training.texts.transcripts import polish


def test_every_question_and_answer_is_a_whole_sentence() -> None:
    for table in TABLES:
        for ask, answer, row in product(table["asks"], table["answers"], table["rows"]):
            alone = {"asks": [ask], "answers": [answer]}
            question, reply = ask_row(alone, row, Random(0))
            for text in (question, reply):
                assert text.isascii()
                assert not set(text) & set("{}\n"), text
                assert not is_rude(text)
            assert polish(reply) == reply
            assert reply[0].isupper() or reply[0].isdigit(), reply
            assert reply[-1] in ".!?"
            assert len(reply) <= 130


def test_no_table_asks_the_same_twice() -> None:
    for table in TABLES:
        asked = [row[0] for row in table["rows"]]
        assert len(asked) == len(set(asked)), table["asks"][0]


def test_every_row_is_asked_for_in_talks_of_a_few_exchanges() -> None:
    made = list(quizzes(Random(0)))
    assert {kind for kind, _ in made} == set(KINDS)
    assert all(len(turns) % 2 == 0 for _, turns in made)
    said = {turn for _, turns in made for turn in turns[1::2]}
    for table in TABLES:
        for row in table["rows"]:
            answers = {ask_row(table, row, Random(seed))[1] for seed in range(40)}
            assert answers & said, row
