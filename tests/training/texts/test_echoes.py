"""Echoes: whatever word is drawn, the reply is English and of the same word."""

from __future__ import annotations

import re
from random import Random

import pytest

from tests.training.echoed import echoes, filled, words_of
from tests.training.fit import assert_fit
from training.texts.echoes import ECHOES, KINDS, WORDS, draw_word, echo, echoing


@pytest.mark.parametrize("entry", ECHOES, ids=lambda entry: entry["asks"][0])
def test_every_reply_to_every_word_is_fit_to_be_one(entry) -> None:
    assert set(entry["replies"]) == set(KINDS)
    for kind, lines in entry["replies"].items():
        for line in lines:
            for word in words_of(entry):
                text = filled(line, word)
                assert_fit(text)
                assert kind != "tutor" or text.endswith("?")


@pytest.mark.parametrize("entry", ECHOES, ids=lambda entry: entry["asks"][0])
def test_what_is_asked_names_the_word(entry) -> None:
    assert all("{x}" in ask for ask in entry["asks"])
    assert len(set(entry["asks"])) == len(entry["asks"])
    assert set(entry.get("skip", ())) <= set(WORDS[entry["word"]])
    assert {draw_word(entry, Random(seed)) for seed in range(300)} <= set(words_of(entry))


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_is_about_the_word_that_was_said(kind: str) -> None:
    for seed in range(300):
        pair = echo(kind, Random(seed))
        assert echoes(kind, pair), pair
        assert not echoes(kind, [pair[0], pair[0]])


def test_a_name_is_recalled_as_it_was_told() -> None:
    (entry,) = (entry for entry in ECHOES if "later" in entry)
    recalled = 0
    for kind, turns in echoing(Random(0)):
        for at in range(0, len(turns), 2):
            if turns[at] in entry["later"]["asks"]:
                told = [
                    name
                    for name in words_of(entry)
                    for turn in turns[:at:2]
                    if turn in {filled(ask, name) for ask in entry["asks"]}
                ]
                assert len(told) == 1
                assert re.search(rf"\b{told[0]}\b", turns[at + 1])
                assert kind in entry["later"]["replies"]
                recalled += 1
    assert recalled > 100


def test_no_word_stands_twice() -> None:
    assert all(len(set(words)) == len(words) for words in WORDS.values())
